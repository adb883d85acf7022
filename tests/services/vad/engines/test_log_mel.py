"""The log-mel spectrogram against an independent implementation of Whisper's."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from services.vad.engines.log_mel import HOP_SAMPLES, MELS, log_mel, standardize


@pytest.mark.parametrize("seconds", [1, 8])
def test_the_numbers_are_whispers(seconds: int) -> None:
    rng = np.random.default_rng(seconds)
    time = np.arange(seconds * 16_000) / 16_000
    chirp = np.sin(2 * np.pi * (100 + 3_000 * time / seconds) * time)
    samples = (chirp * np.linspace(0, 0.5, len(time)) + 0.01 * rng.standard_normal(len(time))).astype(np.float32)
    ours = log_mel(samples)
    theirs = FeatureExtractor(feature_size=MELS, chunk_length=seconds)(samples, padding=0)
    assert ours.shape == (MELS, len(samples) // HOP_SAMPLES) == theirs.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_a_tone_lights_up_the_filter_around_it() -> None:
    tone = np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000).astype(np.float32)
    # 80 filters up to 45.25 mel; 1 kHz is 15 mel, so the 26th or 27th of them (15 / 45.25 * 81 = 26.9).
    assert int(log_mel(tone)[:, 50].argmax()) in (25, 26)


def test_a_standardized_signal_has_no_mean_and_unit_variance() -> None:
    samples = np.random.default_rng(0).normal(0.3, 0.05, 16_000).astype(np.float32)
    standardized = standardize(samples)
    assert standardized.mean() == pytest.approx(0, abs=1e-4)
    assert standardized.std() == pytest.approx(1, abs=1e-3)
    assert standardized.dtype == np.float32


def test_silence_stays_silence() -> None:
    assert not standardize(np.zeros(16_000, np.float32)).any()
