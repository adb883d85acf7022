"""Noise for measurements: made, not recorded, the same each time for the same seed; and its level beside speech."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chassis.audio import SAMPLE_RATE, Float32

Random = np.random.Generator
Maker = Callable[[int, Random], Float32]
"""Makes that many samples of noise."""

_FRAME = 320
"""Samples of the frames that are speech or not: 20 ms."""
_ACTIVE_DB = -30.0
"""Frames at this level or above, against the loudest frame, are speech."""
_LOWEST_HZ = 20.0
_BABBLE_VOICES = 6
_HUM_HZ = 50.0
_HUM: Sequence[tuple[int, float]] = ((1, 1.0), (2, 0.7), (3, 0.4), (5, 0.2))
"""Harmonics of the mains and their amplitudes."""
_BLADES_HZ, _BLADES_DEPTH = 23.0, 0.3


def active(speech: Float32) -> NDArray[np.bool_]:
    """Which samples of clean `speech` are speech, in whole frames; an incomplete last frame is not."""
    frames = speech[: len(speech) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.square(frames).mean(axis=1)
    mask = np.repeat(power >= power.max() * 10 ** (_ACTIVE_DB / 10), _FRAME)
    padded: NDArray[np.bool_] = np.pad(mask, (0, len(speech) - len(mask)))
    return padded


def level(samples: Float32) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))


def add(speech: Float32, mask: NDArray[np.bool_], noise: Float32, snr_db: float) -> Float32:
    """`speech` with `noise` that is `snr_db` below it where `mask` says that somebody speaks."""
    gain = level(speech[mask]) / level(noise[mask]) / 10 ** (snr_db / 20)
    return np.asarray(speech + np.float32(gain) * noise, np.float32)


def white(samples: int, random: Random) -> Float32:
    """As strong at every frequency: hiss."""
    return random.standard_normal(samples, np.float32)


def pink(samples: int, random: Random) -> Float32:
    """3 dB weaker an octave: rain, a street far away."""
    return _sloped(samples, random, 0.5)


def fan(samples: int, random: Random) -> Float32:
    """A fan: air, 6 dB weaker an octave, in the rhythm of the blades, and the hum of its motor."""
    time = np.arange(samples) / SAMPLE_RATE
    air = _sloped(samples, random, 1.0) * (1 + _BLADES_DEPTH * np.sin(2 * np.pi * _BLADES_HZ * time))
    hum = sum(amplitude * np.sin(2 * np.pi * _HUM_HZ * number * time) for number, amplitude in _HUM)
    return np.asarray(air + hum, np.float32)


KINDS: Mapping[str, Maker] = {"white": white, "pink": pink, "fan": fan}
"""Noise that needs nothing but a seed."""


def babble(samples: int, random: Random, voices: Sequence[Float32]) -> Float32:
    """A room full of people: six of `voices` at a time, each as loud as the others."""
    mixed = np.zeros(samples, np.float32)
    for _ in range(_BABBLE_VOICES):
        at = -int(random.integers(2 * SAMPLE_RATE))
        while at < samples:
            voice = voices[int(random.integers(len(voices)))]
            begin, end = max(0, at), min(samples, at + len(voice))
            if begin < end:
                mixed[begin:end] += voice[begin - at : end - at] / level(voice[active(voice)])
            at += len(voice)
    return mixed


def _sloped(samples: int, random: Random, exponent: float) -> Float32:
    """Noise with an amplitude that falls with the frequency to the power of `exponent`, of level one."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    audible = hertz >= _LOWEST_HZ
    spectrum[audible] *= hertz[audible] ** -exponent
    spectrum[~audible] = 0
    noise = np.fft.irfft(spectrum, samples).astype(np.float32)
    return np.asarray(noise / np.float32(level(noise)), np.float32)
