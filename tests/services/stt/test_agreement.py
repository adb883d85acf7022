import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stt.agreement import Agreement, Hypothesis, units

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "today", "it's"]), max_size=8)
SENTENCES = WORDS.map(lambda words: "".join(f" {word}" for word in words))
CHINESE = st.text(st.sampled_from("今天气怎么样，？"), max_size=8)
TEXTS = st.one_of(SENTENCES, CHINESE, st.text(max_size=12))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" What's the time?", [" What's", " the", " time", "?"]),
        ("今天天气", ["今", "天", "天", "气"]),
        ("我用 Python。", ["我", "用", " Python", "。"]),
        (" twenty-one, well-known", [" twenty-one", ",", " well-known"]),
        ("カタカナ", ["カ", "タ", "カ", "ナ"]),
        ("", []),
    ],
)
def test_text_is_compared_by_word_character_and_punctuation_mark(text: str, expected: list[str]) -> None:
    assert units(text) == expected


@given(st.text())
def test_no_text_gets_lost_in_units(text: str) -> None:
    assert "".join(units(text)) == text.rstrip()


def test_the_first_hypothesis_has_nothing_stable() -> None:
    assert Agreement().update(" What is") == Hypothesis("", " What is")


def test_what_two_hypotheses_agree_on_is_stable() -> None:
    agreement = Agreement()
    agreement.update(" What is the cap.")
    assert agreement.update(" What is the capital of") == Hypothesis(" What is the", " capital of")


def test_a_full_stop_that_is_taken_back_does_not_become_stable() -> None:
    agreement = Agreement()
    agreement.update(" Turn it off.")
    assert agreement.update(" Turn it off now.").stable == " Turn it off"


def test_chinese_becomes_stable_character_by_character() -> None:
    agreement = Agreement()
    agreement.update("今天田")
    assert agreement.update("今天天气") == Hypothesis("今天", "天气")


def test_a_hypothesis_that_contradicts_stable_text_only_adds_to_it() -> None:
    agreement = Agreement()
    agreement.update(" I like tea and")
    agreement.update(" I like tea and coffee")
    assert agreement.update(" I liked tea and coffee today") == Hypothesis(" I like tea and coffee", " today")


def test_settling_a_window_adds_what_was_not_stable_yet() -> None:
    agreement = Agreement()
    agreement.update(" one two three")
    agreement.update(" one two four")
    agreement.settle(" one two three four.")
    assert agreement.stable == " one two three four."
    assert agreement.update(" five six") == Hypothesis(" one two three four.", " five six")


def test_stable_text_from_beyond_a_settled_window_is_not_said_twice() -> None:
    agreement = Agreement()
    agreement.update(" one two three four")
    agreement.update(" one two three four")
    agreement.settle(" one two")
    assert agreement.stable == " one two three four"
    assert agreement.update(" three four five") == Hypothesis(" one two three four", " five")


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=12))
def test_stable_text_only_ever_grows(events: list[tuple[str, bool]]) -> None:
    agreement = Agreement()
    before = ""
    for text, ends_window in events:
        if ends_window:
            agreement.settle(text)
            after = agreement.stable
        else:
            after = agreement.update(text).stable
        assert after.startswith(before)
        before = after


@given(TEXTS)
def test_a_hypothesis_said_twice_is_stable_as_a_whole(text: str) -> None:
    agreement = Agreement()
    agreement.update(text)
    assert agreement.update(text) == Hypothesis(text.rstrip(), "")
