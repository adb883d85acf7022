from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from client.bench.questions import Question
from client.bench.script import PAUSE_S, STAGGER_S, scripts

ASKABLE = [Question(f"q{number}", None, b"") for number in range(5)]


@given(sessions=st.integers(1, 8), turns=st.integers(0, 30), seed=st.text(max_size=5))
def test_a_plan_has_a_warm_up_and_all_turns_for_every_session(sessions: int, turns: int, seed: str) -> None:
    plan = scripts(ASKABLE, sessions, turns, seed)
    assert len(plan) == sessions
    for script in plan:
        assert len(script.turns) == turns + 1
        assert all(PAUSE_S[0] <= pause_s <= PAUSE_S[1] for pause_s, _ in script.turns)
        assert all(one is not other for (_, one), (_, other) in pairwise(script.turns))


@given(sessions=st.integers(1, 8), seed=st.text(max_size=5))
def test_sessions_begin_one_after_the_other(sessions: int, seed: str) -> None:
    starts = [script.start_s for script in scripts(ASKABLE, sessions, 1, seed)]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert starts[-1] < STAGGER_S


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert scripts(ASKABLE, 3, 10, "a") == scripts(ASKABLE, 3, 10, "a") != scripts(ASKABLE, 3, 10, "b")


def test_every_question_is_asked_before_one_is_repeated() -> None:
    (script,) = scripts(ASKABLE, 1, 9, "a")
    asked = [question.name for _, question in script.turns]
    assert len(set(asked[:5])) == len(set(asked[5:])) == 5


def test_a_single_question_may_be_repeated() -> None:
    (script,) = scripts(ASKABLE[:1], 1, 3, "a")
    assert [question.name for _, question in script.turns] == ["q0"] * 4
