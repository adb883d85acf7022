"""PCM helpers: conversion, framing, a ring buffer addressed by sample offset, resampling.

Audio inside the fleet is PCM s16le mono. Offsets count samples from the start of the session.
"""

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples a second of audio on its way into the fleet, in hertz."""
BYTES_PER_SAMPLE = 2

Int16 = NDArray[np.int16]
Float32 = NDArray[np.float32]


def pcm_to_float(pcm: bytes) -> Float32:
    """PCM s16le as float32 [samples] in [-1, 1). Raises ValueError on an odd number of bytes."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768.0


def float_to_pcm(samples: Float32) -> bytes:
    """Float32 [samples] as PCM s16le; values outside [-1, 1) are clipped."""
    scaled = np.clip(np.rint(samples * 32_768.0), -32_768, 32_767)
    pcm: bytes = scaled.astype("<i2").tobytes()
    return pcm


def integers_to_float(data: bytes, width: int) -> Float32:
    """Integer samples of `width` bytes, 1 to 4, little-endian, as float32 in [-1, 1). Those of 1 byte are
    unsigned, as in WAV files."""
    if width == 1:
        unsigned: Float32 = np.frombuffer(data, np.uint8).astype(np.float32)
        return (unsigned - np.float32(128)) / np.float32(128)
    if width == 3:
        # Three bytes become the upper three of four.
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, width = wide.tobytes(), 4
    samples: Float32 = np.frombuffer(data, f"<i{width}").astype(np.float32)
    return samples / np.float32(2 ** (8 * width - 1))


def ms_to_samples(ms: float, sample_rate: int = SAMPLE_RATE) -> int:
    """Samples in `ms` milliseconds at `sample_rate` hertz, rounded down."""
    return int(ms * sample_rate / 1000)


class Framer:
    """Cuts a byte stream of any chunking into frames of exactly `frame_samples` samples."""

    def __init__(self, frame_samples: int) -> None:
        self._frame_bytes = frame_samples * BYTES_PER_SAMPLE
        self._rest = bytearray()

    def push(self, pcm: bytes) -> list[bytes]:
        """Adds PCM; returns the frames that are now complete, oldest first."""
        self._rest += pcm
        whole = len(self._rest) // self._frame_bytes * self._frame_bytes
        frames = [bytes(self._rest[at : at + self._frame_bytes]) for at in range(0, whole, self._frame_bytes)]
        del self._rest[:whole]
        return frames

    def flush(self) -> bytes:
        """The incomplete last frame; the framer is empty afterwards."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest


class RingBuffer:
    """The last `capacity` samples of a session, read by offset on the session's timeline."""

    def __init__(self, capacity: int, start_offset: int = 0) -> None:
        self._data: Int16 = np.zeros(capacity, np.int16)
        self._end = start_offset
        self._start = start_offset

    @property
    def start(self) -> int:
        """Offset of the oldest sample still held."""
        return self._start

    @property
    def end(self) -> int:
        """Offset after the newest sample."""
        return self._end

    def write(self, pcm: bytes) -> None:
        """Appends PCM s16le; the oldest samples give way."""
        samples = np.frombuffer(pcm, "<i2")
        self._end += len(samples)
        capacity = len(self._data)
        samples = samples[-capacity:]
        first = (self._end - len(samples)) % capacity
        head = min(len(samples), capacity - first)
        self._data[first : first + head] = samples[:head]
        self._data[: len(samples) - head] = samples[head:]
        self._start = max(self._start, self._end - capacity)

    def read(self, start: int, end: int) -> bytes:
        """Samples `start` to `end` as PCM s16le, clamped to what is still held."""
        start, end = max(start, self._start), min(end, self._end)
        if start >= end:
            return b""
        capacity = len(self._data)
        first, length = start % capacity, end - start
        head = min(length, capacity - first)
        return self._data[first : first + head].tobytes() + self._data[: length - head].tobytes()


def resample(samples: Float32, source_hz: int, target_hz: int) -> Float32:
    """A whole signal, float32 [samples], at another rate."""
    if source_hz == target_hz:
        return samples
    resampled: Float32 = soxr.resample(samples, source_hz, target_hz)
    return resampled.astype(np.float32, copy=False)
