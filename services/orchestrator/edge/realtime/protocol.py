"""The OpenAI Realtime protocol over one session, in either dialect. Knows no socket: frames in, frames out."""

import base64
import json
import time
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import from_json

from services.orchestrator import events
from services.orchestrator.conversation import Item, ItemKind, Role, UnknownItemError
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime import updates, views
from services.orchestrator.edge.realtime.audio_formats import AudioFormat, Decoder
from services.orchestrator.edge.realtime.dialect import Dialect
from services.orchestrator.edge.realtime.server_events import ServerEvents, error, new_event_id
from services.orchestrator.edge.realtime.views import Json
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.replies import new_id
from services.orchestrator.session import Session

# How long a session may last, as the protocol announces it.
_LIFETIME_S = 3_600
# An append may be minutes long: it is decoded by pieces, in between which the session takes what it can.
_PIECE_BYTES = 48_000


class RefusedError(Exception):
    """What the client asked for cannot be done; becomes an `error` event."""

    def __init__(self, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class RealtimeProtocol:
    """One connection. `model` is the name that the client asked for; it is told back, whatever model answers."""

    def __init__(
        self, session: Session, voices: VoiceCatalogue, dialect: Dialect, *, model: str, extensions: bool
    ) -> None:
        self._session = session
        self._voices = voices
        self._dialect = dialect
        self._model = model
        self._out = ServerEvents(new_id("conv"), extensions)
        self._decoder = Decoder(AudioFormat.PCM)
        self._expires_at = int(time.time()) + _LIFETIME_S

    def opened(self) -> list[Frame]:
        """`session.created`, and `conversation.created` where the dialect has it."""
        conversation = {"id": self._out.conversation_id, "object": "realtime.conversation"}
        return self._answers(
            {"type": "session.created", "session": self._view()},
            {"type": "conversation.created", "conversation": conversation},
        )

    def send(self, event: events.Event) -> list[Frame]:
        """The server events that tell of `event`."""
        return self._frames(self._out.of(event, self._session.config))

    async def receive(self, frame: Frame) -> list[Frame]:
        """Takes one client event and returns the server events that answer it at once."""
        if isinstance(frame, bytes):
            message = "expected a text frame with one JSON event, got a binary frame"
            return self._answers(error(message, code="invalid_frame"))
        try:
            data = from_json(frame)
        except ValueError as problem:
            return self._answers(error(f"expected one JSON object: {problem}", code="invalid_json"))
        event_id = data.get("event_id") if isinstance(data, dict) else None
        event_id = event_id if isinstance(event_id, str) else None
        try:
            answers = await self._handle(self._dialect.parse(data))
        except ValidationError as problem:
            fault = explain(problem, data)
            return self._answers(error(fault.message, code=fault.code, param=fault.param, event_id=event_id))
        except RefusedError as refusal:
            return self._answers(error(str(refusal), code=refusal.code, param=refusal.param, event_id=event_id))
        return self._answers(*answers)

    def _answers(self, *messages: Json) -> list[Frame]:
        return self._frames(message | {"event_id": new_event_id()} for message in messages)

    def _frames(self, messages: Iterable[Json]) -> list[Frame]:
        told = (self._dialect.tell(message) for message in messages)
        return [json.dumps(message, ensure_ascii=False) for message in told if message is not None]

    async def _handle(self, event: client.ClientEvent) -> list[Json]:
        match event:
            case client.AudioAppend():
                await self._append(event.audio)
                return []
            case client.AudioCommit():
                self._session.commit_audio()
                return []
            case client.AudioClear():
                self._session.clear_audio()
                return [{"type": "input_audio_buffer.cleared"}]
            case client.SessionUpdate():
                return await self._update(event.session)
            case client.ItemCreate():
                self._create_item(event)
                return []
            case client.ItemRetrieve():
                return [{"type": "conversation.item.retrieved", "item": views.item(self._item(event.item_id))}]
            case client.ItemDelete():
                self._item(event.item_id)
                self._session.conversation.delete(event.item_id)
                return [{"type": "conversation.item.deleted", "item_id": event.item_id}]
            case client.ItemTruncate():
                return self._truncate(event)
            case client.ResponseCreate():
                await self._create_response(event.response)
                return []
            case client.ResponseCancel():
                self._session.cancel_response()
                return []
            case client.PlayoutPosition():
                self._session.report_playout(event.item_id, event.audio_ms, playing=event.playing)
                return []

    async def _update(self, body: client.SessionUpdateBody) -> list[Json]:
        config = updates.updated(self._session.config, body)
        await self._check_voice(config.voice, "session.audio.output.voice")
        if body.audio is not None:
            self._take_audio(body.audio)
        self._session.configure(config)
        return [{"type": "session.updated", "session": self._view()}]

    def _take_audio(self, audio: client.Audio) -> None:
        """Follows what the session itself does not know: formats, and whether the person's words are sent."""
        if audio.input is not None:
            if "transcription" in audio.input.model_fields_set:
                self._out.transcribe = audio.input.transcription is not None
            if audio.input.format is not None:
                self._switch_input(AudioFormat(audio.input.format.type))
        if audio.output is not None and audio.output.format is not None:
            self._out.audio_format = AudioFormat(audio.output.format.type)

    def _switch_input(self, audio_format: AudioFormat) -> None:
        # To name the same format again in mid-stream must not make a seam.
        if audio_format is not self._decoder.format:
            self._decoder = Decoder(audio_format)

    async def _append(self, audio: str) -> None:
        samples = self._decoded(audio)
        for start in range(0, len(samples), _PIECE_BYTES):
            await self._session.append_audio(self._decoder.push(samples[start : start + _PIECE_BYTES]))

    def _decoded(self, audio: str) -> bytes:
        """The append's audio in the session's input format."""
        if len(audio) > client.MAX_APPEND_BYTES * 4 // 3 + 4:
            limit = client.MAX_APPEND_BYTES >> 20
            raise RefusedError("audio_too_large", f"audio: expected at most {limit} MiB an append", "audio")
        try:
            samples = base64.b64decode(audio, validate=True)
        except ValueError as problem:
            raise RefusedError(
                "invalid_audio", f"audio: expected base64, got something else: {problem}", "audio"
            ) from None
        if len(samples) % self._decoder.format.sample_bytes:
            message = f"audio: expected whole 16-bit samples, got {len(samples)} bytes"
            raise RefusedError("invalid_audio", message, "audio")
        return samples

    async def _create_response(self, body: client.ResponseBody | None) -> None:
        overrides = updates.overrides(body)
        await self._check_voice(overrides.voice or "", "response.audio.output.voice")
        output = body.audio.output if body is not None and body.audio is not None else None
        if output is not None and output.format is not None and output.format.type != self._out.audio_format:
            param = self._dialect.field("response.audio.output.format")
            expected = "expected the session's output format or none: a response has no format of its own"
            raise RefusedError("invalid_value", f"{param}: {expected}", param)
        self._session.create_response(overrides)

    def _create_item(self, event: client.ItemCreate) -> None:
        item = event.item
        created = Item(item.id or new_id("item"))
        match item:
            case client.MessageItem():
                text = "\n".join(part.text for part in item.content)
                created = Item(created.id, role=Role(item.role), text=text)
            case client.FunctionCallItem():
                created = Item(
                    created.id,
                    ItemKind.FUNCTION_CALL,
                    role=Role.ASSISTANT,
                    name=item.name,
                    call_id=item.call_id,
                    arguments=item.arguments,
                )
            case client.FunctionCallOutputItem():
                created = Item(created.id, ItemKind.FUNCTION_CALL_OUTPUT, text=item.output, call_id=item.call_id)
        try:
            self._session.add_item(created, event.previous_item_id)
        except UnknownItemError:
            message = f"previous_item_id: expected an item of this conversation, got {event.previous_item_id!r}"
            raise RefusedError("item_not_found", message, "previous_item_id") from None
        except ValueError as problem:
            raise RefusedError("item_id_taken", f"item.id: expected a new id: {problem}", "item.id") from None

    def _truncate(self, event: client.ItemTruncate) -> list[Json]:
        self._item(event.item_id)
        try:
            self._session.truncate(event.item_id, event.audio_end_ms)
        except LookupError:
            message = "item_id: expected a spoken reply of this session's last ones"
            raise RefusedError("item_not_truncatable", message, "item_id") from None
        truncated = {"item_id": event.item_id, "content_index": 0, "audio_end_ms": event.audio_end_ms}
        return [{"type": "conversation.item.truncated"} | truncated]

    def _item(self, item_id: str) -> Item:
        try:
            return self._session.conversation.get(item_id)
        except UnknownItemError:
            message = f"item_id: expected an item of this conversation, got {item_id!r}"
            raise RefusedError("item_not_found", message, "item_id") from None

    async def _check_voice(self, name: str, path: str) -> None:
        if expected := await self._voices.expected_instead(name):
            param = self._dialect.field(path)
            raise RefusedError("invalid_value", f"{param}: expected {expected}", param)

    def _view(self) -> Json:
        return views.session(
            self._session.id,
            self._session.config,
            model=self._model,
            transcribe=self._out.transcribe,
            expires_at=self._expires_at,
            input_format=self._decoder.format,
            output_format=self._out.audio_format,
        )
