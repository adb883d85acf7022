"""Texts that break off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.unfinished import is_question, is_unfinished, length


@pytest.mark.parametrize(
    "text",
    [
        "I think that...",
        "well,",
        "the following:",
        "I was going to —",
        "我觉得……",
        "I would like a glass of water and",
        "I can't come tomorrow because.",
        "Could you tell me if?",
        "I would like, um.",
        "Quisiera una mesa para.",
        "No puedo ir porque",
        "Je voudrais une chambre pour.",
        "Ich glaube, dass",
        "如果你有时间的话",
        "我要苹果和。",
        "If you have time tomorrow.",
        "Because I was so tired.",
        "Si tienes tiempo el domingo.",
        "Quand j'étais petit garçon",
        "因为今天下大雨。",
    ],
)
def test_something_must_follow(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...?!"[3:],
        "Yes.",
        "And?",
        "Turn it on.",
        "Mach das Licht an.",
        "I don't think so.",
        "What are you waiting for?",
        "I wonder what this is for.",
        "Where is he from?",
        "When does the bus leave?",
        "If it rains, we will stay at home.",
        "When I got home last night the door was wide open.",
        "After you.",
        "当然。",
        "如果下雨，我们就不去。",
        "Je l'ai déjà vu.",
        "Das weiß ich.",
    ],
)
def test_nothing_needs_to_follow(text: str) -> None:
    assert not is_unfinished(text)


@pytest.mark.parametrize("text", ["Is it?", "是吗？", "هل هذا صحيح؟", "Is it? "])
def test_a_question_is_told_by_its_mark(text: str) -> None:
    assert is_question(text)
    assert not is_question(text.rstrip()[:-1])


def test_scripts_without_spaces_are_measured_by_character() -> None:
    assert length("") == 0
    assert length("What time is it?") == 4
    assert length("现在几点了") == pytest.approx(3.5)


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    assert is_unfinished(text) in (True, False)
    assert length(text) >= 0
