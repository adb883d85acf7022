"""What the server says in the plain protocol, as typed values. The protocol: docs/plain-protocol.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from client.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes: sound beyond the last acknowledgement, sound that waits for the session, the longest gap
    that becomes silence, the largest frame, the longest text; how often it pings, and how long it hears nothing."""

    window_ms: int
    queue_ms: int
    gap_ms: int
    frame_bytes: int
    text_characters: int
    ping_interval_s: float
    idle_timeout_s: float


@dataclass(frozen=True, slots=True)
class Session:
    """The first message: formats, limits and configuration."""

    session_id: str
    audio: Mapping[str, Any]
    limits: Limits
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configured:
    """A `configure` took effect; `config` is what holds now."""

    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The person began to speak, `at_ms` into the session's audio."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The person's turn ended, `at_ms` into the session's audio."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Partial:
    """What the person has said so far; `unstable`, the end of it, may still change."""

    stable: str
    unstable: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the person said; empty where nothing was understood."""

    item_id: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """A reply begins; `item_id` is what reports of its playout name."""

    reply_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyText:
    """More of a reply's words; their audio follows."""

    reply_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """More of the audio of the reply that began last: PCM s16le mono 24 kHz, from sample `position` of the reply on."""

    item_id: str
    position: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    """Somebody speaks: the loudspeaker is to stand still."""

    reply_id: str


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """Nothing was said: the loudspeaker is to go on where it stood."""

    reply_id: str


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """A reply ended: `completed`, `cancelled` or `failed`. `heard` is what the history holds of it.

    Unless it is completed, audio that was not played is to be thrown away.
    """

    reply_id: str
    status: str
    reason: str | None
    heard: str


@dataclass(frozen=True, slots=True)
class Marks:
    """When what happened in a turn, in milliseconds since its last speech."""

    reply_id: str
    language: str
    draft: bool
    marks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ack:
    """The server has all frames up to `sequence`, `position` samples in all; it takes `window_ms` more."""

    sequence: int
    position: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """The server threw `ms` of audio away: `input_overflow`, `old_sequence` or `overlap`."""

    reason: str
    ms: float


@dataclass(frozen=True, slots=True)
class AudioGap:
    """Audio was missing: `silence_ms` of silence stand for it, `skipped_ms` more do not."""

    silence_ms: float
    skipped_ms: float


@dataclass(frozen=True, slots=True)
class Ping:
    """The server asks whether the client is there."""

    id: str | None = None
    sent_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the client's own ping."""

    id: str | None = None
    sent_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An `error`: something could not be done; the session goes on. `field` is what was wrong, `stage` what failed."""

    code: str
    message: str
    field: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a kind that is not known here; newer servers may have some."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)


Event: TypeAlias = (
    Session
    | Configured
    | SpeechStarted
    | SpeechStopped
    | Partial
    | Transcript
    | ReplyStarted
    | ReplyText
    | ReplyAudio
    | ReplyPaused
    | ReplyResumed
    | ReplyDone
    | Marks
    | Ack
    | AudioDropped
    | AudioGap
    | Ping
    | Pong
    | Failure
    | Unknown
)

KINDS: Mapping[str, TypeAdapter[Event]] = {
    "session": TypeAdapter(Session),
    "configured": TypeAdapter(Configured),
    "speech_started": TypeAdapter(SpeechStarted),
    "speech_stopped": TypeAdapter(SpeechStopped),
    "partial": TypeAdapter(Partial),
    "transcript": TypeAdapter(Transcript),
    "reply_started": TypeAdapter(ReplyStarted),
    "reply_text": TypeAdapter(ReplyText),
    "reply_paused": TypeAdapter(ReplyPaused),
    "reply_resumed": TypeAdapter(ReplyResumed),
    "reply_done": TypeAdapter(ReplyDone),
    "marks": TypeAdapter(Marks),
    "ack": TypeAdapter(Ack),
    "audio_dropped": TypeAdapter(AudioDropped),
    "audio_gap": TypeAdapter(AudioGap),
    "ping": TypeAdapter(Ping),
    "pong": TypeAdapter(Pong),
    "error": TypeAdapter(Failure),
}
"""Every kind of message of the server, and what reads it."""


def parse_text(frame: str) -> Event:
    """A text frame as an event. Raises ProtocolError where it is none."""
    try:
        message = json.loads(frame)
    except ValueError as problem:
        raise ProtocolError(f"expected JSON: {problem}") from problem
    if not isinstance(message, dict) or not isinstance(kind := message.get("type"), str):
        raise ProtocolError("expected a JSON object with a type")
    fields = {name: value for name, value in message.items() if name != "type"}
    if (adapter := KINDS.get(kind)) is None:
        return Unknown(kind, fields)
    try:
        return adapter.validate_python(fields)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ProtocolError(f"{kind}: {at}: {first['msg']}") from problem
