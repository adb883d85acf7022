"""Streaming resampling with little delay: a polyphase filter, a millisecond behind its input.

A resampler that works in large blocks (soxr's streams do) gives better stop bands, but holds audio back for tens of
milliseconds; between a person's last word and the reply those are heard, a stop band of 60 dB is not.
"""

from functools import cache
from math import gcd

import numpy as np

from chassis.audio import Float32, Int16

# Taps of each phase at the lower of the two rates, and the window: 60 dB of stop band, 1 ms of delay at 16 kHz.
_HALF_TAPS = 16
_KAISER_BETA = 6.0
# Share of the lower rate's band that is kept; the rest is the filter's transition.
_BAND = 0.92


@cache
def _phases(up: int, down: int) -> Float32:
    """The filter, float32 [up, taps], newest sample first; Crochiere and Rabiner, Multirate Signal Processing."""
    cutoff = _BAND / max(up, down)
    half = _HALF_TAPS * max(up, down)
    time = np.arange(-half, half + 1)
    taps = cutoff * np.sinc(cutoff * time) * np.kaiser(2 * half + 1, _KAISER_BETA) * up
    padded = np.pad(taps, (0, -len(taps) % up))
    phases = padded.reshape(-1, up).T
    # Each phase passes a constant unchanged; the window leaves them a little uneven.
    return np.ascontiguousarray(phases / phases.sum(axis=1, keepdims=True), np.float32)


class Resampler:
    """Resamples PCM s16le mono from `source_hz` to `target_hz`; the output does not depend on the pieces.

    Output lags input by 16 samples of the lower rate until `flush`.
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        self.source_hz = source_hz
        divisor = gcd(source_hz, target_hz)
        self._up, self._down = target_hz // divisor, source_hz // divisor
        self._phases = _phases(self._up, self._down) if source_hz != target_hz else None
        taps = 0 if self._phases is None else self._phases.shape[1]
        self._delay = _HALF_TAPS * max(self._up, self._down) // self._up
        self._history: Float32 = np.zeros(max(0, taps - 1), np.float32)
        self._next = 0  # position of the next output sample in the buffer, in units of 1 / up of an input sample

    def push(self, pcm: bytes) -> bytes:
        """The output that `pcm`, whole samples, makes possible."""
        if self._phases is None or not pcm:
            return pcm
        samples: Int16 = np.frombuffer(pcm, "<i2")
        return _to_pcm(self._filter(samples.astype(np.float32)))

    def flush(self) -> bytes:
        """What the filter still holds; the resampler can go on with the next signal afterwards."""
        if self._phases is None:
            return b""
        tail = self._filter(np.zeros(self._delay, np.float32))
        self._history[:] = 0
        self._next = 0
        return _to_pcm(tail)

    def _filter(self, samples: Float32) -> Float32:
        assert self._phases is not None
        buffer = np.concatenate((self._history, samples))
        taps = self._phases.shape[1]
        available = len(buffer) - taps + 1
        count = max(0, -(-(available * self._up - self._next) // self._down))
        positions = self._next + self._down * np.arange(count)
        windows = np.lib.stride_tricks.sliding_window_view(buffer, taps)[positions // self._up, ::-1]
        resampled: Float32 = np.einsum("nt,nt->n", windows, self._phases[positions % self._up])
        self._next += self._down * count - self._up * len(samples)
        self._history = buffer[len(samples) :]
        return resampled


def _to_pcm(samples: Float32) -> bytes:
    pcm: bytes = np.clip(np.rint(samples), -32_768, 32_767).astype("<i2").tobytes()
    return pcm
