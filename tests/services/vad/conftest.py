"""Speech for the tests: synthesized, so that its beginning and end are known to the sample."""

from collections.abc import Callable

import numpy as np
import pytest
from hibari import Hibari

from chassis.audio import Float32, ms_to_samples, resample

Speak = Callable[[str], Float32]


@pytest.fixture(scope="session")
def speak() -> Speak:
    """Says a sentence: float32 [samples] at 16 kHz, without the silence around it, the same each time."""
    voice = Hibari()
    # The first sentence reads files, which a test's event loop must not.
    voice("Hello.")

    def say(text: str) -> Float32:
        samples = resample(np.asarray(voice(text, seed=1), np.float32), voice.sample_rate, 16_000)
        loud = np.nonzero(np.abs(samples) > 0.01)[0]
        return samples[loud[0] : loud[-1] + 1]

    return say


@pytest.fixture(scope="session")
def room() -> Callable[[int], Float32]:
    """A quiet room for that many milliseconds: float32 [samples] at 16 kHz."""

    def quiet(ms: int) -> Float32:
        noise = np.random.default_rng(0).standard_normal(ms_to_samples(ms)) * 3e-4
        return noise.astype(np.float32)

    return quiet
