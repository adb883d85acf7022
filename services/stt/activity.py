"""Where a clip has sound, from its loudness alone: enough to notice that a transcript misses most of it, or that the
newest audio adds nothing to it."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, Float32, pcm_to_float

FRAME_SAMPLES = SAMPLE_RATE // 50
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
MARGIN_DB = 10.0
"""Speech stands out from the quietest tenth of a clip by more than this; steady noise varies by less."""
MIN_LEVEL_DB = -55.0
"""Root-mean-square level under which nothing counts as speech, in dB of full scale."""
INAUDIBLE_DB = -120.0
SHORT_PAUSE_FRAMES = 10
LEAST_MARGIN_DB = 5.0
TRACKED_FRAMES = 250
"""What a tracker takes the background from: the last 5 s."""

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


def longest_sound(active: Mask) -> tuple[int, int] | None:
    """First frame of the longest sound in `active` and the one after its last; a pause up to 200 ms does not end it."""
    frames = np.flatnonzero(active)
    if not len(frames):
        return None
    sounds = np.split(frames, np.flatnonzero(np.diff(frames) > SHORT_PAUSE_FRAMES) + 1)
    longest = max(sounds, key=lambda sound: int(sound[-1] - sound[0]))
    return int(longest[0]), int(longest[-1]) + 1


class SoundTracker:
    """Where the newest sound of growing audio ends. Sound stands out from the quietest tenth of the last 5 s by half of
    what the loudest does, between 5 and 10 dB; so it is found in noise as well."""

    def __init__(self) -> None:
        self.end = 0
        """Offset in samples after the last sound, to a frame of 20 ms; 0 where there was none."""
        self._frames = 0
        self._levels: deque[float] = deque(maxlen=TRACKED_FRAMES)
        self._rest = b""

    def accept(self, pcm: bytes) -> None:
        """Takes the next whole samples of PCM s16le at 16 kHz."""
        pcm = self._rest + pcm
        whole = len(pcm) // (FRAME_SAMPLES * BYTES_PER_SAMPLE)
        split = whole * FRAME_SAMPLES * BYTES_PER_SAMPLE
        self._rest = pcm[split:]
        if not whole:
            return
        levels = levels_db(pcm_to_float(pcm[:split]))
        self._levels.extend(levels.tolist())
        known = np.fromiter(self._levels, np.float32)
        background = float(np.quantile(known, 0.1))
        margin = float(np.clip((known.max() - background) / 2, LEAST_MARGIN_DB, MARGIN_DB))
        loud = np.flatnonzero(levels > max(background + margin, MIN_LEVEL_DB))
        if len(loud):
            self.end = (self._frames + int(loud[-1]) + 1) * FRAME_SAMPLES
        self._frames += whole
