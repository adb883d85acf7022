"""The parser that takes calls of tools out of streamed text, and the grammar that shapes them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.llm.chat import Tool
from services.llm.engines.tool_calls import MARKUP, MalformedCallError, ParsedCall, ToolCallParser, grammar

NAMES = ("get_weather", "switch_light")
LETTERS = st.text("abc<`>{}\n tol_cj\"'。", max_size=12)
# Words that hold no marker themselves; half a marker they may hold.
WORDS = LETTERS.filter(lambda text: not any(marker in text for marker in MARKUP))
ARGUMENTS = st.dictionaries(st.sampled_from(["city", "room"]), LETTERS | st.just("```") | st.just("</tool_call>"))
CALLS = st.builds(
    ParsedCall, st.sampled_from(NAMES), ARGUMENTS.map(lambda value: json.dumps(value, ensure_ascii=False))
)


def write(call: ParsedCall, opening: str) -> str:
    body = f'{{"name": "{call.name}", "arguments": {call.arguments_json}}}'
    return f"{opening}\n{body}\n{MARKUP[opening]}"


def chunks(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def read(parser: ToolCallParser, pieces: list[str], *, truncated: bool = False) -> list[str | ParsedCall]:
    found = [part for piece in pieces for part in parser.feed(piece)]
    return found + parser.finish(truncated=truncated)


def joined(parts: list[str | ParsedCall]) -> list[str | ParsedCall]:
    """The parts with neighbouring texts as one."""
    whole: list[str | ParsedCall] = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        else:
            whole.append(part)
    return whole


@given(st.lists(st.tuples(CALLS, st.sampled_from(list(MARKUP)))), WORDS, st.lists(st.integers(0, 500)))
def test_calls_after_words_are_found_however_the_text_is_cut(
    calls: list[tuple[ParsedCall, str]], words: str, cuts: list[int]
) -> None:
    text = words.rstrip("<`") + "\n".join(["", *(write(call, opening) for call, opening in calls)])
    said = words.rstrip("<`").strip()
    found = read(ToolCallParser(NAMES), chunks(text, cuts))
    assert all(found)
    assert joined(found) == ([said] if said else []) + [call for call, _ in calls]


@given(WORDS, st.lists(st.integers(0, 50)))
def test_words_come_out_as_they_went_in(words: str, cuts: list[int]) -> None:
    for names in ((), NAMES):
        assert joined(read(ToolCallParser(names), chunks(words, cuts))) == ([words.strip()] if words.strip() else [])


def test_words_are_not_held_back() -> None:
    parser = ToolCallParser(NAMES)
    assert parser.feed("It is") == ["It is"]
    assert parser.feed(" raining") == [" raining"]


def test_only_what_may_begin_a_call_is_held_back() -> None:
    parser = ToolCallParser(NAMES)
    assert parser.feed("a <tool") == ["a"]
    assert parser.feed("box> b") == [" <toolbox> b"]


def test_without_tools_markers_are_text() -> None:
    assert joined(read(ToolCallParser(), ["```json", "\n{}\n```"])) == ["```json\n{}\n```"]


def test_a_call_that_the_limit_cuts_off_is_dropped() -> None:
    assert read(ToolCallParser(NAMES), ["Well. ", '<tool_call>\n{"name": "get_w'], truncated=True) == ["Well."]
    assert read(ToolCallParser(NAMES), ["Well. ", "<tool_c"], truncated=True) == ["Well."]


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "get_weather"',
        '<tool_call>{"name": "open_door", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "get_weather", "arguments": "Paris"}</tool_call>',
        "<tool_call>get_weather</tool_call>",
        "```json\n[1]\n```",
    ],
)
def test_what_is_no_call_of_an_offered_tool_is_an_error(text: str) -> None:
    with pytest.raises(MalformedCallError):
        read(ToolCallParser(NAMES), [text])


def test_the_grammar_offers_only_the_tools_that_may_be_called() -> None:
    tools = [Tool(name, "", {"type": "object", "properties": {}}) for name in NAMES]
    assert all(name in grammar(tools, ()) for name in NAMES)
    assert NAMES[0] not in grammar(tools, [NAMES[1]])
    assert "words" in grammar(tools, ()).splitlines()[1]
    assert "words" not in grammar(tools, [NAMES[1]]).splitlines()[1]
