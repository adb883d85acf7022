"""The marks of one turn: when each thing happened, counted from the last speech sample received. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum


class Mark(StrEnum):
    """A moment of a turn, in the order in which they happen without drafts."""

    ENDPOINT = "endpoint"
    """The turn was decided to be over."""
    FLUSH = "flush"
    """The text was asked for."""
    TRANSCRIPT = "transcript"
    """The text was known."""
    GENERATE = "generate"
    """The language model was asked."""
    FIRST_TOKEN = "first_token"  # noqa: S105  # a moment, not a secret
    """It began to answer."""
    FIRST_CLAUSE = "first_clause"
    """There was something to say."""
    FIRST_AUDIO = "first_audio"
    """There was something to hear."""
    AUDIO_SENT = "audio_sent"
    """It was sent."""


# The stages of the latency histogram: from which mark to which.
STAGES = {
    "stt": (Mark.FLUSH, Mark.TRANSCRIPT),
    "llm": (Mark.GENERATE, Mark.FIRST_TOKEN),
    "tts": (Mark.FIRST_CLAUSE, Mark.FIRST_AUDIO),
}


@dataclass(slots=True)
class TurnMarks:
    """Times of one turn on a monotonic clock, in seconds. `last_speech` is None where no speech began the turn."""

    last_speech: float | None = None
    draft: bool = False
    times: dict[Mark, float] = field(default_factory=dict)

    def set(self, mark: Mark, now: float) -> None:
        """Notes `mark`, the first time only."""
        self.times.setdefault(mark, now)

    def since_speech_ms(self) -> dict[str, float]:
        """Every mark in milliseconds since the last speech sample was received; empty without speech."""
        if self.last_speech is None:
            return {}
        return {mark.value: round((time - self.last_speech) * 1000, 1) for mark, time in self.times.items()}

    def stage_seconds(self) -> dict[str, float]:
        """What each stage of `voxfleet_stage_latency_seconds` took in this turn."""
        seconds = {
            stage: self.times[end] - self.times[start]
            for stage, (start, end) in STAGES.items()
            if start in self.times and end in self.times
        }
        if self.last_speech is not None:
            for stage, mark in (("endpoint", Mark.ENDPOINT), ("voice_to_voice", Mark.AUDIO_SENT)):
                if mark in self.times:
                    seconds[stage] = self.times[mark] - self.last_speech
        return seconds
