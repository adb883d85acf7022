"""How likely a turn is over."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.completeness import BIAS, SOUND_WEIGHT, WEIGHTS, Cue, completeness, cues, log_odds


@pytest.mark.parametrize("text", ["", "   ", "Yes", "Yes.", "Paris", "The blue one.", "是的。", "25", "Never mind."])
def test_a_short_answer_says_nothing_of_its_end(text: str) -> None:
    assert cues(text) == set()


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("What time is it?", Cue.QUESTION),
        ("你叫什么名字？", Cue.QUESTION),
        ("¿Dónde está la estación?", Cue.QUESTION),
        ("Who was the first person to walk on the moon?", Cue.LONG_QUESTION),
        ("Turn off the lights.", Cue.STATEMENT),
        ("这本书我已经看完了。", Cue.STATEMENT),
        ("put bread on my list", Cue.UNMARKED),
        ("He was born in 1969.", Cue.STATEMENT),
        ("My number is 555-234-8910.", Cue.STATEMENT),
    ],
)
def test_a_sentence_is_told_by_its_mark(text: str, cue: Cue) -> None:
    assert cues(text) == {cue}
    assert cues(f"{text}  ") == {cue}


@pytest.mark.parametrize("text", ["The code is 4-7.", "My number is 555.", "It is 555 213."])
def test_digits_one_by_one_may_go_on(text: str) -> None:
    assert Cue.DOUBTFUL in cues(text)


@pytest.mark.parametrize(
    "text", ["Let's meet on Monday, no.", "It starts at six, I mean.", "So it was, you know.", "我们星期一见面，不对。"]
)
def test_a_correction_may_follow(text: str) -> None:
    assert Cue.DOUBTFUL in cues(text)


@pytest.mark.parametrize("text", ["No", "No. No.", "No, wait.", "I said no."])
def test_a_refusal_is_no_correction(text: str) -> None:
    assert Cue.DOUBTFUL not in cues(text) or len(text.split()) > 3


def test_a_text_that_breaks_off_is_unfinished_whatever_its_mark() -> None:
    assert cues("Could you tell me if?") == {Cue.UNFINISHED}
    assert cues("I would like a table for.") == {Cue.UNFINISHED}


def test_what_is_known_adds_up() -> None:
    assert completeness(0.5, "") == BIAS
    asked = completeness(0.8, "What time is it?")
    assert asked == pytest.approx(BIAS + SOUND_WEIGHT * math.log(4) + WEIGHTS[Cue.QUESTION])


def test_certainty_counts_no_more_than_99_in_100() -> None:
    assert log_odds(1.0) == log_odds(0.99) == pytest.approx(math.log(99))
    assert log_odds(0.0) == log_odds(0.01) == pytest.approx(-math.log(99))


@given(st.floats(0, 1), st.text())
def test_any_text_can_be_judged(probability: float, text: str) -> None:
    assert math.isfinite(completeness(probability, text))
    assert len(cues(text) - {Cue.DOUBTFUL}) <= 1
