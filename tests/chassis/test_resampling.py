"""Streaming resampling: the same whatever the pieces, close behind its input, and clean."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.audio import Float32, float_to_pcm, pcm_to_float, resample
from chassis.resampling import Resampler

RATES = [(24_000, 16_000), (16_000, 24_000), (48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (22_050, 24_000)]


def tone(hz: float, rate: int, seconds: float = 1.0) -> Float32:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def level_db(samples: Float32) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))


@given(
    st.sampled_from(RATES),
    st.binary(max_size=2_000).map(lambda data: data[: len(data) // 2 * 2]),
    st.lists(st.integers(0, 1_000)),
)
def test_the_output_does_not_depend_on_the_pieces(rates: tuple[int, int], pcm: bytes, cuts: list[int]) -> None:
    whole, pieces = Resampler(*rates), Resampler(*rates)
    ends = [0, *sorted(2 * min(cut, len(pcm) // 2) for cut in cuts), len(pcm)]
    cut_up = b"".join(pieces.push(pcm[start:end]) for start, end in itertools.pairwise(ends))
    assert cut_up + pieces.flush() == whole.push(pcm) + whole.flush()


@pytest.mark.parametrize(("source_hz", "target_hz"), RATES)
def test_every_20_ms_give_20_ms_at_once(source_hz: int, target_hz: int) -> None:
    resampler = Resampler(source_hz, target_hz)
    block = bytes(2 * (source_hz // 50))
    sent = [len(resampler.push(block)) // 2 for _ in range(50)]
    assert all(abs(samples - (source_hz // 50) * target_hz / source_hz) <= 1 for samples in sent)


@pytest.mark.parametrize(("source_hz", "target_hz"), RATES)
def test_speech_passes_unchanged_and_at_most_two_milliseconds_late(source_hz: int, target_hz: int) -> None:
    signal = tone(440, source_hz) + 0.4 * tone(2_500, source_hz)
    resampler = Resampler(source_hz, target_hz)
    streamed = pcm_to_float(resampler.push(float_to_pcm(signal)) + resampler.flush())
    # The delay need not be whole output samples: compare at sixteen times the rate.
    fine = resample(streamed[: target_hz // 2], target_hz, 16 * target_hz)
    truth = resample(resample(signal, source_hz, target_hz)[: target_hz // 2], target_hz, 16 * target_hz)
    part = slice(4 * target_hz, 6 * target_hz)
    errors = [
        np.abs(fine[part.start + lag : part.stop + lag] - truth[part]).max() for lag in range(16 * target_hz // 490)
    ]
    assert min(errors) < 0.01
    assert np.argmin(errors) / 16 / target_hz <= 0.002 + 1e-4


def test_what_the_target_cannot_hold_is_removed() -> None:
    for hz in (9_000, 10_000, 11_500):
        resampled = pcm_to_float(Resampler(24_000, 16_000).push(float_to_pcm(tone(hz, 24_000))))
        assert level_db(resampled[500:]) < level_db(tone(hz, 24_000)) - 50


def test_what_the_source_did_not_hold_is_not_added() -> None:
    resampled = pcm_to_float(Resampler(8_000, 16_000).push(float_to_pcm(tone(1_000, 8_000))))[500:-500]
    spectrum = np.abs(np.fft.rfft(resampled * np.hanning(len(resampled))))
    bin_of = len(resampled) / 16_000
    assert spectrum[int(5_000 * bin_of) :].max() < spectrum.max() / 300  # 50 dB


def test_a_loud_signal_is_clipped_not_wrapped() -> None:
    square = np.where(tone(300, 24_000) >= 0, 32_767, -32_768).astype("<i2")
    resampled = np.frombuffer(Resampler(24_000, 16_000).push(square.tobytes()), "<i2").astype(int)
    assert np.abs(np.diff(resampled)).max() < 60_000
    assert resampled.max() == 32_767


def test_equal_rates_pass_audio_through_untouched() -> None:
    resampler = Resampler(16_000, 16_000)
    assert resampler.push(b"\1\2\3\4") == b"\1\2\3\4"
    assert resampler.flush() == b""


def test_a_resampler_goes_on_with_the_next_signal_after_a_flush() -> None:
    pcm = float_to_pcm(tone(500, 24_000, 0.1))
    resampler = Resampler(24_000, 16_000)
    first = resampler.push(pcm) + resampler.flush()
    assert resampler.push(pcm) + resampler.flush() == first
