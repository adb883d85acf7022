"""The silence around speech taken off while the speech still comes. Pure."""

import numpy as np
from numpy.typing import NDArray

from chassis.audio import Float32, ms_to_samples
from services.tts.edges import FADE_MS, LEAD_IN_MS, SILENCE_DB, STRETCH_MS, TAIL_MS

SPEECH_DBFS = -40.0
"""A stretch this loud is speech, whatever comes later."""
FLOOR_DBFS = -55.0
"""A stretch below this is silence while it is not known yet how loud the voice is. Soft onsets lie above it."""
LONGEST_HELD_MS = 1_500.0
"""A pause inside speech is held back so long, because it may be the silence after the end."""


class StreamTrimmer:
    """Takes float32 samples as they come and gives those from just before the first sound to just after the last.

    What it gives ends where a sound ends; silence is held until the next sound shows that it was a pause.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._stretch = ms_to_samples(STRETCH_MS, sample_rate)
        self._held: Float32 = np.zeros(0, np.float32)
        self._loudest = 0.0
        self._begun = False

    def push(self, samples: Float32) -> Float32:
        """What is certain to be heard now."""
        self._held = np.concatenate((self._held, samples))
        loud = self._loud()
        longest = ms_to_samples(LONGEST_HELD_MS, self._rate)
        if not self._begun:
            if self._loudest < _power(SPEECH_DBFS):
                self._held = self._held[-longest:]
                return self._held[:0]
            self._begun = True
            start = max(0, int(loud[0]) * self._stretch - ms_to_samples(LEAD_IN_MS, self._rate))
            self._held = _ramped(self._held[start:], ms_to_samples(FADE_MS, self._rate)) if start else self._held
            loud = self._loud()
        end = (int(loud[-1]) + 1) * self._stretch if len(loud) else 0
        if len(self._held) - end > longest:
            end = len(self._held)
        given, self._held = self._held[:end], self._held[end:]
        return given

    def flush(self) -> Float32:
        """The room after the last sound, faded out; empty where there was no sound."""
        tail = self._held[: ms_to_samples(TAIL_MS, self._rate)] if self._begun else self._held[:0]
        self._held = self._held[:0]
        return _ramped(tail[::-1], ms_to_samples(FADE_MS, self._rate))[::-1]

    def _loud(self) -> NDArray[np.intp]:
        """The numbers of the stretches of what is held that are no silence."""
        whole = len(self._held) // self._stretch * self._stretch
        power = np.mean(np.square(self._held[:whole].reshape(-1, self._stretch), dtype=np.float64), axis=1)
        self._loudest = max(self._loudest, float(power.max(initial=0.0)))
        found: NDArray[np.intp] = np.flatnonzero(power >= max(self._loudest * _power(SILENCE_DB), _power(FLOOR_DBFS)))
        return found


def _power(decibels: float) -> float:
    return float(10 ** (decibels / 10))


def _ramped(samples: Float32, length: int) -> Float32:
    """A copy that rises from silence within `length` samples."""
    smooth = samples.copy()
    length = min(length, len(smooth))
    smooth[:length] *= np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
    return smooth
