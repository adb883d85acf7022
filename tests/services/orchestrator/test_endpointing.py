"""How much silence ends a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.endpointing import COMPLETE, Eagerness, FixedSilence, SemanticEndpointing

PROBABILITIES = st.floats(0, 1)


@pytest.mark.parametrize("probability", [None, 0.0, 0.5, 1.0])
def test_a_fixed_silence_does_not_ask_what_was_said(probability: float | None) -> None:
    assert FixedSilence(0.3).needed_silence_s(probability) == 0.3
    assert FixedSilence().needed_silence_s(probability) == 0.5


@pytest.mark.parametrize(
    ("eagerness", "finished", "unknown", "unfinished"),
    [
        (Eagerness.LOW, 0.4, 0.7, 4.0),
        (Eagerness.MEDIUM, 0.2, 0.7, 2.0),
        (Eagerness.HIGH, 0.2, 0.7, 1.0),
        (Eagerness.AUTO, 0.2, 0.7, 2.0),
    ],
)
def test_a_finished_sentence_ends_the_turn_soon_and_an_unfinished_one_late(
    eagerness: Eagerness, finished: float, unknown: float, unfinished: float
) -> None:
    endpointing = SemanticEndpointing(eagerness)
    assert endpointing.needed_silence_s(1.0) == finished
    assert endpointing.needed_silence_s(COMPLETE) == finished
    assert endpointing.needed_silence_s(None) == unknown
    assert endpointing.needed_silence_s(0.0) == pytest.approx(unfinished)
    # Half as sure as it takes: half way between.
    assert endpointing.needed_silence_s(COMPLETE / 2) == pytest.approx((finished + unfinished) / 2)


@given(st.sampled_from(Eagerness), PROBABILITIES, PROBABILITIES)
def test_the_surer_the_end_the_shorter_the_silence(eagerness: Eagerness, one: float, other: float) -> None:
    endpointing = SemanticEndpointing(eagerness)
    surer, less_sure = max(one, other), min(one, other)
    assert endpointing.needed_silence_s(surer) <= endpointing.needed_silence_s(less_sure)


@given(PROBABILITIES | st.none())
def test_the_more_eager_the_shorter_the_silence(probability: float | None) -> None:
    low, medium, high = (
        SemanticEndpointing(eagerness).needed_silence_s(probability)
        for eagerness in (Eagerness.LOW, Eagerness.MEDIUM, Eagerness.HIGH)
    )
    assert low >= medium >= high > 0


def test_the_mark_at_the_end_of_the_text_shortens_what_the_sound_left_open() -> None:
    semantic = SemanticEndpointing()
    unfinished = semantic.needed_silence_s(0.0)
    asked, said = semantic.needed_silence_s(0.0, "Is it?"), semantic.needed_silence_s(0.0, "It is.")
    assert semantic.needed_silence_s(1.0) < asked < said < unfinished
    assert semantic.needed_silence_s(0.0, "今天天气怎么样？") == asked
    assert semantic.needed_silence_s(0.0, "好的。 ") == said
    for open_end in ("", "and then", "well,", "I think...", "..."):
        assert semantic.needed_silence_s(0.0, open_end) == unfinished


@given(PROBABILITIES, st.text(max_size=10))
def test_no_text_lengthens_the_silence(probability: float, text: str) -> None:
    semantic = SemanticEndpointing()
    assert semantic.needed_silence_s(probability, text) <= semantic.needed_silence_s(probability)
