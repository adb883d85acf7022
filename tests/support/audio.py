"""Test signals: PCM s16le mono."""

import numpy as np

REALTIME_HZ = 24_000


def tone(seconds: float, *, hertz: float = 440.0, amplitude: float = 0.3, rate: int = REALTIME_HZ) -> bytes:
    """A sine."""
    time = np.arange(round(seconds * rate)) / rate
    samples: bytes = (amplitude * 32_767 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()
    return samples


def silence(seconds: float, *, rate: int = REALTIME_HZ) -> bytes:
    """Zeros."""
    return bytes(2 * round(seconds * rate))
