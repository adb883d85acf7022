"""Less noise, the same speech at the same place: with the real network."""

import numpy as np
import pytest
from hibari import Hibari
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.audio import SAMPLE_RATE, Float32, float_to_pcm, pcm_to_float, resample
from services.orchestrator import noise_reduction
from services.orchestrator.noise_reduction import DELAY, NoiseReducer, NoiseReduction
from tests.bench import noises

NEAR, FAR = NoiseReduction.NEAR_FIELD, NoiseReduction.FAR_FIELD
BOTH = pytest.mark.parametrize("kind", [NEAR, FAR])
FRAME = 160


@pytest.fixture(scope="module")
def speech() -> Float32:
    """Two seconds of quiet, a sentence, a second of quiet: float32 [samples] at 16 kHz."""
    voice = Hibari()
    spoken = resample(
        np.asarray(voice("What time does the next train leave?", seed=1), np.float32), voice.sample_rate, SAMPLE_RATE
    )
    return np.pad(spoken, (2 * SAMPLE_RATE, SAMPLE_RATE))


def white(seconds: float, level: float) -> Float32:
    return np.float32(level) * noises.white(int(seconds * SAMPLE_RATE), np.random.default_rng(3))


def reduced(samples: Float32, kind: NoiseReduction = NEAR) -> Float32:
    """All of it, the rest as it was."""
    reducer = NoiseReducer(kind)
    return pcm_to_float(reducer.process(float_to_pcm(samples)) + reducer.rest)


def decibels(a: Float32, b: Float32) -> float:
    """How much louder a is than b."""
    return float(20 * np.log10(noises.level(a) / noises.level(b)))


@BOTH
def test_a_sample_comes_out_where_it_went_in(speech: Float32, kind: NoiseReduction) -> None:
    out = reduced(speech, kind)
    assert len(out) == len(speech)
    size = 2 * len(speech)
    correlation = np.fft.irfft(np.conj(np.fft.rfft(speech, size)) * np.fft.rfft(out, size), size)
    assert np.argmax(correlation) == 0
    assert correlation[0] / len(speech) > 0.95 * noises.level(speech) * noises.level(out)


def test_speech_begins_no_earlier_and_no_later_than_it_did(speech: Float32) -> None:
    def first(samples: Float32) -> int:
        return int(np.argmax(np.abs(samples) > 0.02))

    assert abs(first(reduced(speech)) - first(speech)) < FRAME


@given(st.integers(0, 6_000))
@settings(max_examples=20, deadline=None)
def test_all_but_the_last_thirty_two_milliseconds_come_out_and_the_rest_is_kept(samples: int) -> None:
    pcm = float_to_pcm(white(1, 0.1)[:samples])
    reducer = NoiseReducer(NEAR)
    out = reducer.process(pcm)
    assert out + reducer.rest == out + pcm[len(out) :]
    lag = len(reducer.rest) // 2
    assert lag == samples if samples < DELAY else DELAY <= lag < DELAY + FRAME


@given(st.lists(st.integers(0, 1_000), max_size=20), st.sampled_from([NEAR, FAR]))
@settings(max_examples=15, deadline=None)
def test_the_pieces_it_comes_in_make_no_difference(pieces: list[int], kind: NoiseReduction) -> None:
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    hum = np.sum([np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 20)], axis=0)
    pcm = float_to_pcm(white(0.5, 0.01) + np.float32(0.02) * hum.astype(np.float32))
    whole = NoiseReducer(kind)
    expected = whole.process(pcm)
    reducer, out, at = NoiseReducer(kind), b"", 0
    for samples in (*pieces, len(pcm)):
        out += reducer.process(pcm[at : at + 2 * samples])
        at += 2 * samples
    assert out == expected
    assert reducer.rest == whole.rest


@BOTH
def test_silence_stays_silence(kind: NoiseReduction) -> None:
    assert not np.any(reduced(np.zeros(SAMPLE_RATE, np.float32), kind))


@BOTH
@pytest.mark.parametrize("noise", [noises.white, noises.pink, noises.fan])
def test_noise_becomes_at_least_twenty_decibels_quieter(noise: noises.Maker, kind: NoiseReduction) -> None:
    heard = noise(4 * SAMPLE_RATE, np.random.default_rng(5))
    heard *= np.float32(0.02 / noises.level(heard))
    settled = slice(SAMPLE_RATE, 3 * SAMPLE_RATE)
    assert decibels(reduced(heard, kind)[settled], heard[settled]) < -20


def test_speech_in_noise_keeps_its_level_while_the_noise_before_it_goes(speech: Float32) -> None:
    mask = noises.active(speech)
    noisy = noises.add(speech, mask, white(len(speech) / SAMPLE_RATE, 1), 10)
    out = reduced(noisy)
    before = slice(SAMPLE_RATE, 2 * SAMPLE_RATE)
    assert abs(decibels(out[mask], speech[mask])) < 3
    assert decibels(out[before], noisy[before]) < -20


def test_a_distant_voice_is_raised_only_where_the_microphone_is_said_to_be_far(speech: Float32) -> None:
    distant = speech * np.float32(0.01)
    # By the second sentence the gain has settled.
    twice = np.concatenate((distant, distant))
    mask = np.concatenate((np.zeros(len(speech), np.bool_), noises.active(speech)))
    assert abs(decibels(reduced(twice, NEAR)[mask], twice[mask])) < 3
    assert 15 < decibels(reduced(twice, FAR)[mask], twice[mask]) < 30


def test_a_voice_at_the_microphone_sounds_the_same_either_way(speech: Float32) -> None:
    assert decibels(speech[noises.active(speech)], np.ones(1, np.float32)) > -26
    assert abs(decibels(reduced(speech, FAR), reduced(speech, NEAR))) < 0.5


def test_a_pause_does_not_raise_the_noise() -> None:
    hiss = white(4, 0.001)
    np.testing.assert_array_equal(reduced(hiss, FAR), reduced(hiss, NEAR))


def test_without_the_library_there_is_no_reducer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert noise_reduction.available()
    monkeypatch.setattr(noise_reduction, "_LIBRARY", None)
    assert not noise_reduction.available()
    with pytest.raises(RuntimeError, match="pyrnnoise"):
        NoiseReducer(NEAR)
