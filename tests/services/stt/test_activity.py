import numpy as np
import pytest

from chassis.audio import Float32
from services.stt.activity import falls_silent, levels_db, speech_seconds

RATE = 16_000


def tone(seconds: float, level_db: float) -> Float32:
    t = np.arange(int(seconds * RATE), dtype=np.float32) / RATE
    samples: Float32 = np.float32(np.sqrt(2) * 10 ** (level_db / 20)) * np.sin(2 * np.pi * 250 * t, dtype=np.float32)
    return samples


def noise(seconds: float, level_db: float) -> Float32:
    samples = np.random.default_rng(0).standard_normal(int(seconds * RATE)) * 10 ** (level_db / 20)
    return samples.astype(np.float32)


def test_levels_are_in_decibels_of_full_scale() -> None:
    assert levels_db(tone(0.1, -20.0)) == pytest.approx([-20.0] * 5, abs=0.1)


def test_a_part_of_a_frame_has_no_level() -> None:
    assert len(levels_db(np.zeros(639, np.float32))) == 1


def test_silence_has_the_lowest_level() -> None:
    assert levels_db(np.zeros(320, np.float32)) == pytest.approx([-120.0])


def test_sound_above_the_background_is_measured() -> None:
    clip = np.concatenate((noise(0.5, -60), tone(0.8, -25), noise(0.5, -60)))
    assert speech_seconds(clip) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("level_db", [-70.0, -40.0, -15.0])
def test_steady_noise_is_no_speech_however_loud(level_db: float) -> None:
    assert speech_seconds(noise(3, level_db)) < 0.05


def test_nothing_is_no_speech() -> None:
    assert speech_seconds(np.zeros(0, np.float32)) == 0
    assert speech_seconds(np.zeros(RATE, np.float32)) == 0


def test_a_whisper_under_the_least_level_is_no_speech() -> None:
    assert speech_seconds(np.concatenate((np.zeros(RATE, np.float32), tone(1, -60)))) == 0


def test_silence_after_speech_is_noticed_within_60_ms() -> None:
    t = np.arange(8_000) / 16_000
    voice = (0.3 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)
    quiet = np.zeros(960, np.float32)
    assert falls_silent(np.concatenate((quiet, quiet, voice, quiet)))
    assert not falls_silent(np.concatenate((quiet, quiet, voice, quiet[:640])))
    assert not falls_silent(np.concatenate((quiet, voice)))
    assert not falls_silent(quiet)
    assert not falls_silent(voice[:0])
