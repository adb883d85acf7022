"""Codes in, a frame at a time; audio out, in chunks that join without a seam. Pure.

A codec's decoder looks back: what a frame sounds like depends on the frames before it. So each chunk is decoded
together with the frames before it, whose audio is thrown away, and its start is blended with the same stretch as the
chunk before decoded it. With as much context as the decoder looks back, the chunks are what the whole would be.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from chassis.audio import Float32

Codes: TypeAlias = NDArray[np.int64]
Decode: TypeAlias = Callable[[Codes], Float32]
"""A codec's decoder: codes [codebooks, frames] to samples [frames * frame_samples]. Causal: it never looks ahead."""


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """Frames of the first chunk and of the longest one (each is at most twice the one before), frames of left context,
    and the samples over which two chunks are blended. Raises ValueError where they do not fit together."""

    first: int
    longest: int
    context: int
    fade_samples: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.longest:
            raise ValueError(f"first chunk: expected 1 to {self.longest} frames, got {self.first}")
        if self.context < 1:
            raise ValueError(f"left context: expected at least 1 frame, got {self.context}")
        if self.fade_samples < 0:
            raise ValueError(f"fade: expected at least 0 samples, got {self.fade_samples}")


class StreamingDecoder:
    """Decodes one utterance. Holds at most `context + longest` frames and `fade_samples` samples, however long."""

    def __init__(self, decode: Decode, frame_samples: int, plan: ChunkPlan) -> None:
        if plan.fade_samples > frame_samples:
            raise ValueError(f"fade: expected at most a frame, {frame_samples} samples, got {plan.fade_samples}")
        self._decode = decode
        self._frame_samples = frame_samples
        self._plan = plan
        self._recent: deque[Codes] = deque(maxlen=plan.context + plan.longest)
        self._fresh = 0
        self._due = plan.first
        self._tail: Float32 = np.zeros(0, np.float32)

    def push(self, frame: Codes) -> Float32:
        """Adds a frame, [codebooks]; returns what can be heard now: nothing until a chunk is complete."""
        self._recent.append(frame)
        self._fresh += 1
        if self._fresh < self._due:
            return np.zeros(0, np.float32)
        self._due = min(2 * self._due, self._plan.longest)
        samples = self._fresh_samples()
        heard = len(samples) - self._plan.fade_samples
        self._tail = samples[heard:]
        return samples[:heard]

    def flush(self) -> Float32:
        """The rest of the utterance."""
        samples = self._fresh_samples() if self._fresh else self._tail
        self._tail = np.zeros(0, np.float32)
        return samples

    def _fresh_samples(self) -> Float32:
        """The fresh frames decoded, and before them the tail of the last chunk blended with their version of it."""
        window = list(self._recent)[-(self._plan.context + self._fresh) :]
        samples = self._decode(np.stack(window, axis=1))
        fresh = samples[(len(window) - self._fresh) * self._frame_samples - len(self._tail) :].copy()
        fading = len(self._tail)
        # Both are the same sound, so their amplitudes add up to it.
        ramp = np.arange(1, fading + 1, dtype=np.float32) / np.float32(fading + 1)
        fresh[:fading] = self._tail * (1 - ramp) + fresh[:fading] * ramp
        self._fresh = 0
        return fresh
