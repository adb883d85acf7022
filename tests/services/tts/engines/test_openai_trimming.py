"""Silence taken off around speech that is still coming."""

import numpy as np
import pytest

from chassis.audio import Float32
from services.tts.engines.openai_trimming import LONGEST_HELD_MS, StreamTrimmer

RATE = 24_000


def hum(seconds: float, loudness: float = 0.3) -> Float32:
    return (loudness * np.sin(2 * np.pi * 200 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def hiss(seconds: float, loudness: float = 1e-4) -> Float32:
    return (loudness * np.random.default_rng(7).standard_normal(int(seconds * RATE))).astype(np.float32)


def trimmed(signal: Float32, piece: int = 480) -> Float32:
    trimmer = StreamTrimmer(RATE)
    found = [trimmer.push(signal[at : at + piece]) for at in range(0, len(signal), piece)]
    return np.concatenate([*found, trimmer.flush()])


@pytest.mark.parametrize("piece", [1, 77, 480, 100_000])
def test_silence_goes_and_the_pause_inside_stays(piece: int) -> None:
    signal = np.concatenate((hiss(0.3), hum(0.2), hiss(0.4), hum(0.2), hiss(0.5)))
    samples = trimmed(signal, piece)
    # 10 ms of lead-in, 40 ms of tail, and less than a stretch of 5 ms at either end.
    assert abs(len(samples) / RATE - (0.2 + 0.4 + 0.2 + 0.05)) < 0.011


def test_speech_comes_while_it_is_spoken() -> None:
    trimmer = StreamTrimmer(RATE)
    assert len(trimmer.push(hiss(0.2))) == 0
    assert len(trimmer.push(hum(0.1))) > 0.09 * RATE
    assert len(trimmer.push(hiss(0.2))) == 0
    assert len(trimmer.push(hum(0.1))) > 0.29 * RATE


def test_a_soft_onset_is_kept() -> None:
    # An [h] 35 dB below the vowel.
    samples = trimmed(np.concatenate((hiss(0.3), hiss(0.08, 0.3 * 10 ** (-35 / 20)), hum(0.3))))
    assert abs(len(samples) / RATE - (0.08 + 0.3 + 0.05)) < 0.06
    assert len(samples) / RATE > 0.38


def test_the_edges_make_no_click() -> None:
    samples = trimmed(np.concatenate((hiss(0.3), hum(0.2), hiss(0.5))))
    assert abs(samples[0]) < 1e-4
    assert abs(samples[-1]) < 1e-4


def test_silence_alone_is_nothing_and_needs_no_room() -> None:
    trimmer = StreamTrimmer(RATE)
    for _ in range(40):
        assert len(trimmer.push(hiss(0.25))) == 0
    assert len(trimmer._held) <= LONGEST_HELD_MS * RATE / 1000
    assert len(trimmer.flush()) == 0


def test_a_very_long_pause_is_not_held_until_its_end() -> None:
    trimmer = StreamTrimmer(RATE)
    trimmer.push(hum(0.2))
    given = sum(len(trimmer.push(hiss(0.1))) for _ in range(40))
    assert given > 1.5 * RATE
