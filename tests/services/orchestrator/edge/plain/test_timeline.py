"""Audio is placed by its headers as it would be if numbers did not wrap around."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.edge.plain.framing import HEADER_BYTES, Header, distance
from services.orchestrator.edge.plain.timeline import Placement, Timeline

MAX_GAP = 16_000
WRAP = 1 << 32
NUMBERS = st.integers(0, WRAP - 1)


@given(NUMBERS, NUMBERS)
def test_a_header_survives_the_wire(sequence: int, timestamp: int) -> None:
    packed = Header(sequence, timestamp).pack()
    assert len(packed) == HEADER_BYTES
    assert packed == sequence.to_bytes(4, "big") + timestamp.to_bytes(4, "big")
    assert Header.unpack(packed + b"\1\2") == Header(sequence, timestamp)


@given(NUMBERS, st.integers(-(1 << 31), (1 << 31) - 1))
def test_distances_go_through_the_wrap(origin: int, far: int) -> None:
    assert distance((origin + far) % WRAP, origin) == far


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame as a client with numbers without bounds would number it, relative to what it should send next."""

    ahead: int  # frames left out before it (below 0: sent again)
    gap: int  # samples missing before it (below 0: overlap)
    samples: int


SENT = st.builds(
    Sent,
    st.one_of(st.just(0), st.integers(-5, 5)),
    st.one_of(st.just(0), st.integers(-2, 2), st.integers(-2_000, 40_000)),
    st.integers(0, 1_000),
)


@given(NUMBERS, NUMBERS, st.lists(SENT, max_size=40))
def test_frames_lie_where_unbounded_numbers_would_put_them(sequence: int, timestamp: int, sent: list[Sent]) -> None:
    timeline = Timeline(MAX_GAP)
    known: int | None = None  # the end of what is there
    for frame in sent:
        header = Header((sequence + frame.ahead) % WRAP, (timestamp + frame.gap) % WRAP)
        placement = timeline.place(header, frame.samples)
        if known is None:
            assert placement == Placement()
            sequence, timestamp = sequence + frame.ahead + 1, timestamp + frame.gap + frame.samples
            known = timestamp
        elif frame.ahead < 0:
            assert placement == Placement(known=frame.samples, is_old=True)
        else:
            start, end = timestamp + frame.gap, timestamp + frame.gap + frame.samples
            missing = max(0, start - known)
            assert placement.silence == min(missing, MAX_GAP)
            assert placement.silence + placement.skipped == missing
            assert placement.known == min(frame.samples, max(0, known - start))
            sequence += frame.ahead + 1
            timestamp = known = max(known, end)


def test_a_lost_frame_is_silence_of_its_length() -> None:
    timeline = Timeline(MAX_GAP)
    timeline.place(Header(WRAP - 1, WRAP - 320), 320)
    assert timeline.place(Header(1, 320), 320) == Placement(silence=320)


def test_a_microphone_that_was_off_for_a_minute_is_a_second_of_silence() -> None:
    timeline = Timeline(MAX_GAP)
    timeline.place(Header(0, 0), 320)
    assert timeline.place(Header(1, 320 + 960_000), 320) == Placement(silence=16_000, skipped=944_000)
    assert timeline.place(Header(2, 640 + 960_000), 320) == Placement()


@pytest.mark.parametrize("back", [1, 5, 1 << 30])
def test_timestamps_that_go_back_do_not_move_the_end(back: int) -> None:
    timeline = Timeline(MAX_GAP)
    timeline.place(Header(0, 0), 320)
    placement = timeline.place(Header(1, (320 - back) % WRAP), 0)
    assert (placement.silence, placement.skipped) == (0, 0)
    assert timeline.place(Header(2, 320), 320) == Placement()
