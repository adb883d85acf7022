"""A loudspeaker of arithmetic. Instants in seconds; `tone` makes 24 samples a millisecond."""

import pytest

from client.sound.loudspeaker import Position, SimulatedLoudspeaker
from tests.support.audio import silence, tone


def at(loudspeaker: SimulatedLoudspeaker, now: float) -> tuple[str, float, bool] | None:
    """Where it is, to the millisecond."""
    position = loudspeaker.position(now)
    return None if position is None else (position.item_id, round(position.audio_ms), position.playing)


def test_audio_is_played_from_when_it_came_and_without_a_gap() -> None:
    loudspeaker = SimulatedLoudspeaker()
    loudspeaker.push("a", tone(0.1), 10.0)
    loudspeaker.push("a", tone(0.2), 10.05)
    assert loudspeaker.position(10.05) == Position("a", 50.0, playing=True)
    assert at(loudspeaker, 10.25) == ("a", 250, True)
    assert loudspeaker.position(10.3) is None
    assert loudspeaker.heard("a", 10.3) == tone(0.1) + tone(0.2)
    assert loudspeaker.silent_since("a", 11.0) == pytest.approx(10.3)


def test_where_nothing_is_left_it_waits() -> None:
    loudspeaker = SimulatedLoudspeaker()
    loudspeaker.push("a", tone(0.1), 10.0)
    loudspeaker.push("a", tone(0.1), 10.5)
    assert at(loudspeaker, 10.55) == ("a", 150, True)


def test_a_held_loudspeaker_stands_still_and_goes_on_with_the_next_sample() -> None:
    loudspeaker = SimulatedLoudspeaker()
    loudspeaker.push("a", tone(0.2), 10.0)
    loudspeaker.hold(10.05)
    loudspeaker.push("a", silence(0.1), 10.06)
    assert at(loudspeaker, 10.9) == ("a", 50, False)
    assert loudspeaker.silent_since("a", 10.9) == pytest.approx(10.05)
    loudspeaker.resume(11.0)
    assert at(loudspeaker, 11.1) == ("a", 150, True)
    assert loudspeaker.heard("a", 12.0) == tone(0.2) + silence(0.1)


def test_what_is_flushed_is_never_heard() -> None:
    loudspeaker = SimulatedLoudspeaker()
    loudspeaker.push("a", tone(0.2), 10.0)
    loudspeaker.hold(10.05)
    loudspeaker.flush(10.1)
    loudspeaker.push("b", tone(0.1), 10.2)
    assert at(loudspeaker, 10.25) == ("b", 50, True)
    assert loudspeaker.heard("a", 11.0) == tone(0.2)[: 2 * 1200]
    assert loudspeaker.silent_since("a", 11.0) == pytest.approx(10.05)


def test_a_delay_counts_when_it_begins_and_after_it_ran_dry() -> None:
    loudspeaker = SimulatedLoudspeaker(delay_s=0.3)
    loudspeaker.push("a", tone(0.1), 10.0)
    loudspeaker.push("a", tone(0.1), 10.25)
    assert at(loudspeaker, 10.29) == ("a", 0, True)
    assert at(loudspeaker, 10.45) == ("a", 150, True)
    loudspeaker.push("a", tone(0.1), 11.0)
    assert at(loudspeaker, 11.2) == ("a", 200, True)
    assert at(loudspeaker, 11.35) == ("a", 250, True)


def test_replies_are_counted_each_for_itself() -> None:
    loudspeaker = SimulatedLoudspeaker()
    assert loudspeaker.position(9.0) is None
    loudspeaker.push("a", tone(0.1), 10.0)
    loudspeaker.push("b", tone(0.1), 10.0)
    assert at(loudspeaker, 10.05) == ("a", 50, True)
    assert at(loudspeaker, 10.15) == ("b", 50, True)
    assert loudspeaker.heard("unknown", 11.0) == b""
    assert loudspeaker.silent_since("unknown", 11.0) is None
