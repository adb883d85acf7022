"""Packets in any order, and where they lie in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.edge.webrtc.jitter import JitterBuffer, Packet, Timeline, signed

FRAME = 960


def packet(number: int, first: int = 0) -> Packet:
    """The `number`-th packet of a stream of 20 ms packets, whose counters wrap around."""
    return Packet((first + number) & 0xFFFF, (first * 7 + number * FRAME) & 0xFFFFFFFF, b"%d" % number)


def given_for(buffer: JitterBuffer, *numbers: int, first: int = 0) -> list[int]:
    """The numbers of the packets that come out for those that go in."""
    return [int(out.payload) for number in numbers for out in buffer.push(packet(number, first))]


def test_packets_in_order_are_given_at_once() -> None:
    buffer = JitterBuffer()
    for number in range(100):
        assert given_for(buffer, number, first=65_500) == [number]
    assert (buffer.dropped, buffer.waits) == (0, False)


def test_two_packets_that_changed_places_are_put_right() -> None:
    buffer = JitterBuffer()
    assert given_for(buffer, 0, 2) == [0]
    assert buffer.waits
    assert given_for(buffer, 1) == [1, 2]
    assert not buffer.waits


def test_a_lost_packet_is_waited_for_no_longer_than_40_ms_of_audio() -> None:
    buffer = JitterBuffer()
    assert given_for(buffer, 0, 2, 3) == [0]
    assert given_for(buffer, 4) == [2, 3, 4]
    assert given_for(buffer, 5) == [5]


def test_a_packet_that_was_given_up_or_comes_twice_is_dropped_and_counted() -> None:
    buffer = JitterBuffer()
    assert given_for(buffer, 0, 2, 3, 4, 1, 4) == [0, 2, 3, 4]
    assert buffer.dropped == 2
    assert given_for(buffer, 6, 6) == []
    assert buffer.dropped == 3


def test_two_gaps_in_a_row_are_both_given_up() -> None:
    buffer = JitterBuffer()
    assert given_for(buffer, 0, 2, 4, 6) == [0, 2, 4]
    assert [int(out.payload) for out in buffer.flush()] == [6]


def test_a_sender_that_begins_anew_is_followed() -> None:
    buffer = JitterBuffer()
    assert given_for(buffer, 0, 1, 3) == [0, 1]
    assert given_for(buffer, 30_000) == [3, 30_000]
    assert given_for(buffer, 30_001) == [30_001]


@given(st.integers(0, 65_535), st.lists(st.integers(0, 80), max_size=120))
def test_whatever_comes_what_is_given_is_in_order_and_nothing_is_lost_uncounted(first: int, numbers: list[int]) -> None:
    buffer = JitterBuffer()
    out = given_for(buffer, *numbers, first=first) + [int(left.payload) for left in buffer.flush()]
    assert out == sorted(set(out))
    assert len(out) + buffer.dropped == len(numbers)


def test_a_gap_is_as_long_as_the_timestamps_say() -> None:
    timeline = Timeline()
    start = 0xFFFFFFFF - 100
    assert timeline.gap_before(start) == 0
    timeline.advance(start, FRAME)
    assert timeline.gap_before(start + FRAME) == 0
    assert timeline.gap_before((start + 4 * FRAME) & 0xFFFFFFFF) == 3 * FRAME
    # Overlapping audio is no gap, and a long absence counts as a short one.
    assert timeline.gap_before(start) == 0
    assert timeline.gap_before((start + 60 * 48_000) & 0xFFFFFFFF) == 2 * 48_000


@pytest.mark.parametrize(("difference", "expected"), [(1, 1), (-1, -1), (0xFFFF, -1), (0x8000, -0x8000), (-0xFFFF, 1)])
def test_counters_that_wrap_differ_by_the_shorter_way(difference: int, expected: int) -> None:
    assert signed(difference, 16) == expected
