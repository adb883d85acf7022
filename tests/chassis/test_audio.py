"""PCM helpers: nothing is lost, whatever the chunking."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.audio import (
    Framer,
    RingBuffer,
    float_to_pcm,
    ms_to_samples,
    pcm_to_float,
)

PCM = st.binary(max_size=400).map(lambda data: data[: len(data) // 2 * 2])

RATES = [(24_000, 16_000), (16_000, 24_000), (44_100, 16_000), (8_000, 16_000), (22_050, 24_000)]
DITHER = 3
"""What two int16 renderings of one signal may differ by: each is dithered by one step and rounded."""


def speechlike(samples: int) -> bytes:
    """Noise at a quarter of full scale, the same each time, as PCM."""
    noise = np.random.default_rng(0).standard_normal(samples) * 0.25
    return float_to_pcm(noise.clip(-0.9, 0.9).astype(np.float32))


def int16(pcm: bytes) -> list[int]:
    return [int(sample) for sample in np.frombuffer(pcm, "<i2")]


def pieces_of(pcm: bytes, cuts: list[int]) -> list[bytes]:
    """`pcm` cut at those byte positions; positions past its end count as its end."""
    ends = sorted(min(cut, len(pcm)) for cut in cuts)
    return [pcm[start:end] for start, end in pairwise([0, *ends, len(pcm)])]


@given(PCM)
def test_pcm_survives_the_way_to_float_and_back(pcm: bytes) -> None:
    assert float_to_pcm(pcm_to_float(pcm)) == pcm


@given(st.lists(st.floats(-1, 1 - 2**-15, width=32)))
def test_float_survives_the_way_to_pcm_and_back_within_half_a_step(samples: list[float]) -> None:
    signal = np.array(samples, np.float32)
    back = pcm_to_float(float_to_pcm(signal))
    assert back.dtype == np.float32
    assert np.all(np.abs(back - signal) <= 0.5 / 32_768)


def test_full_scale_is_minus_one_to_just_below_one() -> None:
    assert pcm_to_float(b"\x00\x80\x00\x00\xff\x7f").tolist() == [-1.0, 0.0, 32_767 / 32_768]


def test_float_beyond_full_scale_is_clipped_not_wrapped() -> None:
    assert int16(float_to_pcm(np.array([-1.5, 1.0, 7.0], np.float32))) == [-32_768, 32_767, 32_767]


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="multiple of element size"):
        pcm_to_float(b"\x00\x00\x00")


@pytest.mark.parametrize(("ms", "rate", "samples"), [(20, 16_000, 320), (1, 22_050, 22), (0, 16_000, 0)])
def test_milliseconds_become_whole_samples_rounded_down(ms: float, rate: int, samples: int) -> None:
    assert ms_to_samples(ms, rate) == samples


@given(st.binary(max_size=500), st.lists(st.integers(0, 500), max_size=20), st.integers(1, 20))
def test_any_chunking_gives_the_same_frames_and_loses_nothing(pcm: bytes, cuts: list[int], frame_samples: int) -> None:
    framer = Framer(frame_samples)
    frames = [frame for piece in pieces_of(pcm, cuts) for frame in framer.push(piece)]
    assert frames == Framer(frame_samples).push(pcm)
    assert {len(frame) for frame in frames} <= {frame_samples * 2}
    rest = framer.flush()
    assert len(rest) < frame_samples * 2
    assert b"".join(frames) + rest == pcm


def test_a_flushed_framer_begins_a_new_frame() -> None:
    framer = Framer(2)
    assert framer.push(b"abc") == []
    assert framer.flush() == b"abc"
    assert framer.flush() == b""
    assert framer.push(b"defg") == [b"defg"]


@given(
    capacity=st.integers(1, 64),
    start_offset=st.integers(0, 1_000),
    writes=st.lists(PCM, max_size=8),
    reads=st.lists(st.tuples(st.integers(-70, 300), st.integers(-70, 300)), min_size=1, max_size=8),
)
def test_the_ring_holds_the_last_samples_at_their_offsets(
    capacity: int, start_offset: int, writes: list[bytes], reads: list[tuple[int, int]]
) -> None:
    ring = RingBuffer(capacity, start_offset)
    written: list[int] = []
    assert (ring.start, ring.end) == (start_offset, start_offset)
    for pcm in writes:
        ring.write(pcm)
        written += int16(pcm)
        # The model: every sample ever written has an offset, and those of the last `capacity` are held.
        end = start_offset + len(written)
        held = {start_offset + n: sample for n, sample in enumerate(written)}
        held = {offset: sample for offset, sample in held.items() if offset >= end - capacity}
        assert ring.end == end
        assert ring.start == min(held, default=end)
        for first, last in reads:
            wanted = range(start_offset + first, start_offset + last)
            assert int16(ring.read(wanted.start, wanted.stop)) == [held[n] for n in wanted if n in held]


def test_what_was_read_does_not_change_when_the_ring_goes_on() -> None:
    ring = RingBuffer(2)
    ring.write(b"aabb")
    before = ring.read(0, 2)
    ring.write(b"ccdd")
    assert before == b"aabb"
    assert ring.read(0, 4) == b"ccdd"
