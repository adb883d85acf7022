"""Where speech begins and ends in a synthesised signal, and edges that do not click. Pure."""

import numpy as np
from numpy.typing import NDArray

from chassis.audio import Float32, ms_to_samples

SILENCE_DB = -40.0
"""A stretch this far below the loudest one is silence. The models' own silence lies below -60 dB, an [h] or [f] at the
start of a word above -35 dB."""
SHORTEST_SILENCE_MS = 60.0
"""A shorter gap inside speech may be the closure of a [p], [t] or [k]."""
STRETCH_MS = 5.0
"""Resolution of the search."""
LEAD_IN_MS = 10.0
"""Kept before the first stretch that is loud enough: the breath of a soft onset."""
TAIL_MS = 40.0
"""Kept after the last one: the room of a final vowel."""
FADE_MS = 5.0
"""Long enough that a cut makes no click, too short to be heard as a fade."""


def speech_bounds(samples: Float32, sample_rate: int) -> tuple[int, int]:
    """First sample of the speech in `samples`, float32 [n], and the one after its last; (0, 0) where all is silence."""
    stretch = ms_to_samples(STRETCH_MS, sample_rate)
    loud = np.flatnonzero(_loud(samples, stretch))
    if not len(loud):
        return 0, 0
    start = int(loud[0]) * stretch - ms_to_samples(LEAD_IN_MS, sample_rate)
    stop = (int(loud[-1]) + 1) * stretch + ms_to_samples(TAIL_MS, sample_rate)
    return max(0, start), min(len(samples), stop)


def silences(samples: Float32, sample_rate: int) -> list[tuple[int, int]]:
    """Every stretch of silence of at least `SHORTEST_SILENCE_MS`: its first sample and the one after its last."""
    stretch = ms_to_samples(STRETCH_MS, sample_rate)
    borders = np.flatnonzero(np.diff(_loud(samples, stretch).astype(np.int8), prepend=1, append=1)) * stretch
    shortest = ms_to_samples(SHORTEST_SILENCE_MS, sample_rate)
    pairs = zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True)
    return [(start, stop) for start, stop in pairs if stop - start >= shortest]


def _loud(samples: Float32, stretch: int) -> NDArray[np.bool_]:
    """For every `stretch` samples whether they are not silence."""
    whole = len(samples) // stretch * stretch
    power = np.mean(np.square(samples[:whole].reshape(-1, stretch), dtype=np.float64), axis=1)
    loudest = power.max(initial=0.0)
    loud: NDArray[np.bool_] = (power >= loudest * 10 ** (SILENCE_DB / 10)) & (loudest > 0.0)
    return loud


def faded(samples: Float32, sample_rate: int) -> Float32:
    """A copy that rises from and falls to silence within `FADE_MS`."""
    length = min(ms_to_samples(FADE_MS, sample_rate), len(samples) // 2)
    smooth = samples.copy()
    if length:
        ramp = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
        smooth[:length] *= ramp
        smooth[-length:] *= ramp[::-1]
    return smooth
