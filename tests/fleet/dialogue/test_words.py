"""Words as a listener compares them."""

import pytest

from tests.fleet.dialogue.words import closest_prefix, contains, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("There are 7 days, aren't there?", ["there", "are", "seven", "days", "aren't", "there"]),
        ("中國，北京！", ["zhong", "guo", "bei", "jing"]),
        ("我是 Anna", ["wo", "shi", "anna"]),
    ],
)
def test_a_text_has_these_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_phrase_is_found_by_whole_words_in_order() -> None:
    assert contains("It's in Paris, France.", "paris france")
    assert contains("你说的对", "说得")
    assert not contains("Parisian", "Paris")
    assert not contains("France, Paris", "Paris France")


@pytest.mark.parametrize(
    ("heard", "length", "differences"),
    [("a b c", 3, 0), ("", 0, 0), ("a x c", 3, 1), ("a b c d e f", 5, 1), ("a b x", 3, 1)],
)
def test_the_prefix_that_was_heard_is_the_closest_one(heard: str, length: int, differences: int) -> None:
    assert closest_prefix(heard.split(), ["a", "b", "c", "d", "e"]) == (length, differences)
