"""Sounds that are no words."""

from typing import get_args

import numpy as np
import pytest

from chassis.audio import Float32, pcm_to_float
from client.turns import SAMPLE_RATE
from tests.fleet.dialogue.sounds import Kind, amid, silence, sound
from tests.support.audio import tone


def level_dbfs(samples: Float32) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_sound_has_the_length_and_the_level_that_were_asked_for(kind: Kind) -> None:
    samples = sound(kind, 400, -26.0)
    assert samples.dtype == np.float32
    assert len(samples) == 0.4 * SAMPLE_RATE
    assert level_dbfs(samples) == pytest.approx(-26, abs=0.2)


def test_a_sound_is_the_same_every_time() -> None:
    np.testing.assert_array_equal(sound("pink", 100, -30.0), sound("pink", 100, -30.0))


def test_noise_lies_as_far_under_the_speech_as_was_asked_for() -> None:
    speech = np.concatenate([silence(500), pcm_to_float(tone(1.0)), silence(500)])
    noisy = amid(speech, "white", 15.0)
    assert len(noisy) == len(speech)
    assert level_dbfs(pcm_to_float(tone(1.0))) - level_dbfs(noisy - speech) == pytest.approx(15, abs=0.5)
