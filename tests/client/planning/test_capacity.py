from dataclasses import replace

import pytest

from client.planning import catalog
from client.planning.capacity import Promise, Since, Trials, capacity, splits
from client.planning.cost import hosted_minute, own_minute
from client.planning.simulation import Outcome, Scenario, simulate
from client.planning.validation import Comparison, validate

SCENARIO = Scenario(
    machine=catalog.machine("h100"),
    talk=catalog.talk("conversation"),
    voice="fish",
    sessions=1,
    seconds=30,
    # A slow card carries few, which is quickly found.
    slower=1.25,
)


def test_one_step_more_breaks_the_promise() -> None:
    promise = Promise(550)
    found = capacity(Trials(SCENARIO), promise)
    assert found.sessions > 1
    assert found.best.sessions == found.sessions
    assert promise.is_kept(found.best)
    assert found.beyond is not None
    assert found.sessions < found.beyond.sessions <= found.sessions + max(1, found.sessions // 16)
    assert not promise.is_kept(found.beyond)


def test_a_promise_that_one_session_breaks_carries_none() -> None:
    found = capacity(Trials(SCENARIO), Promise(100))
    assert found.sessions == 0
    assert found.best.sessions == 1


def test_a_longer_promise_or_a_faster_card_carries_no_less() -> None:
    trials = Trials(SCENARIO)
    strict, loose = (capacity(trials, Promise(ms)).sessions for ms in (480, 520))
    faster = capacity(Trials(replace(SCENARIO, slower=1.0)), Promise(480)).sessions
    assert strict <= loose
    assert strict < faster


def test_each_number_of_sessions_is_simulated_once() -> None:
    seen: list[Outcome] = []
    trials = Trials(SCENARIO, seen.append)
    capacity(trials, Promise(500))
    capacity(trials, Promise(500))
    counts = [outcome.sessions for outcome in seen]
    assert len(counts) == len(set(counts))


def test_a_promise_counts_from_what_it_says() -> None:
    outcome = simulate(replace(SCENARIO, sessions=4, seconds=120))
    plain, every, decided = (
        Promise(500, since).latency_ms(outcome) for since in (Since.SPEECH, Since.EVERY, Since.DECISION)
    )
    assert decided < plain < every


def test_gaps_and_turns_without_an_answer_break_a_promise() -> None:
    kept = simulate(replace(SCENARIO, sessions=2))
    assert Promise(600).is_kept(kept)
    assert not Promise(600).is_kept(replace(kept, gap_share=0.5))
    assert not Promise(600).is_kept(replace(kept, failed=1))
    assert not Promise(600).is_kept(replace(kept, plain_ms=[]))


def test_ways_to_use_two_cards_come_with_the_best_first() -> None:
    ways = splits(SCENARIO, 2, Promise(500))
    assert [way.sessions for way in ways] == sorted((way.sessions for way in ways), reverse=True)
    alone = capacity(Trials(SCENARIO), Promise(500)).sessions
    assert {way.placement.text: way.sessions for way in ways}["stt+llm+tts"] == 2 * alone
    assert len(ways) == 4


def test_a_full_card_is_shared_by_its_sessions() -> None:
    assert own_minute(3.0, 2, 50) == pytest.approx(0.002)
    assert own_minute(3.0, 1, 0) is None


def test_a_hosted_minute_is_paid_by_the_second_of_audio() -> None:
    prices = catalog.prices()
    outcome = simulate(replace(SCENARIO, sessions=2, seconds=300))
    # 10 tokens a second at 32 dollars in, 20 at 64 out; the history that is sent again comes on top.
    new = (outcome.speech_s * 320 + outcome.reply_s * 1280) / 1e6 / 10
    cost = hosted_minute(prices, outcome)
    assert new < cost < 1.3 * new
    assert hosted_minute(prices, replace(outcome, turns=0)) == 0


@pytest.fixture(scope="module")
def comparisons() -> dict[int, Comparison]:
    return {each.predicted.sessions: each for each in validate()}


def test_predictions_of_the_measured_runs_are_as_far_off_as_the_documentation_says(
    comparisons: dict[int, Comparison],
) -> None:
    assert sorted(comparisons) == [1, 2, 4, 8]
    for sessions, p50, p90 in ((1, 0.10, 0.10), (2, 0.15, 0.20), (4, 0.20, 0.40)):
        each = comparisons[sessions]
        assert each.p50_error is not None
        assert abs(each.p50_error) < p50
        assert each.p90_error is not None
        assert abs(each.p90_error) < p90


def test_what_was_not_measured_has_no_error(comparisons: dict[int, Comparison]) -> None:
    assert comparisons[8].p50_error is None
    assert comparisons[8].p90_error is None
    assert comparisons[8].predicted.p(50) > comparisons[4].predicted.p(50)
