import numpy as np
import pytest

from chassis.audio import Float32, float_to_pcm
from services.stt.activity import SoundTracker, levels_db, speech_seconds

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


def track(*parts: Float32, chunk: int = 320) -> int:
    pcm, tracker = float_to_pcm(np.concatenate(parts)), SoundTracker()
    for start in range(0, len(pcm), 2 * chunk):
        tracker.accept(pcm[start : start + 2 * chunk])
    return tracker.end


@pytest.mark.parametrize("chunk", [1, 100, 320, 5000])
def test_the_newest_sound_is_found_to_a_frame_however_the_audio_comes(chunk: int) -> None:
    assert track(noise(0.3, -60), tone(0.5, -25), noise(0.2, -60), chunk=chunk) == 12_800


def test_quiet_speech_in_loud_noise_is_sound() -> None:
    speech = tone(0.5, -34.0)
    background = noise(1.0, -40.0)
    background[4800 : 4800 + len(speech)] += speech
    assert track(background) == pytest.approx(12_800, abs=640)


def test_steady_noise_and_silence_are_no_sound() -> None:
    assert track(noise(3, -30)) <= 640
    assert track(np.zeros(RATE, np.float32)) == 0


def test_nothing_tracked_is_no_sound() -> None:
    assert SoundTracker().end == 0
