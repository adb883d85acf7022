"""How much silence ends a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.endpointing import Eagerness, FixedSilence, SemanticEndpointing

PROBABILITIES = st.floats(0, 1)
TEXTS = st.sampled_from(("", "Yes", "What time is it?", "It is half past seven.", "and then", "My number is 555."))
COMPLETE, UNFINISHED = "What time is it?", "Could you tell me if"


@pytest.mark.parametrize("probability", [None, 0.0, 0.5, 1.0])
def test_a_fixed_silence_does_not_ask_what_was_said(probability: float | None) -> None:
    for text in ("", COMPLETE, UNFINISHED):
        assert FixedSilence(0.3).needed_silence_s(probability, text) == 0.3
        assert FixedSilence().needed_silence_s(probability, text) == 0.5


@pytest.mark.parametrize(
    ("eagerness", "soon", "late"),
    [
        (Eagerness.LOW, 0.4, 4.0),
        (Eagerness.MEDIUM, 0.25, 2.0),
        (Eagerness.HIGH, 0.2, 1.0),
        (Eagerness.AUTO, 0.25, 2.0),
    ],
)
def test_a_complete_turn_is_taken_soon_and_an_unfinished_one_late(
    eagerness: Eagerness, soon: float, late: float
) -> None:
    endpointing = SemanticEndpointing(eagerness)
    assert endpointing.needed_silence_s(1.0, COMPLETE) == soon
    assert endpointing.needed_silence_s(0.0, UNFINISHED) == pytest.approx(late)
    doubtful = endpointing.needed_silence_s(0.05, "It is half past seven.")
    assert soon < doubtful < late


def test_words_speak_for_a_turn_that_sounds_open_and_against_one_that_sounds_final() -> None:
    semantic = SemanticEndpointing()
    assert semantic.needed_silence_s(0.1, "Where are you from?") <= 0.3
    assert semantic.needed_silence_s(0.97, "Could you tell me if...") >= 0.7
    assert semantic.needed_silence_s(0.99, "I would like to book a table for,") >= 0.7


def test_a_short_answer_is_judged_by_its_sound() -> None:
    semantic = SemanticEndpointing()
    assert semantic.needed_silence_s(0.9, "Paris") == 0.25
    assert semantic.needed_silence_s(0.05, "Well") >= 1.0


@given(st.sampled_from(Eagerness), PROBABILITIES | st.none(), TEXTS)
def test_where_the_sound_or_the_words_are_unknown_no_turn_is_taken_at_once(
    eagerness: Eagerness, probability: float | None, text: str
) -> None:
    endpointing = SemanticEndpointing(eagerness)
    assert endpointing.needed_silence_s(probability) >= 0.7
    assert endpointing.needed_silence_s(None, text) >= 0.7


def test_words_tell_even_where_the_sound_is_unknown() -> None:
    semantic = SemanticEndpointing()
    assert semantic.needed_silence_s(None, COMPLETE) == 0.7
    assert semantic.needed_silence_s(None, UNFINISHED) == 2.0


@given(st.sampled_from(Eagerness), PROBABILITIES, PROBABILITIES, TEXTS)
def test_the_surer_the_end_the_shorter_the_silence(eagerness: Eagerness, one: float, other: float, text: str) -> None:
    endpointing = SemanticEndpointing(eagerness)
    surer, less_sure = max(one, other), min(one, other)
    assert endpointing.needed_silence_s(surer, text) <= endpointing.needed_silence_s(less_sure, text)


@given(PROBABILITIES | st.none(), st.text(max_size=20) | TEXTS)
def test_the_more_eager_the_shorter_the_silence(probability: float | None, text: str) -> None:
    low, medium, high = (
        SemanticEndpointing(eagerness).needed_silence_s(probability, text)
        for eagerness in (Eagerness.LOW, Eagerness.MEDIUM, Eagerness.HIGH)
    )
    assert low >= medium >= high > 0
    assert low <= 4.0
