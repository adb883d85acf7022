"""Lengths of audio that the model sees at once: contexts for the encoder, windows of a long utterance."""

from collections.abc import Sequence

import numpy as np

from chassis.audio import SAMPLE_RATE, Float32
from services.stt.activity import FRAME_SAMPLES, levels_db

CONTEXTS_S = (5, 6, 7, 8, 10, 12, 15, 18, 22, 26, 30)
"""Encoder contexts in seconds. Few, so that clips of different sessions can share a batch."""
COARSE_CONTEXTS_S = (7, 10, 15, 22, 30)
"""The same for a device that runs a full batch in hardly more time than one clip: fewer, so that batches are full."""
MAX_CONTEXT_S = CONTEXTS_S[-1]
"""What Whisper was trained on; also its most."""
MARGIN_S = 2.5
"""Silence that the decoder needs to see after the speech: with less it loses or repeats words."""
RETRY_CONTEXT_S = 15
"""The shortest context whose transcripts are as good as those of the full one."""

WINDOW_SAMPLES = 15 * SAMPLE_RATE
"""More audio than this is not transcribed at once: its beginning is settled, up to a pause, and left behind."""
EARLIEST_CUT = 7 * SAMPLE_RATE
LATEST_CUT = 14 * SAMPLE_RATE
PAUSE_SAMPLES = SAMPLE_RATE // 5


def short_context(seconds: float, contexts: Sequence[int] = CONTEXTS_S) -> int:
    """The one of `contexts` for a clip of `seconds`: the smallest that leaves the margin, else the longest."""
    return next((context for context in contexts if context >= seconds + MARGIN_S), MAX_CONTEXT_S)


def retry_context(seconds: float, tried: int) -> int:
    """The context for a second try at a clip of `seconds`, after `tried` gave a doubtful transcript."""
    enough = tried < RETRY_CONTEXT_S and seconds + MARGIN_S <= RETRY_CONTEXT_S
    return RETRY_CONTEXT_S if enough else MAX_CONTEXT_S


def quietest_cut(samples: Float32, earliest: int, latest: int) -> int:
    """Where to cut float32 [samples] so that the least is lost: the middle of the quietest 200 ms in the range.

    `earliest` and `latest` are sample offsets of the cut. Of equally quiet places the last is taken.
    """
    half = PAUSE_SAMPLES // 2
    levels = levels_db(samples[earliest - half : latest + half])
    width = PAUSE_SAMPLES // FRAME_SAMPLES
    loudness = np.convolve(levels, np.full(width, 1 / width, np.float32), "valid")
    quietest = len(loudness) - 1 - int(np.argmin(loudness[::-1]))
    return earliest - half + quietest * FRAME_SAMPLES + half
