"""Pieces of text are cut where a speaker would pause."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tts.text.split import units

TEXT = st.text(st.sampled_from("ab A.,!? \n今。，1*”"), max_size=120)


def cut(text: str, limit: int = 200, first_limit: int = 200) -> list[str]:
    return [text[unit.start : unit.end] for unit in units(text, limit, first_limit)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("Dr. Smith left. He ran.", ["Dr. Smith left. ", "He ran."]),
        ("It costs 3.5 euros, e.g. here. Yes.", ["It costs 3.5 euros, e.g. here. ", "Yes."]),
        ("你好。今天好吗？好！", ["你好。", "今天好吗？", "好！"]),
        ("He said “no.” Then left.", ["He said “no.” ", "Then left."]),
        ("1. Open it.\n2. Close it.", ["1. Open it.\n", "2. Close it."]),
        ("Well… maybe. So.", ["Well… maybe. ", "So."]),
        ("no end", ["no end"]),
    ],
)
def test_sentences_are_units(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    assert cut("the first part, the second part, end", limit=20) == ["the first part,", " the second part,", " end"]


def test_without_a_clause_it_is_cut_after_a_word() -> None:
    assert cut("one two three four", limit=9) == ["one two ", "three ", "four"]


def test_without_a_word_it_is_cut_anywhere() -> None:
    assert cut("x" * 25, limit=10) == ["x" * 10, "x" * 10, "x" * 5]


def test_only_the_first_unit_is_cut_early_and_only_after_a_clause() -> None:
    assert cut("Sure, I can help, of course. Sure, I can.", first_limit=10) == [
        "Sure,",
        " I can help, of course. ",
        "Sure, I can.",
    ]
    assert cut("Without any clause at all.", first_limit=10) == ["Without any clause at all."]


@given(TEXT, st.integers(1, 40), st.integers(1, 40))
def test_units_cover_the_text_within_the_limit(text: str, limit: int, first_limit: int) -> None:
    found = units(text, limit, first_limit)
    assert "".join(text[unit.start : unit.end] for unit in found) == text
    assert all(0 < unit.end - unit.start <= limit for unit in found)
    assert all(before.end == after.start for before, after in itertools.pairwise(found))
