"""A loudspeaker that says where it is. Times in seconds, audio at 24 kHz: 24 samples a millisecond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.playout import MAX_BEHIND_S, MAX_HOLD_S, Playout

RATE = 24_000
MS = RATE // 1000
LEAD_S = 0.15


def speaking(words: int = 10, lead_s: float = LEAD_S) -> Playout:
    """A playout that has all of a text; every word is 100 ms long."""
    playout = Playout(lead_s)
    for number in range(words):
        word = f"word{number} "
        start = len(playout.text)
        playout.text += word
        playout.append(bytes(2 * 100 * MS), start, len(playout.text))
    return playout


def play(playout: Playout, start: float, seconds: float, report_ms: float | None = None, playing: bool = True) -> float:
    """Sends what is due for a while; with `report_ms` the loudspeaker says every 200 ms that it is there. The end."""
    now, end, next_report = start, start + seconds, start
    while now < end:
        if report_ms is not None and now >= next_report:
            playout.report(report_ms * MS, now, playing=playing)
            next_report += 0.2
        due_s = playout.next_due_s(now)
        if due_s == 0.0:
            assert playout.take(now) is not None
        else:
            upcoming = next_report if report_ms is not None else end
            now = min(end, max(now + 1e-6, upcoming), now + max(due_s if due_s is not None else seconds, 1e-6))
    return end


def test_a_report_takes_the_place_of_the_clock_and_the_position_runs_on_from_it() -> None:
    playout = speaking(lead_s=1.0)
    playout.take(0.0)
    assert playout.heard_text(0.5) == "word0 word1 word2 word3 word4"
    playout.report(200 * MS, 0.5)
    assert playout.heard_text(0.5) == "word0 word1"
    assert playout.heard_samples(0.6) == 300 * MS


def test_a_loudspeaker_behind_a_jitter_buffer_is_cut_where_it_is() -> None:
    playout = speaking(20)
    now = play(playout, 0.0, 1.0)
    assert playout.heard_text(now).endswith("word9")
    playout.report(600 * MS, now)  # 400 ms behind the clock
    assert playout.heard_text(now).endswith("word5")
    now = play(playout, now, 0.5)
    assert playout.heard_text(now).endswith("word10")


@pytest.mark.parametrize(("reported_ms", "heard_ms"), [(-50, 0), (0, 0), (149, 149), (151, 150), (1e300, 150)])
def test_what_was_not_sent_was_not_heard_and_less_than_nothing_is_nothing(reported_ms: float, heard_ms: int) -> None:
    playout = speaking()
    playout.take(0.0)
    playout.report(reported_ms * MS, 0.05, playing=False)
    assert playout.heard_samples(0.05) == heard_ms * MS


def test_a_loudspeaker_that_is_held_stands_still_until_it_is_forgotten() -> None:
    playout = speaking(lead_s=1.0)
    playout.take(0.0)
    playout.report(100 * MS, 0.2, playing=False)
    assert playout.heard_samples(0.2 + MAX_HOLD_S) == 100 * MS
    assert playout.heard_samples(0.3 + MAX_HOLD_S) == 200 * MS
    playout.report(100 * MS, 5.0, playing=False)  # said again: it counts from here
    assert playout.heard_samples(5.0 + MAX_HOLD_S) == 100 * MS


def test_a_held_loudspeaker_goes_on_with_the_sending_and_gets_no_more_than_the_lead() -> None:
    playout = speaking(20)
    now = play(playout, 0.0, 0.5)
    playout.report(450 * MS, now, playing=False)
    playout.resume(now + 1.0)  # nothing is sent in between: the reply was paused
    assert playout.heard_samples(now + 1.0) == 450 * MS
    assert playout.take(now + 1.0) is None  # it still has the lead
    assert playout.heard_samples(now + 1.05) == 500 * MS
    play(playout, now + 1.0, 0.5)
    assert playout.sent_samples <= (950 + LEAD_S * 1000) * MS + 1


def test_sending_goes_on_for_one_that_was_never_held() -> None:
    playout = speaking(20)
    now = play(playout, 0.0, 0.5)
    playout.report(200 * MS, now)
    playout.resume(now)
    assert playout.heard_samples(now) == 200 * MS


def test_a_player_that_fills_a_buffer_before_it_begins_gets_what_it_waits_for() -> None:
    playout = speaking(50)
    play(playout, 0.0, 0.8, report_ms=0, playing=False)
    assert playout.sent_samples >= 500 * MS


@pytest.mark.parametrize("playing", [True, False])
def test_a_stalled_loudspeaker_is_not_flooded(playing: bool) -> None:
    playout = speaking(200)
    play(playout, 0.0, 15.0, report_ms=300, playing=playing)
    dead_reckoning_ms = 200 if playing else 0  # between two reports
    assert playout.sent_samples <= (300 + (LEAD_S + MAX_BEHIND_S) * 1000 + dead_reckoning_ms) * MS + 1


def test_a_loudspeaker_that_is_faster_than_the_clock_does_not_run_dry() -> None:
    playout = speaking(20)
    playout.take(0.0)
    playout.report(140 * MS, 0.05)
    outgoing = playout.take(0.05)
    assert outgoing is not None
    assert playout.sent_samples == (140 + LEAD_S * 1000) * MS


def test_who_does_not_report_is_never_behind() -> None:
    playout = speaking(5, lead_s=0.5)
    playout.take(0.0)
    assert playout.lag_s(0.0) == 0.0


def test_a_loudspeaker_that_is_behind_is_waited_for_until_only_the_lead_is_left() -> None:
    playout = speaking(10)
    now = play(playout, 0.0, 1.2)
    playout.report(600 * MS, now)
    assert playout.lag_s(now) == pytest.approx(0.25)
    assert playout.lag_s(now + 0.25) == pytest.approx(0.0, abs=1e-9)


def test_a_loudspeaker_that_stalls_at_the_end_is_not_waited_for_for_ever() -> None:
    playout = speaking(10)
    play(playout, 0.0, 1.0)
    playout.report(0, 1.5)
    assert playout.lag_s(1.5) == pytest.approx(0.35)
    playout.report(0, 0.85 + MAX_BEHIND_S)
    assert playout.lag_s(0.85 + MAX_BEHIND_S) == pytest.approx(0.0, abs=1e-9)


def test_a_held_loudspeaker_is_waited_for() -> None:
    playout = speaking(10)
    now = play(playout, 0.0, 2.0)
    playout.report(600 * MS, now, playing=False)
    assert playout.lag_s(now) == pytest.approx(0.25 + MAX_HOLD_S)
    playout.report(850 * MS, now, playing=False)
    assert playout.lag_s(now) == 0.0


steps = st.lists(
    st.one_of(
        st.floats(0, 0.4),
        st.tuples(st.floats(-100, 3_000), st.booleans()),
        st.sampled_from(("take", "due", "resume")),
    ),
    max_size=40,
)


@given(steps, st.sampled_from((0.02, 0.15, 1.0)), st.sampled_from((0.0, 12_345.678, 1e8)))
def test_whatever_is_reported_all_is_sent_when_it_is_due_and_never_more_is_heard_than_sent(
    happenings: list[float | tuple[float, bool] | str], lead_s: float, start_s: float
) -> None:
    playout, now = speaking(15, lead_s), start_s

    def take_when_due() -> bool:
        nonlocal now
        if (due_s := playout.next_due_s(now)) is None:
            return False
        assert 0 <= due_s <= MAX_HOLD_S + lead_s + MAX_BEHIND_S
        now += due_s
        assert playout.take(now) is not None, "the time had come and there was nothing"
        return True

    for happening in happenings:
        match happening:
            case (milliseconds, playing):
                playout.report(milliseconds * MS, now, playing=playing)
            case "take":
                playout.take(now)
            case "due":
                take_when_due()
            case "resume":
                playout.resume(now)
            case float():
                now += happening
        assert 0 <= playout.heard_samples(now) <= playout.sent_samples
        assert 0 <= playout.lag_s(now) <= MAX_HOLD_S + 1.5
    while take_when_due():
        pass
    assert playout.sent_samples == 1_500 * MS
    later = now + MAX_HOLD_S + 2.0
    assert playout.lag_s(later) == 0.0
    assert playout.heard_text(later) == playout.text.rstrip()
