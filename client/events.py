"""Server events of the OpenAI Realtime protocol (GA names) as typed values, read from their JSON.

Only what a voice client acts on has a type of its own; every other event is an `UnknownEvent`.
Origin: https://platform.openai.com/docs/api-reference/realtime-server-events. `PartialTranscript`, `TurnMarks`,
`PlayoutPaused` and `PlayoutResumed` are voxfleet's own, sent where the connection asked for `?extensions=voxfleet`.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

JsonObject: TypeAlias = Mapping[str, object]


class RealtimeError(Exception):
    """What goes wrong between the client and a Realtime server; its text is fit to be shown to a person."""


class ProtocolError(RealtimeError):
    """The server sent something that is not an event of the protocol."""


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The first event of a connection; `session` is the configuration in force."""

    session: JsonObject


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """A `session.update` took effect; `session` is the configuration in force."""

    session: JsonObject


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The person began to speak, `audio_start_ms` into the session's input audio."""

    item_id: str
    audio_start_ms: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The person stopped, `audio_end_ms` into the session's input audio."""

    item_id: str
    audio_end_ms: float


@dataclass(frozen=True, slots=True)
class InputCommitted:
    """The input audio became the conversation item `item_id`."""

    item_id: str


@dataclass(frozen=True, slots=True)
class TranscriptionDelta:
    """More text of what the person says, to be appended."""

    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """What the person has said so far; `unstable`, the end of it, may still change. voxfleet's own."""

    item_id: str
    stable: str
    unstable: str


@dataclass(frozen=True, slots=True)
class TranscriptionCompleted:
    """The whole text of what the person said; replaces the deltas."""

    item_id: str
    transcript: str


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """A reply begins."""

    response_id: str


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """The next piece of a reply's speech: PCM s16le, 24 kHz, mono. `item_id` is what it joins the conversation as."""

    response_id: str
    pcm: bytes
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class PlayoutPaused:
    """Somebody speaks: the loudspeaker is to stand still until the reply is resumed or done. voxfleet's own."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class PlayoutResumed:
    """Nothing was said: the loudspeaker is to go on where it stood. voxfleet's own."""

    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyTranscriptDelta:
    """More text of what a reply says, to be appended."""

    response_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ReplyTranscriptDone:
    """The whole text of what a reply says; replaces the deltas."""

    response_id: str
    transcript: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A reply ended. `status`: completed, cancelled, failed or incomplete; `reason` says why (empty if completed)."""

    response_id: str
    status: str
    reason: str
    usage: JsonObject


@dataclass(frozen=True, slots=True)
class ItemRetrieved:
    """An item of the conversation, as asked for. `text` is what is written in it, spoken or not."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The server could not do something. `client_event_id` names the client event at fault, `param` its field."""

    type: str
    code: str | None
    message: str
    param: str | None
    client_event_id: str | None


