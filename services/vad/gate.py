"""The speech gate: speech probabilities in, the beginning and the end of speech out. Pure; time is counted in samples.

Two steps, as in a squelch. A Schmitt trigger calls each frame voiced or not: voiced at the threshold or above, and then
until the probability falls below a lower one. A debounce in both directions turns that into speech: voiced for
`min_speech` begins it, unvoiced for `stop_silence` ends it.
"""

from dataclasses import dataclass

HYSTERESIS = 0.15
"""How far below the threshold a voiced frame's probability may fall before the next one counts as unvoiced (Silero)."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began at sample `offset`; known at `decided_offset`, the end of the frame that decided it."""

    offset: int
    decided_offset: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The speech ended before sample `offset`; known at `decided_offset`, the end of the frame that decided it."""

    offset: int
    decided_offset: int


SpeechEvent = SpeechStarted | SpeechStopped


def release_threshold(threshold: float) -> float:
    """The probability below which a voiced frame becomes unvoiced: `HYSTERESIS` lower, but never under half of it.

    Half, because a threshold of at most `HYSTERESIS` would otherwise have no end of speech.
    """
    return max(threshold - HYSTERESIS, threshold / 2)


class SpeechGate:
    """Consecutive frames in, events out; started and stopped alternate and their offsets never go back.

    `threshold` is a probability; `min_speech` and `stop_silence` are samples; `start_offset` is the offset of the first
    frame's first sample on the session's timeline.
    """

    __slots__ = (
        "_changed_at",
        "_end",
        "_min_speech",
        "_release",
        "_speaking",
        "_stop_silence",
        "_threshold",
        "_voiced",
    )

    def __init__(self, threshold: float, min_speech: int, stop_silence: int, start_offset: int = 0) -> None:
        self._threshold = threshold
        self._release = release_threshold(threshold)
        self._min_speech = min_speech
        self._stop_silence = stop_silence
        self._end = start_offset
        self._changed_at = start_offset
        self._voiced = False
        self._speaking = False

    @property
    def end(self) -> int:
        """Offset after the last frame."""
        return self._end

    @property
    def silence(self) -> int:
        """Samples of silence since the speech that has not been reported as stopped; 0 where there is none."""
        return self._end - self._changed_at if self._speaking and not self._voiced else 0

    def push(self, probability: float, samples: int) -> SpeechEvent | None:
        """Judges the next frame of `samples` samples; the event that it decides, if any."""
        voiced = probability >= (self._release if self._voiced else self._threshold)
        if voiced is not self._voiced:
            self._voiced = voiced
            self._changed_at = self._end
        self._end += samples
        if voiced is self._speaking:
            return None
        lasted = self._end - self._changed_at
        if voiced and lasted >= self._min_speech:
            self._speaking = True
            return SpeechStarted(self._changed_at, self._end)
        if not voiced and lasted >= self._stop_silence:
            self._speaking = False
            return SpeechStopped(self._changed_at, self._end)
        return None

    def finish(self) -> SpeechStopped | None:
        """No frame will follow: speech that goes on ends here, or where it became unvoiced."""
        if not self._speaking:
            return None
        self._speaking = False
        return SpeechStopped(self._end if self._voiced else self._changed_at, self._end)
