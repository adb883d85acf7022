"""The parser that takes calls of tools out of a reply while it is written."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.llm.engines.tool_calls import (
    CallDelta,
    JsonObjectScanner,
    MalformedCallError,
    ParsedCall,
    Part,
    ReplyParser,
)
from services.llm.engines.tool_format import CALL_TAIL, OPENING, WORDS_HEAD, call_head

NAMES = ("get_weather", "get_weather_now")
LETTERS = st.text("abc\\<`>[]{}\n tol\"'。", max_size=12)
WORDS = LETTERS
VALUES = st.recursive(
    LETTERS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(LETTERS, inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(LETTERS, VALUES, max_size=3)
CALLS = st.builds(
    ParsedCall, st.sampled_from(NAMES), ARGUMENTS.map(lambda value: json.dumps(value, ensure_ascii=False))
)


def write(calls: list[ParsedCall]) -> str:
    """A reply of `calls`, after the opening that is part of the prompt."""
    return f"\n{OPENING}".join(f"{call_head(call.name)}{call.arguments_json}{CALL_TAIL}" for call in calls)


def chunks(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def read(parser: ReplyParser, pieces: list[str], *, truncated: bool = False) -> list[Part]:
    found = [part for piece in pieces for part in parser.feed(piece)]
    parser.finish(truncated=truncated)
    return found


@given(st.lists(CALLS, min_size=1, max_size=3), st.lists(st.integers(0, 500)))
def test_calls_are_found_however_the_text_is_cut(calls: list[ParsedCall], cuts: list[int]) -> None:
    found = read(ReplyParser(NAMES), chunks(write(calls), cuts))
    assert [part for part in found if isinstance(part, ParsedCall)] == calls


@given(st.lists(CALLS, min_size=1, max_size=3), st.lists(st.integers(0, 500)))
def test_the_deltas_before_a_call_are_its_arguments(calls: list[ParsedCall], cuts: list[int]) -> None:
    streamed = ""
    for part in read(ReplyParser(NAMES), chunks(write(calls), cuts)):
        if isinstance(part, CallDelta):
            assert part.arguments_delta
            streamed += part.arguments_delta
        else:
            assert isinstance(part, ParsedCall)
            assert streamed == part.arguments_json
            streamed = ""
    assert not streamed


def test_arguments_are_passed_on_as_they_come() -> None:
    parser = ReplyParser(NAMES)
    assert parser.feed('get_weather", "argu') == []
    assert parser.feed('ments": {"city"') == [CallDelta("get_weather", '{"city"')]
    assert parser.feed(': "Par') == [CallDelta("get_weather", ': "Par')]
    assert parser.feed('is"}') == [CallDelta("get_weather", 'is"}'), ParsedCall("get_weather", '{"city": "Paris"}')]


@given(WORDS, st.lists(st.integers(0, 50)))
def test_words_come_out_as_they_went_in(words: str, cuts: list[int]) -> None:
    for names, head in (((), ""), (NAMES, WORDS_HEAD)):
        found = read(ReplyParser(names), chunks(head + words, cuts))
        assert all(isinstance(part, str) and part for part in found)
        assert "".join(str(part) for part in found) == words.strip()


def test_words_are_not_held_back() -> None:
    parser = ReplyParser(NAMES)
    assert parser.feed(WORDS_HEAD + "It is") == ["It is"]
    assert parser.feed(" raining") == [" raining"]


def test_a_call_that_the_limit_cuts_off_has_deltas_but_no_end() -> None:
    text = call_head("get_weather") + '{"city": "Pa'
    assert read(ReplyParser(NAMES), [text], truncated=True) == [CallDelta("get_weather", '{"city": "Pa')]
    assert read(ReplyParser(NAMES), ["get_w"], truncated=True) == []


@pytest.mark.parametrize(
    "text",
    [
        'get_weather", "arguments": {"city": ',
        'get_weather", "arguments": {}',
        'get_weather", "arguments": {}}\n{"function": "',
        'get_weather", "arguments": {}} and more',
        'get_weather", "arguments": "Paris"}',
        'open_door", "arguments": {}}',
        "none}",
        "Well, it is raining.",
    ],
)
def test_what_is_neither_words_nor_a_call_of_an_offered_tool_is_an_error(text: str) -> None:
    with pytest.raises(MalformedCallError):
        read(ReplyParser(NAMES), [text])


@given(ARGUMENTS, LETTERS)
def test_the_end_of_an_object_is_found(arguments: dict[str, object], rest: str) -> None:
    text = json.dumps(arguments, ensure_ascii=False)
    assert JsonObjectScanner().scan(text + rest) == len(text)
    assert JsonObjectScanner().scan(text[:-1]) is None
