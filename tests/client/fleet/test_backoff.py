from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.fleet.backoff import GiveUp, Restart, RestartLimits, RestartPolicy

LIMITS = RestartLimits(initial_s=0.5, max_s=30, stable_s=60, max_failed_starts=5)


@dataclass(frozen=True)
class Life:
    """A life of a process: seconds to ready (None: never), seconds ready, exit status."""

    warm_s: float | None
    ready_s: float
    returncode: int


crashes = st.integers(-64, 255).filter(lambda returncode: returncode != 2)
lives = st.builds(
    Life,
    warm_s=st.none() | st.floats(0, 100),
    ready_s=st.floats(0, 200),
    returncode=crashes,
)


def play(policy: RestartPolicy, history: list[Life]) -> list[Restart | GiveUp]:
    now, decisions = 0.0, list[Restart | GiveUp]()
    for life in history:
        if life.warm_s is not None:
            now += life.warm_s
            policy.ready(now)
            now += life.ready_s
        decision = policy.exited(now, life.returncode)
        decisions.append(decision)
        if isinstance(decision, GiveUp):
            break
        now += decision.delay_s
    return decisions


def crash_loop(lives: int) -> list[Life]:
    return [Life(warm_s=1, ready_s=1, returncode=-11)] * lives


def test_the_delay_doubles_up_to_its_limit() -> None:
    delays = [d.delay_s for d in play(RestartPolicy(LIMITS), crash_loop(9)) if isinstance(d, Restart)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_process_that_was_ready_long_enough_starts_over_with_the_shortest_delay() -> None:
    history = [*crash_loop(4), Life(warm_s=1, ready_s=60, returncode=1)]
    assert play(RestartPolicy(LIMITS), history)[-1] == Restart(0.5)


def test_time_spent_warming_does_not_count_as_stable() -> None:
    history = [*crash_loop(4), Life(warm_s=500, ready_s=1, returncode=1)]
    assert play(RestartPolicy(LIMITS), history)[-1] == Restart(8)


def test_a_process_that_is_ready_again_after_a_wobble_keeps_the_first_moment_it_was_ready() -> None:
    policy = RestartPolicy(LIMITS)
    policy.exited(0, 1)
    policy.ready(10)
    policy.ready(65)
    assert policy.exited(75, 1) == Restart(0.5)


@pytest.mark.parametrize("before", [0, 3])
def test_refused_settings_are_final(before: int) -> None:
    policy = RestartPolicy(LIMITS)
    play(policy, crash_loop(before))
    assert policy.exited(1000, 2) == GiveUp("refused its settings")


def test_a_process_that_never_becomes_ready_is_given_up() -> None:
    never = [Life(warm_s=None, ready_s=0, returncode=1)] * 10
    decisions = play(RestartPolicy(LIMITS), never)
    assert len(decisions) == 5
    assert decisions[-1] == GiveUp("never became ready in 5 starts")


@given(st.lists(lives, max_size=80))
def test_every_delay_lies_within_the_limits(history: list[Life]) -> None:
    for decision in play(RestartPolicy(LIMITS), history):
        if isinstance(decision, Restart):
            assert LIMITS.initial_s <= decision.delay_s <= LIMITS.max_s


@given(st.lists(lives, max_size=80))
def test_a_process_that_was_ready_once_is_always_started_again(history: list[Life]) -> None:
    history = [Life(warm_s=0, ready_s=0, returncode=1), *history]
    assert all(isinstance(decision, Restart) for decision in play(RestartPolicy(LIMITS), history))


@given(st.lists(lives.map(lambda life: Life(life.warm_s, min(life.ready_s, 59), life.returncode)), max_size=80))
def test_the_delay_never_shrinks_while_no_life_is_stable(history: list[Life]) -> None:
    decisions = play(RestartPolicy(LIMITS), history)
    delays = [decision.delay_s for decision in decisions if isinstance(decision, Restart)]
    assert delays == sorted(delays)


@given(st.integers(0, 3000))
def test_a_very_long_crash_loop_stays_at_the_longest_delay(extra: int) -> None:
    assert play(RestartPolicy(LIMITS), crash_loop(20 + extra))[-1] == Restart(30)