@dataclass(frozen=True, slots=True)
class TurnMarks:
    """When each step of a turn was reached: `marks` in milliseconds since the server got the last speech sample.

    Names, each of which may be missing: endpoint, transcript, generate, first_token, first_clause, first_audio,
    audio_sent. `draft` is "kept" where the reply had been prepared before the end of the turn was certain.
    """

    response_id: str
    user_item_id: str
    language: str
    draft: str
    marks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event that has no type of its own here."""

    type: str
    fields: JsonObject


ServerEvent: TypeAlias = (
    SessionCreated
    | SessionUpdated
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | TranscriptionDelta
    | PartialTranscript
    | TranscriptionCompleted
    | ResponseCreated
    | AudioDelta
    | PlayoutPaused
    | PlayoutResumed
    | ReplyTranscriptDelta
    | ReplyTranscriptDone
    | ResponseDone
    | ItemRetrieved
    | ErrorEvent
    | TurnMarks
    | UnknownEvent
)


class _Fields:
    """Typed access to one JSON object; a field of another type is a ProtocolError that names it."""

    def __init__(self, values: JsonObject, path: str) -> None:
        self.values = values
        self._path = path

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.values.get(name) is None else self.text(name)

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(name, "a number")
        return value

    def mapping(self, name: str) -> "_Fields":
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return _Fields(cast(JsonObject, value), f"{self._path}.{name}")

    def optional_mapping(self, name: str) -> "_Fields":
        return _Fields({}, f"{self._path}.{name}") if self.values.get(name) is None else self.mapping(name)

    def mappings(self, name: str) -> "list[_Fields]":
        values = self.values.get(name)
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self._wrong(name, "an array of objects")
        return [_Fields(cast(JsonObject, value), f"{self._path}.{name}[{at}]") for at, value in enumerate(values)]

    def pcm(self, name: str) -> bytes:
        try:
            pcm = base64.b64decode(self.text(name), validate=True)
        except binascii.Error as error:
            raise self._wrong(name, "base64") from error
        if len(pcm) % 2:
            raise self._wrong(name, "whole samples of 2 bytes")
        return pcm

    def _wrong(self, name: str, expected: str) -> ProtocolError:
        return ProtocolError(f"{self._path}.{name}: expected {expected}")


def _response_done(event: _Fields) -> ResponseDone:
    response = event.mapping("response")
    details = response.optional_mapping("status_details")
    failure = details.optional_mapping("error")
    reason = failure.optional_text("message") or failure.optional_text("code") or details.optional_text("reason")
    usage = response.optional_mapping("usage").values
    return ResponseDone(response.text("id"), response.text("status"), reason or "", usage)


def _item_retrieved(event: _Fields) -> ItemRetrieved:
    item = event.mapping("item")
    parts = [part.optional_text("transcript") or part.optional_text("text") or "" for part in item.mappings("content")]
    return ItemRetrieved(item.text("id"), " ".join(filter(None, parts)))


def _error(event: _Fields) -> ErrorEvent:
    error = event.mapping("error")
    return ErrorEvent(
        type=error.text("type"),
        code=error.optional_text("code"),
        message=error.text("message"),
        param=error.optional_text("param"),
        client_event_id=error.optional_text("event_id"),
    )


def _turn_marks(event: _Fields) -> TurnMarks:
    marks = event.mapping("marks")
    return TurnMarks(
        response_id=event.text("response_id"),
        user_item_id=event.optional_text("user_item_id") or "",
        language=event.optional_text("language") or "",
        draft=event.optional_text("draft") or "none",
        marks={name: marks.number(name) for name, value in marks.values.items() if value is not None},
    )


_READERS: Mapping[str, Callable[[_Fields], ServerEvent]] = {
    "session.created": lambda event: SessionCreated(event.mapping("session").values),
    "session.updated": lambda event: SessionUpdated(event.mapping("session").values),
    "input_audio_buffer.speech_started": lambda event: SpeechStarted(
        event.text("item_id"), event.number("audio_start_ms")
    ),
    "input_audio_buffer.speech_stopped": lambda event: SpeechStopped(
        event.text("item_id"), event.number("audio_end_ms")
    ),
    "input_audio_buffer.committed": lambda event: InputCommitted(event.text("item_id")),
    "conversation.item.input_audio_transcription.delta": lambda event: TranscriptionDelta(
        event.text("item_id"), event.text("delta")
    ),
    "conversation.item.input_audio_transcription.completed": lambda event: TranscriptionCompleted(
        event.text("item_id"), event.text("transcript")
    ),
    "response.created": lambda event: ResponseCreated(event.mapping("response").text("id")),
    "response.output_audio.delta": lambda event: AudioDelta(
        event.text("response_id"), event.pcm("delta"), event.optional_text("item_id") or ""
    ),
    "response.output_audio_transcript.delta": lambda event: ReplyTranscriptDelta(
        event.text("response_id"), event.text("delta")
    ),
    "response.output_audio_transcript.done": lambda event: ReplyTranscriptDone(
        event.text("response_id"), event.text("transcript")
    ),
    "response.done": _response_done,
    "conversation.item.retrieved": _item_retrieved,
    "error": _error,
    "voxfleet.transcript.partial": lambda event: PartialTranscript(
        event.text("item_id"), event.text("stable"), event.text("unstable")
    ),
    "voxfleet.turn.marks": _turn_marks,
    "voxfleet.playout.paused": lambda event: PlayoutPaused(event.text("response_id"), event.text("item_id")),
    "voxfleet.playout.resumed": lambda event: PlayoutResumed(event.text("response_id"), event.text("item_id")),
}


def parse_event(message: str | bytes) -> ServerEvent:
    """Reads one WebSocket message. Raises ProtocolError, naming the field and what was expected of it."""
    if isinstance(message, bytes):
        raise ProtocolError("expected a text message, got a binary one")
    try:
        values = json.loads(message)
    except ValueError as error:
        raise ProtocolError(f"expected JSON: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("type"), str):
        raise ProtocolError("expected a JSON object with a string `type`")
    kind: str = values["type"]
    reader = _READERS.get(kind)
    return UnknownEvent(kind, values) if reader is None else reader(_Fields(values, kind))
