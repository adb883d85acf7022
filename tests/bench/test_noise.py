"""The noise bench measures what it says."""

import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest
from hibari import Hibari

from chassis.audio import SAMPLE_RATE, Float32, resample
from services.orchestrator.noise_reduction import NoiseReduction
from services.stt.bench_clips import Clip
from services.vad.engines.silero import SileroEngine
from services.vad.settings import Settings
from tests.bench import noise, noises
from tests.bench.noise import AFTER, BEFORE, Heard, Scene


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    voice = Hibari()
    texts = ("What time is it in Tokyo?", "Please turn on the lights.", "Why is the sky blue?")
    return [
        Clip("hibari", text, resample(np.asarray(voice(text, seed=1), np.float32), voice.sample_rate, SAMPLE_RATE))
        for text in texts
    ]


@pytest.fixture
async def vad() -> AsyncIterator[SileroEngine]:
    engine = SileroEngine(Settings())
    await engine.start()
    yield engine
    await engine.close()


@pytest.mark.parametrize(("name", "snr_db"), list(itertools.product(noise.NOISES, (15.0, 5.0))))
def test_noise_is_as_far_below_the_speech_as_it_is_said_to_be(clips: list[Clip], name: str, snr_db: float) -> None:
    for scene in noise.scenes(clips, name, snr_db):
        mask = np.pad(noises.active(scene.clip.samples), (BEFORE, AFTER))
        speech = np.pad(scene.clip.samples, (BEFORE, AFTER))
        added = scene.samples - speech
        ratio = 20 * np.log10(noises.level(speech[mask]) / noises.level(added[mask]))
        assert ratio == pytest.approx(snr_db, abs=0.01)


def test_the_same_noise_is_made_each_time(clips: list[Clip]) -> None:
    for name in noise.NOISES:
        first, again = (noise.scenes(clips, name, 5.0) for _ in range(2))
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one.samples, other.samples)


def test_pink_noise_falls_by_three_decibels_an_octave_and_a_fan_by_six() -> None:
    def octave(samples: Float32, hertz: float) -> float:
        spectrum, at = np.abs(np.fft.rfft(samples)) ** 2, np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
        return float(10 * np.log10(spectrum[(at >= hertz) & (at < 2 * hertz)].mean()))

    for make, slope in ((noises.white, 0), (noises.pink, -3), (noises.fan, -6)):
        samples = make(20 * SAMPLE_RATE, np.random.default_rng(0))
        assert octave(samples, 2_000) - octave(samples, 1_000) == pytest.approx(slope, abs=0.5)


def test_a_start_or_an_end_counts_within_half_a_second() -> None:
    assert noise.near([], 10_000) is None
    assert noise.near([1_000, 20_000], 10_000) is None
    assert noise.near([9_000, 10_500, 18_000], 10_000) == 500
    scene = Scene(Clip("", "", np.zeros(0, np.float32)), np.zeros(0, np.float32), 20_000, 40_000)
    # Too early; at the first word; after a pause within the speech; after it.
    assert noise.extra(scene, Heard([1_000, 19_000, 30_000, 50_000], [])) == 2


@pytest.mark.parametrize("kind", list(NoiseReduction))
async def test_the_vad_still_finds_speech_in_what_is_left_of_noise(
    vad: SileroEngine, clips: list[Clip], kind: NoiseReduction
) -> None:
    for scene in noise.scenes(clips, "pink", 5.0):
        told = await noise.heard(vad, noise.reduced(scene.samples, kind))
        assert noise.near(told.starts, scene.first) is not None
        assert noise.near(told.stops, scene.last) is not None
        assert noise.extra(scene, told) == 0


async def test_the_vad_finds_a_distant_voice_where_the_microphone_is_said_to_be_far(
    vad: SileroEngine, clips: list[Clip]
) -> None:
    missed = {}
    for kind in (None, NoiseReduction.FAR_FIELD):
        told = [
            (scene, await noise.heard(vad, noise.reduced(scene.samples, kind)))
            for scene in noise.scenes(clips, "pink", 5.0, weaker_db=40.0)
        ]
        missed[kind] = sum(noise.near(each.starts, scene.first) is None for scene, each in told)
    assert missed[NoiseReduction.FAR_FIELD] == 0 < missed[None]
