"""Server events of the OpenAI Realtime protocol (GA names) as typed values; `client.event_reader` reads them.

Only what a voice client acts on has a type of its own; every other event is an `UnknownEvent`.
Origin: https://platform.openai.com/docs/api-reference/realtime-server-events. `PartialTranscript`, `TurnMarks`,
`PlayoutPaused` and `PlayoutResumed` are voxfleet's own, sent where the connection asked for `?extensions=voxfleet`;
`Reconnected` is the client's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from client.items import Item

JsonObject: TypeAlias = Mapping[str, object]


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
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class ReplyTranscriptDone:
    """The whole text of what a reply says; replaces the deltas."""

    response_id: str
    transcript: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class ReplyTextDelta:
    """More of a reply that is written and not spoken, to be appended."""

    response_id: str
    delta: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class ReplyTextDone:
    """The whole text of a reply that is written and not spoken; replaces the deltas."""

    response_id: str
    text: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A reply calls the function `name`; `arguments` is JSON. The answer goes out with `send_tool_output`."""

    response_id: str
    item_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A reply ended. `status`: completed, cancelled, failed or incomplete; `reason` says why (empty if completed)."""

    response_id: str
    status: str
    reason: str
    usage: JsonObject


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """An item joined the conversation; a reply's has no text yet."""

    item: Item


@dataclass(frozen=True, slots=True)
class ItemDone:
    """An item is complete: of a reply that was interrupted, `item.text` is what was heard of it."""

    item: Item


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    """An item left the conversation."""

    item_id: str


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
class Reconnected:
    """The connection was lost (`reason`) and opened again after `after_s` seconds, in a new session: the client's own.

    The configuration is in force again, and the last `items` items are in the conversation. A reply that was in
    progress has ended without a `ResponseDone`. `unanswered` says whether the last word is not the server's: then
    `respond` asks for it.
    """

    reason: str
    after_s: float
    items: int
    unanswered: bool


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
    | ReplyTextDelta
    | ReplyTextDone
    | FunctionCall
    | ResponseDone
    | ItemAdded
    | ItemDone
    | ItemDeleted
    | ItemRetrieved
    | ErrorEvent
    | TurnMarks
    | Reconnected
    | UnknownEvent
)


def describe_error(event: ErrorEvent) -> str:
    """An error event on one line: code, field, message."""
    field = event.param if event.param and not event.message.startswith(event.param) else None
    return ": ".join(part for part in (event.code or event.type, field, event.message) if part)
