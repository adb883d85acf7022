"""What makes a dialogue fail. Each test tells a conversation that went well, and the same one gone wrong."""

from typing import Any

import pytest

from tests.fleet.dialogue.journal import HeardReply, HeardTurn, Record
from tests.fleet.dialogue.judge import judge
from tests.fleet.dialogue.script import parse
from tests.support.audio import tone

QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."
STORY = "Once upon a time, there was a farmer who lived in a small village near the sea."


def turn(text: str = QUESTION, **changes: Any) -> HeardTurn:
    return HeardTurn(**{"item_id": "u1", "text": text, "history": text} | changes)


def reply(text: str = ANSWER, **changes: Any) -> HeardReply:
    """A reply that was heard whole."""
    fields = {"response_id": "r1", "item_id": "a1", "status": "completed", "history": text, "aloud": text}
    return HeardReply(**fields | {"text": text, "pcm": tone(1.0)} | changes)


def cut(*, heard: str, kept: str) -> HeardReply:
    """A reply that was interrupted."""
    return reply(STORY, status="cancelled", reason="turn_detected", aloud=heard, history=kept)


def record(*replies: HeardReply, turns: tuple[HeardTurn, ...] = (turn(),), **changes: Any) -> Record:
    return Record(list(turns), list(replies), **changes)


def problems(expected: str, played: Record, said: str = "") -> list[str]:
    """What is wrong with `played`, where the script is one question and a reply with `expected`."""
    steps = f'{{say = "Hello.", {said}}}, {{{expected}}}' if expected else f'{{say = "Hello.", {said}}}'
    return judge(parse(f'title = "A test"\nscript = [{steps.replace(", }", "}")}]', "a.toml"), played)


def test_a_dialogue_that_went_well_has_no_problems() -> None:
    expected = (
        'reply = "completed", says = ["London", "Paris"], never_says = ["*"], language = "en", every_word_once = true'
    )
    assert problems(expected, record(reply()), 'understood = ["capital of France"]') == []


@pytest.mark.parametrize(
    ("played", "told"),
    [
        (record(), "expected 1 replies, found 0"),
        (record(reply(), reply()), "expected 1 replies, found 2"),
        (record(reply(), turns=()), "expected 1 turns of the person, found 0"),
        (record(reply(), turns=(turn(), turn())), "expected 1 turns of the person, found 2"),
        (record(reply(), turns=(turn(), turn(""))), "expected 1 turns of the person, found 2"),
        (record(reply(), errors=["error: internal: no"]), "error: internal: no"),
        (record(reply(), turns=(turn("Where is the capital?"),)), "expected 'capital of France' to be understood"),
        (record(reply(), turns=(turn(history=None),)), "turn 1: the history has None"),
        (record(reply(status="failed", reason="no model")), "expected it to be completed, it was failed no model"),
        (record(reply(status="cancelled", reason="turn_detected")), "it was interrupted"),
        (record(reply("It is Berlin.")), "expected one of ['Paris'] in its text"),
        (record(reply(aloud="The capital of France is Perry's.")), "expected one of ['Paris'] to be heard"),
        (record(reply("The capital of *France* is Paris.")), "expected '*' not to be in its text"),
        (record(reply(aloud="The capital of asterisk France is Paris.")), "expected 'asterisk' not to be heard"),
        (record(reply("法国的首都是 Paris 。")), "expected it in en, its text is in zh"),
        (record(reply(aloud="法国的首都是 Paris 。")), "expected it in en, it is heard in zh"),
        (record(reply(history="The capital of France is")), "reply 1: the history has"),
        (record(reply(pcm=bytes(48_000))), "nothing of it can be heard"),
        (record(reply(aloud="Thank you for Paris.")), "the voice says something else than the text"),
        (record(reply(aloud="The capital is Paris.")), "words were lost: heard '', not 'of france', after"),
        (record(reply(aloud="The capital of France of France is Paris.")), "words were added: heard 'of france'"),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_is_told(played: Record, told: str) -> None:
    expected = (
        'reply = "completed", says = ["Paris"], never_says = ["*", "asterisk"], language = "en", every_word_once = true'
    )
    found = problems(expected, played, 'understood = ["capital of France"]')
    assert any(told in problem for problem in found), found


def test_where_no_reply_is_expected_there_must_be_none() -> None:
    assert problems("", record()) == []
    assert problems("", record(reply())) == [f"expected 0 replies, found 1: [{ANSWER!r}]"]


def test_where_nothing_is_said_nothing_may_happen() -> None:
    silent = parse('title = "A test"\nscript = [{silence_ms = 1000}]', "a.toml")
    assert judge(silent, Record()) == []
    # Speech that was announced and was none is a turn without words.
    assert judge(silent, record(turns=(turn(""),))) == ["expected 0 turns of the person, found 1: ['']"]


def test_a_reply_that_should_be_interrupted_may_not_go_on() -> None:
    assert problems('reply = "interrupted"', record(cut(heard="Once upon a time", kept="Once upon a time"))) == []
    assert problems('reply = "interrupted"', record(reply(STORY))) == [
        "reply 1: expected it to be interrupted, it was completed"
    ]


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("", ""),
        ("Once upon a time there was a farmer", "Once upon a time, there was a farmer"),
        ("Once upon a time there was a far", "Once upon a time, there was a"),  # the cut goes through a word
        ("Once upon a time there was a", "Once upon a time, there was a farmer"),
        ("Once upon a time there was", "Once upon a time, there was a farmer"),  # left out by the recogniser
        ("Once upon a time there were a former", "Once upon a time, there was a farmer"),  # misheard
    ],
)
def test_the_history_of_an_interrupted_reply_may_be_off_by_a_word_or_two(heard: str, kept: str) -> None:
    assert problems('reply = "interrupted"', record(cut(heard=heard, kept=kept))) == []


@pytest.mark.parametrize(
    ("heard", "kept", "told"),
    [
        ("Once upon a time", STORY, "4 words were heard, the history has 17"),
        ("Once upon a time there was a farmer", "Once upon a time, there", "8 words were heard, the history has 5"),
        ("Once upon a time there", "Once upon a time, there was a farmer", "5 words were heard, the history has 8"),
        ("Once upon a time", "", "4 words were heard, the history has 0"),
        ("Once upon a time", "Upon a time there", "which is not how"),
        (
            "The weather is fine today",
            "Once upon a time, there",
            "what was heard, 'The weather is fine today', is not how",
        ),
    ],
)
def test_a_history_that_differs_from_what_was_heard_is_told(heard: str, kept: str, told: str) -> None:
    found = problems('reply = "interrupted"', record(cut(heard=heard, kept=kept)))
    assert any(told in problem for problem in found), found


def test_a_pause_that_is_expected_must_have_happened() -> None:
    expected = 'reply = "completed", paused = true'
    assert problems(expected, record(reply(longest_gap_ms=400.0))) == []
    assert problems(expected, record(reply(longest_gap_ms=20.0))) == [
        "reply 1: expected it to pause, its longest gap was 20 ms"
    ]


def test_chinese_is_compared_by_its_sound() -> None:
    expected = 'reply = "completed", says = ["北京"], language = "zh", every_word_once = true'
    assert problems(expected, record(reply("中国的首都是北京。", aloud="中國的首度是背景"))) == []
    assert problems(expected, record(reply("中国的首都是南京。"))) != []
