"""What happened in one turn, from the client's side: events and instants in, a `Turn` out. Pure.

Instants are seconds on any one monotonic clock. Audio is PCM s16le, 24 kHz, mono.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chassis.audio import Int16
from client.events import (
    AudioDelta,
    ErrorEvent,
    PartialTranscript,
    ReplyTranscriptDelta,
    ReplyTranscriptDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    TranscriptionCompleted,
    TranscriptionDelta,
    TurnMarks,
)

SAMPLE_RATE = 24_000
"""Samples a second of Realtime audio, in hertz."""
BYTES_PER_SECOND = 2 * SAMPLE_RATE
AUDIBLE_DBFS = -45.0
"""Level of a window from which on it is heard: above the noise floor of a quiet room, below the softest consonants."""
_WINDOW = SAMPLE_RATE // 100
_AUDIBLE_RMS = 32_768 * 10 ** (AUDIBLE_DBFS / 20)
_INAUDIBLE_GAP_S = 0.01


@dataclass(frozen=True, slots=True)
class Gap:
    """Playback ran dry: `at_ms` into the reply, for `duration_ms`."""

    at_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its reply.

    `voice_to_voice_ms` runs from the last audible sample sent to the first audible sample heard, by a player that
    starts with the first sample it gets: silence at the head of a reply counts. None where nothing was heard, and where
    the reply began before the question was over (`cut_off`). `marks` are the server's own, in ms (see `TurnMarks`).
    """

    understood: str
    language: str
    answer: str
    reply_pcm: bytes
    status: str
    reason: str
    draft: str
    marks: Mapping[str, float]
    voice_to_voice_ms: float | None
    cut_off: bool
    gaps: tuple[Gap, ...]
    errors: tuple[ErrorEvent, ...]

    @property
    def reply_s(self) -> float:
        """Length of the reply's audio in seconds."""
        return len(self.reply_pcm) / BYTES_PER_SECOND

    @property
    def problem(self) -> str | None:
        """Why this is no reply that a person has heard in full; None where it is one."""
        if self.status != "completed":
            return f"the reply was {self.status}" + (f": {self.reason}" if self.reason else "")
        if not self.answer.strip():
            return "the reply has no words"
        if audible_span(self.reply_pcm) is None:
            return "the reply is silent"
        return None


def audible_span(pcm: bytes) -> tuple[int, int] | None:
    """Samples [first, last) that can be heard, in steps of 10 ms; None where all is below AUDIBLE_DBFS."""
    samples: Int16 = np.frombuffer(pcm, "<i2")
    if not len(samples):
        return None
    padded = np.pad(samples, (0, -len(samples) % _WINDOW)).astype(np.float32).reshape(-1, _WINDOW)
    audible = np.flatnonzero(np.sqrt(np.mean(padded**2, axis=1)) >= _AUDIBLE_RMS)
    if not len(audible):
        return None
    return int(audible[0]) * _WINDOW, min(int(audible[-1] + 1) * _WINDOW, len(samples))


@dataclass(slots=True)
class _Reply:
    """One response while it comes in, and an ideal player of it."""

    pcm: bytearray = field(default_factory=bytearray)
    text: str = ""
    heard_at: float | None = None
    dry_at: float | None = None
    gaps: list[Gap] = field(default_factory=list)
    done: ResponseDone | None = None
    marks: TurnMarks | None = None

    def play(self, pcm: bytes, now: float) -> None:
        start = now
        if self.dry_at is not None:
            start = max(now, self.dry_at)
            if now - self.dry_at > _INAUDIBLE_GAP_S:
                self.gaps.append(Gap(len(self.pcm) / BYTES_PER_SECOND * 1000, (now - self.dry_at) * 1000))
        self.dry_at = start + len(pcm) / BYTES_PER_SECOND
        self.pcm += pcm
        if self.heard_at is None and (span := audible_span(pcm)) is not None:
            self.heard_at = start + span[0] / SAMPLE_RATE


