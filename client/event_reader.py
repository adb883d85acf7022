"""Server events out of their JSON: pure."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import cast

from client.errors import ProtocolError
from client.events import (
    AudioDelta,
    ErrorEvent,
    FunctionCall,
    InputCommitted,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    JsonObject,
    PartialTranscript,
    PlayoutPaused,
    PlayoutResumed,
    ReplyTextDelta,
    ReplyTextDone,
    ReplyTranscriptDelta,
    ReplyTranscriptDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TranscriptionCompleted,
    TranscriptionDelta,
    TurnMarks,
    UnknownEvent,
)
from client.items import Item


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


def _item(event: _Fields) -> Item:
    item = event.mapping("item")
    kind = item.optional_text("type") or "message"
    parts = item.mappings("content") if kind == "message" else []
    texts = [part.optional_text("transcript") or part.optional_text("text") or "" for part in parts]
    return Item(
        id=item.optional_text("id") or "",
        type=kind,
        role=item.optional_text("role") or "",
        text=item.optional_text("output") or " ".join(filter(None, texts)),
        name=item.optional_text("name") or "",
        call_id=item.optional_text("call_id") or "",
        arguments=item.optional_text("arguments") or "",
    )


def _item_retrieved(event: _Fields) -> ItemRetrieved:
    item = _item(event)
    return ItemRetrieved(item.id, item.text)


def _function_call(event: _Fields) -> FunctionCall:
    return FunctionCall(
        response_id=event.text("response_id"),
        item_id=event.text("item_id"),
        call_id=event.text("call_id"),
        name=event.text("name"),
        arguments=event.text("arguments"),
    )


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
        event.text("response_id"), event.text("delta"), event.optional_text("item_id") or ""
    ),
    "response.output_audio_transcript.done": lambda event: ReplyTranscriptDone(
        event.text("response_id"), event.text("transcript"), event.optional_text("item_id") or ""
    ),
    "response.output_text.delta": lambda event: ReplyTextDelta(
        event.text("response_id"), event.text("delta"), event.optional_text("item_id") or ""
    ),
    "response.output_text.done": lambda event: ReplyTextDone(
        event.text("response_id"), event.text("text"), event.optional_text("item_id") or ""
    ),
    "response.function_call_arguments.done": _function_call,
    "response.done": _response_done,
    "conversation.item.added": lambda event: ItemAdded(_item(event)),
    "conversation.item.done": lambda event: ItemDone(_item(event)),
    "conversation.item.deleted": lambda event: ItemDeleted(event.text("item_id")),
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
