"""What a microphone may hear in front of scripted stages: a tone, which they take for speech."""

import math

import numpy as np

from tests.browser.console_page import RATE

TONE_HZ = 440.0


def tone(seconds: float, rate: int = RATE) -> bytes:
    """A sine of a quarter of full scale, PCM s16le mono."""
    at = np.arange(round(seconds * rate)) / rate
    return (0.25 * 32_767 * np.sin(2 * math.pi * TONE_HZ * at)).astype("<i2").tobytes()
