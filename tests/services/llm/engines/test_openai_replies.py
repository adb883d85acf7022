"""A reply's events out of a server's chunks."""

import json
from typing import Any

import pytest

from chassis.errors import Code, StageError
from chassis.upstream import UpstreamRefusalError
from services.llm.chat import Event, Finished, FinishReason, Message, Role, TextDelta, ToolCall, ToolCallDelta
from services.llm.engines.openai_replies import CompletionReader, answered_calls

NAMES = ("get_weather", "set_timer")
PARIS = '{"city": "Paris"}'
HISTORY = (
    Message(Role.USER, "How is Paris?"),
    Message(Role.ASSISTANT, "", (ToolCall("a", "get_weather", '{"city":"Paris"}'),)),
    Message(Role.TOOL, "sunny", tool_call_id="a"),
)


def chunk(reason: str | None = None, **delta: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None})


def call(arguments: str | None, name: str | None = None, id_: str | None = None, index: int | None = 0) -> str:
    function = {"name": name, "arguments": arguments}
    return chunk(tool_calls=[{"index": index, "id": id_, "type": "function", "function": function}])


def read(reader: CompletionReader, *chunks: str) -> list[Event]:
    events = [event for data in (*chunks, "[DONE]") for event in reader.read(data)]
    return [*events, *reader.end(), reader.finish()]


def test_words_come_as_they_are_written_without_the_space_around_them() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    told = json.dumps({"choices": [], "usage": usage})
    chunks = [
        chunk(role="assistant", content=""),
        chunk(content="\n\nIt"),
        chunk(content=" is "),
        chunk(content="noon."),
    ]
    events = read(CompletionReader(()), *chunks, chunk("stop", content=" "), told)
    assert events == [
        TextDelta("It"),
        TextDelta(" is"),
        TextDelta(" noon."),
        Finished(FinishReason.STOP, 9, 4, 5),
    ]


def test_a_call_comes_in_deltas_and_then_whole() -> None:
    chunks = [call("", "get_weather", "c1"), call('{"city"'), call(': "Paris"}'), chunk("tool_calls")]
    assert read(CompletionReader(NAMES), *chunks) == [
        ToolCallDelta("c1", "get_weather", '{"city"'),
        ToolCallDelta("c1", "get_weather", ': "Paris"}'),
        ToolCall("c1", "get_weather", PARIS),
        Finished(FinishReason.TOOL_CALLS, 0, 0, 3),
    ]


@pytest.mark.parametrize(
    "chunks",
    [
        [call(PARIS, "get_weather", "c1"), call("", "set_timer", "c2", 1), call('{"s":1}', index=1)],
        [call(PARIS, "get_weather", "c1"), call('{"s":1}', "set_timer", "c2", 0)],
        [call(PARIS, "get_weather", "c1", None), call('{"s":1}', "set_timer", "c2", None)],
        [call(PARIS, "get_weather", "c1"), call('{"s":', "set_timer", "c2", 1), call("1}", "set_timer", "c2", 1)],
    ],
    ids=["as OpenAI", "index always 0", "no index", "name and id repeated"],
)
def test_calls_are_told_apart_however_a_server_marks_them(chunks: list[str]) -> None:
    events = read(CompletionReader(NAMES), *chunks, chunk("stop"))
    calls = [event for event in events if isinstance(event, ToolCall)]
    assert calls == [ToolCall("c1", "get_weather", PARIS), ToolCall("c2", "set_timer", '{"s":1}')]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason is FinishReason.TOOL_CALLS


def test_a_call_without_an_id_gets_one_and_one_without_arguments_an_empty_object() -> None:
    delta, whole, _ = read(CompletionReader(NAMES), call(None, "set_timer"), chunk("tool_calls"))
    assert isinstance(whole, ToolCall)
    assert whole.id
    assert whole.arguments_json == "{}"
    assert delta == ToolCallDelta(whole.id, "set_timer", "{}")


def test_a_call_that_was_answered_is_left_out_however_it_is_written() -> None:
    reader = CompletionReader(NAMES, answered_calls(HISTORY))
    assert read(reader, call('{ "city":', "get_weather"), call('"Paris"}'), chunk("stop"))[:-1] == []
    assert (reader.called, reader.repeated) == (False, True)


def test_another_call_of_the_same_tool_is_made_once_it_is_whole() -> None:
    reader = CompletionReader(NAMES, answered_calls(HISTORY))
    assert reader.read(call('{"city": "P', "get_weather", "c")) == []
    assert reader.read(call('rague"}')) == []
    assert reader.read(chunk("tool_calls")) == [
        ToolCallDelta("c", "get_weather", '{"city": "Prague"}'),
        ToolCall("c", "get_weather", '{"city": "Prague"}'),
    ]


def test_an_older_answer_does_not_keep_a_call_from_being_made() -> None:
    assert answered_calls((*HISTORY, Message(Role.USER, "And now?"))) == frozenset()


def test_a_call_that_the_limit_cuts_off_has_deltas_only() -> None:
    events = read(CompletionReader(NAMES), call('{"ci', "get_weather", "c"), chunk("length"))
    assert events == [ToolCallDelta("c", "get_weather", '{"ci'), Finished(FinishReason.LENGTH, 0, 0, 1)]


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ([call("{}", "fly"), chunk("stop")], "no tool that was offered"),
        ([call("{}"), chunk("stop")], "no name"),
        ([call('{"a', "set_timer"), chunk("stop")], "not JSON"),
        ([call("[1]", "set_timer"), chunk("stop")], "not an object"),
    ],
)
def test_a_call_that_cannot_be_read_is_an_error(chunks: list[str], problem: str) -> None:
    with pytest.raises(StageError, match=problem) as caught:
        read(CompletionReader(NAMES), *chunks)
    assert (caught.value.code, caught.value.reason) == (Code.INTERNAL, "TOOL_CALL_MALFORMED")


@pytest.mark.parametrize(
    "data", ["{", '{"choices": 1}', "[]", '{"choices": [{"delta": {"content": 5}}]}', "secret words"]
)
def test_what_is_no_chunk_is_an_error_that_does_not_repeat_it(data: str) -> None:
    with pytest.raises(StageError) as caught:
        CompletionReader(()).read(data)
    assert caught.value.reason == "UPSTREAM_MALFORMED"
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "out of memory", "type": "server_error", "code": None}, "UPSTREAM_FAILED"),
        ({"message": "slow down", "code": 429}, "UPSTREAM_RATE_LIMITED"),
        ("broken", "UPSTREAM_FAILED"),
    ],
)
def test_an_error_in_the_middle_is_told_as_one(error: object, reason: str) -> None:
    reader = CompletionReader(())
    reader.read(chunk(content="It is"))
    with pytest.raises(UpstreamRefusalError) as caught:
        reader.read(json.dumps({"error": error}))
    assert caught.value.reason == reason


def test_a_stream_that_ends_without_an_end_is_broken() -> None:
    reader = CompletionReader(())
    reader.read(chunk(content="It is"))
    with pytest.raises(StageError) as caught:
        reader.finish()
    assert (caught.value.code, caught.value.reason) == (Code.UNAVAILABLE, "UPSTREAM_BROKEN")
