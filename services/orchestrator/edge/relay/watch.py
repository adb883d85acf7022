"""What can be known of a relayed session from its events as they pass, in both generations of the protocol. Pure.

Times are seconds on a monotonic clock. Source of the events' fields: OpenAI's Realtime API.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import from_json

from services.orchestrator.edge.relay.replay import APPEND
from services.orchestrator.edge.relay.timeline import Timeline

Json = dict[str, Any]

CREATED = "session.created"
UPDATED = "session.updated"
CONVERSATION_CREATED = "conversation.created"
ERROR = "error"

_AUDIO = frozenset(("response.output_audio.delta", "response.audio.delta"))
_OUTPUT = _AUDIO | {
    "response.output_audio_transcript.delta",
    "response.audio_transcript.delta",
    "response.output_text.delta",
    "response.text.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
}
"""What cannot be taken back: a client may have played, shown or done it."""
_ITEM = frozenset(("conversation.item.added", "conversation.item.created", "conversation.item.done"))
_BYTES_PER_MS = {"audio/pcm": 48, "pcm16": 48, "audio/pcmu": 8, "audio/pcma": 8, "g711_ulaw": 8, "g711_alaw": 8}


class Outcome(StrEnum):
    """How a turn ended; the values of a metric's label."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answered:
    """The first audio of a reply, so long after the last speech."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A reply is over."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Complained:
    """The upstream sent an `error`."""


Finding = Answered | Ended | Complained


def read(frame: str | bytes) -> tuple[str, Json]:
    """Type and fields of an event; an empty type where the frame is no event, as no binary frame is."""
    if isinstance(frame, bytes):
        return "", {}
    try:
        data = from_json(frame)
    except ValueError:
        return "", {}
    kind = data.get("type") if isinstance(data, dict) else None
    return (kind, data) if isinstance(kind, str) else ("", {})


@dataclass(slots=True)
class Watch:
    """One connection to an upstream, from its `session.created` on."""

    has_output: bool = False
    """Whether something of a reply has been told."""
    spoken: bool = False
    """Whether the upstream has heard somebody speak."""
    detects_speech: bool = True
    """Whether the upstream finds out itself when somebody speaks."""
    _timeline: Timeline = field(default_factory=Timeline)
    _bytes_per_ms: int = 48
    _last_speech: float | None = None
    _responses: dict[str, Json] = field(default_factory=dict)
    _items: dict[str, None] = field(default_factory=dict)

    def sent(self, kind: str, event: Json, at: float) -> None:
        """The client's event, received at `at`, is on its way to the upstream."""
        audio = event.get("audio")
        if kind == APPEND and isinstance(audio, str):
            self._timeline.append(len(audio.rstrip("=")) * 3 / 4 / self._bytes_per_ms, at)

    def received(self, kind: str, event: Json, now: float) -> list[Finding]:
        """The upstream's event is on its way to the client."""
        if kind in _OUTPUT:
            self.has_output = True
            return self._audio(now) if kind in _AUDIO else []
        if kind in _ITEM:
            self._note_item(event)
            return []
        match kind:
            case "session.created" | "session.updated":
                self._configure(event.get("session"))
            case "input_audio_buffer.speech_started":
                self.spoken = True
                self._last_speech = None
            case "input_audio_buffer.speech_stopped":
                end = event.get("audio_end_ms")
                known = self._timeline.received_at(end) if isinstance(end, int | float) else None
                self._last_speech = self._timeline.latest if known is None else known
            case "input_audio_buffer.committed" if not self.detects_speech:
                self._last_speech = self._timeline.latest
            case "conversation.item.deleted":
                self._items.pop(str(event.get("item_id")), None)
            case "response.created":
                response = _object(event, "response")
                self._responses[str(response.get("id"))] = response
            case "response.done":
                return self._done(_object(event, "response"))
            case "error":
                return [Complained()]
        return []

    def forgotten(self) -> list[Json]:
        """What to tell the client of a connection that was lost before any output: open responses have failed, and the
        conversation is empty again until it is repeated."""
        error = {"type": "server_error", "code": "upstream_lost"}
        failed = {"status": "failed", "status_details": {"type": "failed", "error": error}, "output": []}
        return [
            *({"type": "response.done", "response": response | failed} for response in self._responses.values()),
            *({"type": "conversation.item.deleted", "item_id": item_id} for item_id in self._items),
        ]

    def _audio(self, now: float) -> list[Finding]:
        if self._last_speech is None:
            return []
        seconds, self._last_speech = now - self._last_speech, None
        return [Answered(seconds)]

    def _done(self, response: Json) -> list[Finding]:
        self._responses.pop(str(response.get("id")), None)
        status = response.get("status")
        # A reply may come whole.
        self.has_output |= status in ("completed", "incomplete")
        if status == "cancelled" and _object(response, "status_details").get("reason") == "turn_detected":
            return [Ended(Outcome.INTERRUPTED)]
        return [Ended(Outcome(status))] if status in list(Outcome) else []

    def _note_item(self, event: Json) -> None:
        item_id = _object(event, "item").get("id")
        if isinstance(item_id, str):
            self._items[item_id] = None

    def _configure(self, session: object) -> None:
        """What the session is now. The generations differ in where they say it."""
        if not isinstance(session, dict):
            return
        heard = _object(_object(session, "audio"), "input")
        detection = heard if "turn_detection" in heard else session
        self.detects_speech = detection.get("turn_detection", True) is not None
        named = session.get("input_audio_format") or _object(heard, "format").get("type")
        self._bytes_per_ms = _BYTES_PER_MS.get(str(named), self._bytes_per_ms)


def _object(of: Json, name: str) -> Json:
    value = of.get(name)
    return value if isinstance(value, dict) else {}
