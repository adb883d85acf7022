"""Markup, pictures and links are not read out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tts.text.clean import clean, has_speech
from services.tts.text.spoken import Spoken


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("**Bold** and _soft_ and `code`", "Bold and soft and code"),
        ("# Title", "Title"),
        ("- first\n- second", "first second"),
        ("1. first", "1. first"),
        ("[the page](https://a.b/c?d=e)", "the page"),
        ("Go to https://www.example.com/x?y=1.", "Go to example dot com."),
        ("See http://localhost:8000/a.", "See localhost."),
        ("fine 😀👍🏽 ok", "fine ok"),
        ("a | b", "a b"),
        ("snake_case stays", "snake_case stays"),
        ("2 * 3", "2 * 3"),
        ("```python\nx = 1\n```", " x = 1 "),
    ],
)
def test_only_what_is_said_is_left(source: str, said: str) -> None:
    assert clean(Spoken.of(source), "dot").text == said


@pytest.mark.parametrize("text", ["", "...", "😀🎉", "**", "---", "\n", "％", "→", "🇫🇷"])
def test_text_without_letters_and_digits_has_nothing_to_say(text: str) -> None:
    assert not has_speech(text)


@pytest.mark.parametrize("text", ["a", "7", "é", "今", "か"])
def test_one_letter_is_something_to_say(text: str) -> None:
    assert has_speech(text)


@given(st.text(max_size=60))
def test_origins_stay_in_order_whatever_the_text(source: str) -> None:
    spoken = clean(Spoken.of(source), "dot")
    assert list(spoken.origins) == sorted(spoken.origins)
    assert len(spoken.origins) == len(spoken.text) + 1
    assert spoken.origins[-1] == len(source)