class TurnRecorder:
    """Keeps the books of one turn: `sent` every block of audio, `question_sent` once, `received` every event.

    A question with a long pause in it may be answered in between; the turn is over when a reply that was not
    interrupted ends after the whole question was sent, and it is this last reply that the `Turn` tells of.
    """

    def __init__(self) -> None:
        self._deltas: dict[str, str] = {}
        self._understood: dict[str, str] = {}
        self._replies: dict[str, _Reply] = {}
        self._errors: list[ErrorEvent] = []
        self._last_audible: float | None = None
        self._question_sent = False
        self._speech_seen = False
        self._final: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the whole question was sent and its reply has ended."""
        return self._final is not None and self._question_sent

    @property
    def understood(self) -> str:
        """The person's words as far as they are known."""
        return " ".join(text for text in map(str.strip, self._understood.values()) if text)

    @property
    def answer(self) -> str:
        """The latest reply's words as far as they are known."""
        return self._latest.text.strip()

    @property
    def progress(self) -> str:
        """How far the turn has come, as half a sentence."""
        if self._replies:
            return "a reply began but did not end"
        if self.understood:
            return f"“{self.understood}” was understood"
        return "speech was noticed but not understood" if self._speech_seen else "no speech was noticed"

    def sent(self, pcm: bytes, now: float) -> None:
        """Audio left at `now`, when its last sample had just been spoken."""
        span = audible_span(pcm)
        if span is not None:
            self._last_audible = now - (len(pcm) // 2 - span[1]) / SAMPLE_RATE
            self._final = None

    def question_sent(self) -> None:
        """All of the question is sent; what follows is silence."""
        self._question_sent = True

    def received(self, event: ServerEvent, now: float) -> None:
        """An event came in at `now`."""
        match event:
            case SpeechStarted():
                self._speech_seen = True
                self._final = None
            case TranscriptionDelta(item_id, delta):
                self._deltas[item_id] = self._deltas.get(item_id, "") + delta
                self._understood[item_id] = self._deltas[item_id]
            case PartialTranscript(item_id, stable, unstable):
                self._understood[item_id] = stable + unstable
            case TranscriptionCompleted(item_id, transcript):
                self._understood[item_id] = transcript
            case ResponseCreated(response_id):
                self._reply(response_id)
            case AudioDelta(response_id, pcm):
                self._reply(response_id).play(pcm, now)
            case ReplyTranscriptDelta(response_id, delta):
                self._reply(response_id).text += delta
            case ReplyTranscriptDone(response_id, transcript):
                self._reply(response_id).text = transcript
            case TurnMarks(response_id):
                self._reply(response_id).marks = event
            case ResponseDone(response_id, status, reason):
                self._reply(response_id).done = event
                # More speech cancelled it; the server answers that speech next.
                if not (status == "cancelled" and reason == "turn_detected"):
                    self._final = response_id
            case ErrorEvent():
                self._errors.append(event)
            case _:
                pass

    def turn(self) -> Turn:
        """The turn so far; the turn itself once `finished`."""
        reply = self._replies[self._final] if self._final is not None else self._latest
        latency = None
        if reply.heard_at is not None and self._last_audible is not None:
            latency = (reply.heard_at - self._last_audible) * 1000
        cut_off = latency is not None and latency < 0
        return Turn(
            understood=self.understood,
            language=reply.marks.language if reply.marks else "",
            answer=reply.text.strip(),
            reply_pcm=bytes(reply.pcm),
            status=reply.done.status if reply.done else "unfinished",
            reason=reply.done.reason if reply.done else "",
            draft=reply.marks.draft if reply.marks else "none",
            marks=reply.marks.marks if reply.marks else {},
            voice_to_voice_ms=None if cut_off else latency,
            cut_off=cut_off,
            gaps=tuple(reply.gaps),
            errors=tuple(self._errors),
        )

    @property
    def _latest(self) -> _Reply:
        return next(reversed(self._replies.values()), _Reply())

    def _reply(self, response_id: str) -> _Reply:
        return self._replies.setdefault(response_id, _Reply())
