"""Rewritten text knows where each character came from."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.tts.text.spoken import Spoken

WORDS = st.lists(st.sampled_from(["one", "2", "three", "--", "four,", "5%"]), max_size=8).map(" ".join)


def consistent(spoken: Spoken, source: str) -> None:
    assert len(spoken.origins) == len(spoken.text) + 1
    assert list(spoken.origins) == sorted(spoken.origins)
    assert spoken.origins[-1] == len(source)


def test_unchanged_text_maps_to_itself() -> None:
    assert Spoken.of("abc").origins == (0, 1, 2, 3)


def test_a_longer_word_counts_as_spoken_only_at_its_end() -> None:
    spoken = Spoken.of("a 5% b").sub(re.compile("5%"), "five percent")
    assert spoken.text == "a five percent b"
    assert spoken.origins[spoken.text.index("percent")] == 2
    assert spoken.origins[spoken.text.index(" b")] == 4


def test_what_is_kept_of_a_match_keeps_its_place() -> None:
    spoken = Spoken.of("see [this link](https://a.b) now").sub(re.compile(r"\[([^]]+)\]\([^)]+\)"), r"\1")
    assert spoken.text == "see this link now"
    assert spoken.origins[spoken.text.index("link")] == 10


def test_words_that_a_normaliser_keeps_are_found_again() -> None:
    spoken = Spoken.of("on 20 May at 5 km").rewritten("on the twentieth of May at 5 kilometers")
    assert spoken.origins[spoken.text.index("May")] == 6
    assert spoken.origins[spoken.text.index("kilometers")] == 15
    consistent(spoken, "on 20 May at 5 km")


@given(WORDS, st.sampled_from(["", "x", "two words"]))
def test_origins_never_decrease_and_end_at_the_end_of_the_source(source: str, replacement: str) -> None:
    spoken = Spoken.of(source).sub(re.compile(r"\d"), replacement).sub(re.compile("o+"), replacement)
    consistent(spoken, source)


@given(WORDS, WORDS)
def test_any_rewriting_keeps_origins_in_order(source: str, text: str) -> None:
    consistent(Spoken.of(source).rewritten(text), source)
