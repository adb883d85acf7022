"""Silence is cut from both ends of a signal, and cuts do not click."""

import numpy as np

from chassis.audio import Float32
from services.tts.edges import faded, silences, speech_bounds

RATE = 24_000
MS = RATE // 1000


def tone(ms: int, amplitude: float = 0.3) -> Float32:
    samples: Float32 = (amplitude * np.sin(2 * np.pi * 220 * np.arange(ms * MS) / RATE)).astype(np.float32)
    return samples


def quiet(ms: int) -> Float32:
    return (np.random.default_rng(0).standard_normal(ms * MS) * 1e-4).astype(np.float32)


def test_silence_around_speech_is_cut() -> None:
    start, stop = speech_bounds(np.concatenate((quiet(400), tone(500), quiet(700))), RATE)
    # 400 ms of silence less 10 ms of lead-in; 900 ms of speech end plus 40 ms of tail.
    assert (start, stop) == (390 * MS, 940 * MS)


def test_a_soft_onset_is_speech() -> None:
    start, _ = speech_bounds(np.concatenate((quiet(400), tone(50, 0.006), tone(500))), RATE)
    assert start == 390 * MS


def test_nothing_is_cut_from_a_signal_without_silence() -> None:
    assert speech_bounds(tone(100), RATE) == (0, 100 * MS)


def test_silence_alone_has_no_speech() -> None:
    assert speech_bounds(np.zeros(RATE, np.float32), RATE) == (0, 0)
    assert speech_bounds(np.zeros(0, np.float32), RATE) == (0, 0)


def test_pauses_are_found_and_closures_are_not() -> None:
    signal = np.concatenate((quiet(100), tone(200), quiet(80), tone(200), quiet(40), tone(100), quiet(100)))
    assert silences(signal, RATE) == [(0, 100 * MS), (300 * MS, 380 * MS), (720 * MS, 820 * MS)]


def test_edges_rise_from_and_fall_to_nothing() -> None:
    smooth = faded(np.ones(1000, np.float32), RATE)
    assert smooth[0] == 0
    assert smooth[-1] == 0
    assert np.abs(np.diff(smooth)).max() < 0.01
    assert smooth[500] == 1


def test_fading_leaves_its_input_alone() -> None:
    samples = np.ones(10, np.float32)
    assert len(faded(samples, RATE)) == 10
    assert samples.min() == 1
