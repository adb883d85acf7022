"""Sounds that are no words: noise of a room, a cough, a listener's hum. The same in every run. Pure."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chassis.audio import Float32
from client.turns import SAMPLE_RATE

Float64: TypeAlias = NDArray[np.float64]
Kind = Literal["white", "pink", "hum", "cough", "mm-hm"]
"""`hum` is that of mains, `mm-hm` that of a listener with closed lips."""
_SEED = 3


def sound(kind: Kind, ms: int, level_dbfs: float) -> Float32:
    """`ms` milliseconds at 24 kHz, float32 in [-1, 1], with that RMS level."""
    samples = _MAKERS[kind](ms * SAMPLE_RATE // 1000)
    return _clipped(samples * (10 ** (level_dbfs / 20) / _rms(samples)))


def silence(ms: int) -> Float32:
    """`ms` milliseconds of it."""
    return np.zeros(ms * SAMPLE_RATE // 1000, np.float32)


def amid(speech: Float32, kind: Kind, snr_db: float) -> Float32:
    """Speech with noise under it, `snr_db` below its RMS level where it is loud: float32 in [-1, 1], 24 kHz."""
    loud = speech[np.abs(speech) > 0.05 * np.max(np.abs(speech))]
    level_dbfs = 20 * np.log10(_rms(loud)) - snr_db
    return _clipped(speech + sound(kind, len(speech) * 1000 // SAMPLE_RATE + 1, level_dbfs)[: len(speech)])


def _white(count: int) -> Float32:
    return np.random.default_rng(_SEED).standard_normal(count).astype(np.float32)


def _pink(count: int) -> Float32:
    return _filtered(_white(count), lambda hertz: 1 / np.sqrt(np.maximum(hertz, 20)))


def _hum(count: int) -> Float32:
    time = np.arange(count) / SAMPLE_RATE
    return sum((np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 2, 3, 5)), np.zeros(count)).astype(np.float32)


def _cough(count: int) -> Float32:
    """A burst of breath that dies away, shaped by the throat."""
    time = np.arange(count) / count
    burst = _filtered(
        _white(count),
        lambda hertz: np.exp(-(((hertz - 900) / 900) ** 2)) + 0.3 * np.exp(-(((hertz - 2500) / 1200) ** 2)),
    )
    return (burst * np.minimum(time / 0.05, 1) * np.exp(-3 * time)).astype(np.float32)


def _mm_hm(count: int) -> Float32:
    """Two hums through the nose, the second one rising; the lips stay closed."""
    time = np.arange(count) / count
    first, second = time < 0.35, time > 0.47
    pitch_hz = np.where(second, 116 + 50 * (time - 0.47), 110)
    buzz = 2 * (np.cumsum(pitch_hz) / SAMPLE_RATE % 1) - 1
    edge = 0.06
    swell = (
        np.where(first, np.minimum(time, 0.35 - time), np.where(second, np.minimum(time - 0.47, 1 - time), 0)) / edge
    )
    return _filtered((buzz * np.clip(swell, 0, 1)).astype(np.float32), _nose)


def _nose(hertz: Float64) -> Float64:
    """Gain of the resonances of a nasal consonant, each (centre, width, gain at the centre), in hertz."""
    resonances = ((270, 60, 1.0), (1000, 150, 0.1), (2200, 200, 0.05))
    gains = [peak / (1 + ((hertz - centre) / width) ** 2) for centre, width, peak in resonances]
    gain: Float64 = np.sum(gains, axis=0)
    return gain


def _filtered(samples: Float32, gain: Callable[[Float64], Float64]) -> Float32:
    spectrum = np.fft.rfft(samples) * gain(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE).astype(np.float64))
    filtered: Float32 = np.fft.irfft(spectrum, len(samples)).astype(np.float32)
    return filtered


def _rms(samples: Float32) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _clipped(samples: Float32) -> Float32:
    return np.clip(samples, -1, 1).astype(np.float32)


_MAKERS: Mapping[Kind, Callable[[int], Float32]] = {
    "white": _white,
    "pink": _pink,
    "hum": _hum,
    "cough": _cough,
    "mm-hm": _mm_hm,
}
