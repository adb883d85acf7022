from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stt.guard import Evidence, Fault, compression_ratio, fault, loop_start, nothing_said, token_budget


def evidence(
    text: str = " What is the capital of France?",
    *,
    tokens: Sequence[int] = (1, 2, 3, 4, 5, 6, 7),
    ended: bool = True,
    log_probability: float = -0.1,
    no_speech_probability: float = 0.3,
    speech_s: float = 2.0,
    language: str = "en",
) -> Evidence:
    return Evidence(text, tokens, ended, log_probability, no_speech_probability, speech_s, language)


def test_a_plain_transcript_is_good() -> None:
    assert fault(evidence()) is None


def test_a_transcript_without_an_end_is_doubtful() -> None:
    assert fault(evidence(ended=False)) is Fault.ENDLESS


def test_a_loop_is_doubtful() -> None:
    assert fault(evidence(" Stop. Stop. Stop.", tokens=[5, 6] * 3)) is Fault.REPETITION


def test_text_that_repeats_itself_in_its_middle_is_doubtful() -> None:
    text = " So" + " and I said that" * 12 + " it was late."
    assert fault(evidence(text, speech_s=12.0)) is Fault.REPETITION


def test_a_transcript_that_the_model_doubts_is_doubtful() -> None:
    assert fault(evidence(log_probability=-1.2)) is Fault.UNLIKELY


def test_one_word_for_much_speech_is_doubtful() -> None:
    assert fault(evidence(" Can", speech_s=2.7)) is Fault.SPARSE


def test_one_word_for_little_speech_is_good() -> None:
    assert fault(evidence(" Can", speech_s=0.5)) is None


def test_few_characters_are_enough_where_each_is_a_syllable() -> None:
    assert fault(evidence("今天天气怎么样？", speech_s=2.4, language="zh")) is None


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (evidence(""), True),
        (evidence(" ..."), True),
        (evidence(" Thank you.", no_speech_probability=0.8, log_probability=-1.3), True),
        (evidence(" Thank you.", no_speech_probability=0.8, log_probability=-0.3), False),
        (evidence(" Thank you.", no_speech_probability=0.7, speech_s=0.0), True),
        (evidence(" I'm gonna hit you.", log_probability=-1.6, speech_s=0.24), True),
        (evidence(" Yes.", log_probability=-0.6, speech_s=0.3), False),
        (evidence(" A slow answer.", log_probability=-1.6, speech_s=2.0), False),
    ],
)
def test_what_is_made_up_over_noise_counts_as_nothing_said(said: Evidence, heard: bool) -> None:
    assert nothing_said(said) is heard


def test_the_end_of_a_loop_is_where_it_was_said_once() -> None:
    assert loop_start([9, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]) == 4


def test_saying_a_thing_twice_is_no_loop() -> None:
    assert loop_start([1, 2, 3, 1, 2, 3]) is None


@given(st.lists(st.integers(0, 3), max_size=4), st.lists(st.integers(4, 9), min_size=1, max_size=4), st.integers(3, 6))
def test_a_loop_at_the_end_is_always_found_and_said_at_least_once(
    before: list[int], cycle: list[int], times: int
) -> None:
    tokens = before + cycle * times
    start = loop_start(tokens)
    assert start is not None
    assert len(before) < start <= len(before) + len(cycle)


def test_the_budget_grows_with_the_clip_and_is_larger_for_scripts_spelt_byte_by_byte() -> None:
    assert token_budget(1, "en") < token_budget(4, "en") < token_budget(4, "hi")


def test_compression_tells_repetition_from_text() -> None:
    assert compression_ratio(" no" * 60) > 2.4 > compression_ratio(" The quick brown fox jumps over the lazy dog.")
    assert compression_ratio("") == 0
