"""How much of a clip is speech, from its loudness alone: enough to notice a transcript that misses most of it."""

import numpy as np
from numpy.typing import NDArray

from chassis.audio import SAMPLE_RATE, Float32

FRAME_SAMPLES = SAMPLE_RATE // 50
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
MARGIN_DB = 10.0
"""Speech stands out from the quietest tenth of a clip by more than this; steady noise varies by less."""
MIN_LEVEL_DB = -55.0
"""Root-mean-square level under which nothing counts as speech, in dB of full scale."""
INAUDIBLE_DB = -120.0
SHORT_PAUSE_FRAMES = 10
FADING_FRAMES = 3

Mask = NDArray[np.bool_]


def levels_db(samples: Float32) -> Float32:
    """Level of each whole 20 ms frame of float32 [samples], in dB of full scale, float32 [samples // 320]."""
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.mean(np.square(frames, dtype=np.float32), axis=1)
    levels: Float32 = 10 * np.log10(np.maximum(power, 10 ** (INAUDIBLE_DB / 10)))
    return levels.astype(np.float32, copy=False)


def active_frames(samples: Float32) -> Mask:
    """Which of the clip's whole 20 ms frames are loud enough to be speech, bool [samples // 320]."""
    levels = levels_db(samples)
    if not len(levels):
        return np.zeros(0, np.bool_)
    threshold = max(float(np.quantile(levels, 0.1)) + MARGIN_DB, MIN_LEVEL_DB)
    return levels > threshold


def speech_seconds(samples: Float32) -> float:
    """Seconds of float32 [samples] at 16 kHz that are loud enough to be speech."""
    return float(np.count_nonzero(active_frames(samples))) * FRAME_S


def falls_silent(samples: Float32) -> bool:
    """Whether the newest 60 ms of float32 [samples] at 16 kHz are silent after something that was not."""
    active = active_frames(samples)
    return len(active) > FADING_FRAMES and not active[-FADING_FRAMES:].any() and bool(active.any())


def longest_sound(active: Mask) -> tuple[int, int] | None:
    """First frame of the longest sound in `active` and the one after its last; a pause up to 200 ms does not end it."""
    frames = np.flatnonzero(active)
    if not len(frames):
        return None
    sounds = np.split(frames, np.flatnonzero(np.diff(frames) > SHORT_PAUSE_FRAMES) + 1)
    longest = max(sounds, key=lambda sound: int(sound[-1] - sound[0]))
    return int(longest[0]), int(longest[-1]) + 1
