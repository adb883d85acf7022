"""The OpenAI Realtime protocol over one session, in either dialect. Knows no socket: frames in, frames out."""

import asyncio
import json
import time
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import from_json
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator import events
from services.orchestrator.conversation import Item, UnknownItemError
from services.orchestrator.edge.connection import Frame
from services.orchestrator.edge.realtime import client_events as client
from services.orchestrator.edge.realtime import items, updates, views
from services.orchestrator.edge.realtime.audio_formats import AudioFormat, Decoder
from services.orchestrator.edge.realtime.dialect import Dialect
from services.orchestrator.edge.realtime.refusals import RefusedError
from services.orchestrator.edge.realtime.server_events import ServerEvents, error, new_event_id
from services.orchestrator.edge.realtime.views import Json
from services.orchestrator.edge.validation import explain
from services.orchestrator.edge.voices import VoiceCatalogue
from services.orchestrator.ids import new_id
from services.orchestrator.session import Session

# How long a session may last, as the protocol announces it.
_LIFETIME_S = 3_600
# An append may be minutes long: it is decoded by pieces, in between which the session takes what it can.
_PIECE_BYTES = 48_000


class RealtimeProtocol:
    """One connection. `model` is the name that the client asked for; it is told back, whatever model answers.

    `audio` is what the connection begins with instead of the defaults: formats, and whether the person's words are
    sent.
    """

    def __init__(
        self,
        session: Session,
        voices: VoiceCatalogue,
        dialect: Dialect,
        *,
        model: str,
        extensions: bool,
        audio: client.Audio | None = None,
    ) -> None:
        self._session = session
        self._voices = voices
        self._dialect = dialect
        self._model = model
        self._out = ServerEvents(new_id("conv"), extensions)
        self._decoder = Decoder(AudioFormat.PCM)
        self._expires_at = int(time.time()) + _LIFETIME_S
        if audio is not None:
            self._take_audio(audio)

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

    def clear_output_audio(self) -> list[Json]:
        """What answers `output_audio_buffer.clear`. Raises RefusedError: here the client itself holds what it plays."""
        message = "output_audio_buffer.clear: expected over WebRTC only, where the server holds what is played"
        raise RefusedError("invalid_value", message, "type")

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
                self._session.commit_audio(event.event_id)
                return []
            case client.AudioClear():
                self._session.clear_audio()
                return [{"type": "input_audio_buffer.cleared"}]
            case client.OutputAudioClear():
                return self.clear_output_audio()
            case client.SessionUpdate():
                return await self._update(event.session)
            case client.ItemCreate():
                await self._create_item(event)
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
                await self._create_response(event)
                return []
            case client.ResponseCancel():
                self._session.cancel_response(event.response_id, event.event_id)
                return []
            case client.PlayoutPosition():
                self._session.report_playout(event.item_id, event.audio_ms, playing=event.playing)
                return []

    async def _update(self, body: client.SessionUpdateBody) -> list[Json]:
        config = updates.updated(self._session.config, body)
        await self._check_voice(config.voice, "session.audio.output.voice")
        _check_tools(config.tools, config.tool_choice, "session.tool_choice.name")
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
        samples = items.decoded(audio, "audio", self._decoder.format)
        for start in range(0, len(samples), _PIECE_BYTES):
            await self._session.append_audio(self._decoder.push(samples[start : start + _PIECE_BYTES]))

    async def _create_response(self, event: client.ResponseCreate) -> None:
        body = event.response
        overrides = updates.overrides(body, self._input(body.input) if body is not None else None)
        await self._check_voice(overrides.voice or "", "response.audio.output.voice")
        config = self._session.config
        tools = config.tools if overrides.tools is None else overrides.tools
        choice = config.tool_choice if overrides.tool_choice is None else overrides.tool_choice
        _check_tools(tools, choice, "response.tool_choice.name")
        self._session.create_response(overrides, event.event_id)

    def _input(self, wishes: list[client.InputItem] | None) -> tuple[Item | str, ...] | None:
        """The items of a response's own input, and ids of those of the conversation."""
        if wishes is None:
            return None
        return tuple(self._input_item(wish, f"response.input.{at}") for at, wish in enumerate(wishes))

    def _input_item(self, wish: client.InputItem, path: str) -> Item | str:
        if isinstance(wish, client.ItemReference):
            return self._item(wish.id, f"{path}.id").id
        if audio := items.audio_of(wish, path, self._decoder.format):
            param = f"{path}.content.{min(audio)}.audio"
            expected = "none here: add the audio by conversation.item.create, and refer to it by item_reference"
            raise RefusedError.invalid(param, expected)
        return items.item(wish, path)

    async def _create_item(self, event: client.ItemCreate) -> None:
        created = items.item(event.item, "item")
        audio_format = self._decoder.format
        audio = items.audio_of(event.item, "item", audio_format)
        recordings = {}
        for at, samples in audio.items():
            self._check_length(samples, sum(map(len, audio.values())), f"item.content.{at}.audio")
            recordings[at] = await asyncio.to_thread(items.pcm, samples, audio_format)
        self._check_place(created.id, event.previous_item_id)
        self._session.add_item(created, event.previous_item_id, recordings)

    def _check_place(self, item_id: str, previous: str | None) -> None:
        conversation = self._session.conversation
        if item_id in conversation:
            raise RefusedError(
                "item_id_taken", f"item.id: expected a new id, got {item_id!r}, which is taken", "item.id"
            )
        if previous is not None and previous != "root":
            self._item(previous, "previous_item_id")

    def _check_length(self, samples: bytes, all_bytes: int, param: str) -> None:
        if not samples:
            raise RefusedError("invalid_audio", f"{param}: expected some audio, got none", param)
        audio_format = self._decoder.format
        length_s = all_bytes / audio_format.sample_bytes / audio_format.rate
        if length_s > (room_s := self._session.recording_room_s):
            message = f"{param}: expected at most {room_s:.1f} s of audio to transcribe now, got {length_s:.1f} s"
            raise RefusedError("audio_too_long", message, param)

    def _truncate(self, event: client.ItemTruncate) -> list[Json]:
        self._item(event.item_id)
        try:
            self._session.truncate(event.item_id, event.audio_end_ms)
        except LookupError:
            message = "item_id: expected a spoken reply of this session's last ones"
            raise RefusedError("item_not_truncatable", message, "item_id") from None
        truncated = {"item_id": event.item_id, "content_index": 0, "audio_end_ms": event.audio_end_ms}
        return [{"type": "conversation.item.truncated"} | truncated]

    def _item(self, item_id: str, param: str = "item_id") -> Item:
        try:
            return self._session.conversation.get(item_id)
        except UnknownItemError:
            message = f"{param}: expected an item of this conversation, got {item_id!r}"
            raise RefusedError("item_not_found", message, param) from None

    async def _check_voice(self, name: str, path: str) -> None:
        if expected := await self._voices.expected_instead(name):
            raise RefusedError.invalid(self._dialect.field(path), expected)

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


def _check_tools(tools: Iterable[llm_pb2.Tool], choice: llm_pb2.ToolChoice, param: str) -> None:
    if missing := updates.tool_that_is_not_there(tools, choice):
        raise RefusedError.invalid(param, f"the name of one of the tools, got {missing!r}")
