"""The OpenAI Realtime protocol (GA event names) over one session. Knows no socket: frames in, frames out."""

import base64
import json
import time

from pydantic import ValidationError
from pydantic_core import from_json

from chassis.audio import SAMPLE_RATE
from chassis.resampling import Resampler
from services.orchestrator import events
from services.orchestrator.conversation import Item, ItemKind, Role, UnknownItemError
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime import updates, views
from services.orchestrator.edge.realtime.server_events import RATE, ServerEvents, error, new_event_id
from services.orchestrator.edge.realtime.views import Json
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.replies import new_id
from services.orchestrator.session import Session

# How long a session may last, as the protocol announces it.
_LIFETIME_S = 3_600


class RefusedError(Exception):
    """What the client asked for cannot be done; becomes an `error` event."""

    def __init__(self, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class RealtimeProtocol:
    """One connection. `model` is the name that the client asked for; it is told back, whatever model answers."""

    def __init__(self, session: Session, voices: VoiceCatalogue, *, model: str, extensions: bool) -> None:
        self._session = session
        self._voices = voices
        self._model = model
        self._out = ServerEvents(new_id("conv"), extensions)
        self._resampler = Resampler(RATE, SAMPLE_RATE)
        self._expires_at = int(time.time()) + _LIFETIME_S

    def opened(self) -> list[Frame]:
        """`session.created`."""
        return [_frame({"type": "session.created", "session": self._view()})]

    def send(self, event: events.Event) -> list[Frame]:
        """The server events that tell of `event`."""
        return [json.dumps(message, ensure_ascii=False) for message in self._out.of(event, self._session.config)]

    async def receive(self, frame: Frame) -> list[Frame]:
        """Takes one client event and returns the server events that answer it at once."""
        if isinstance(frame, bytes):
            return [
                _frame(error("expected a text frame with one JSON event, got a binary frame", code="invalid_frame"))
            ]
        try:
            data = from_json(frame)
        except ValueError as problem:
            return [_frame(error(f"expected one JSON object: {problem}", code="invalid_json"))]
        event_id = data.get("event_id") if isinstance(data, dict) else None
        event_id = event_id if isinstance(event_id, str) else None
        try:
            answers = await self._handle(client.CLIENT_EVENT.validate_python(data))
        except ValidationError as problem:
            fault = explain(problem, data)
            return [_frame(error(fault.message, code=fault.code, param=fault.param, event_id=event_id))]
        except RefusedError as refusal:
            return [_frame(error(str(refusal), code=refusal.code, param=refusal.param, event_id=event_id))]
        return [_frame(answer) for answer in answers]

    async def _handle(self, event: client.ClientEvent) -> list[Json]:
        match event:
            case client.AudioAppend():
                await self._session.append_audio(self._decode(event.audio))
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
                overrides = updates.overrides(event.response)
                await self._check_voice(overrides.voice or "", "response.audio.output.voice")
                self._session.create_response(overrides)
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
        audio = body.audio.input if body.audio is not None else None
        if audio is not None and "transcription" in audio.model_fields_set:
            self._out.transcribe = audio.transcription is not None
        self._session.configure(config)
        return [{"type": "session.updated", "session": self._view()}]

    def _decode(self, audio: str) -> bytes:
        """The append's audio at the session's rate."""
        if len(audio) > client.MAX_APPEND_BYTES * 4 // 3 + 4:
            limit = client.MAX_APPEND_BYTES >> 20
            raise RefusedError("audio_too_large", f"audio: expected at most {limit} MiB an append", "audio")
        try:
            pcm = base64.b64decode(audio, validate=True)
        except ValueError as problem:
            raise RefusedError(
                "invalid_audio", f"audio: expected base64, got something else: {problem}", "audio"
            ) from None
        if len(pcm) % 2:
            message = f"audio: expected whole 16-bit samples, got {len(pcm)} bytes"
            raise RefusedError("invalid_audio", message, "audio")
        return self._resampler.push(pcm)

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

    async def _check_voice(self, name: str, param: str) -> None:
        names = await self._voices.names()
        if name and names and name not in names:
            message = f"{param}: expected one of {', '.join(names)}, got {name!r}"
            raise RefusedError("invalid_value", message, param)

    def _view(self) -> Json:
        return views.session(
            self._session.id,
            self._session.config,
            model=self._model,
            transcribe=self._out.transcribe,
            expires_at=self._expires_at,
        )


def _frame(message: Json) -> str:
    return json.dumps(message | {"event_id": new_event_id()}, ensure_ascii=False)
