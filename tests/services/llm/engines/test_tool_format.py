"""How a model is told of tools and what its own calls look like to it."""

import json

from services.llm.chat import Message, Role, Tool, ToolCall
from services.llm.engines.tool_format import as_written, grammar, section

WEATHER = Tool("get_weather", 'The "weather" in {city}', {"type": "object", "properties": {"city": {"type": "string"}}})
LIGHT = Tool("switch_light", "", {"type": "object", "properties": {}})


def test_the_tools_are_listed_with_their_parameters() -> None:
    lines = section([WEATHER, LIGHT]).splitlines()
    listed = [json.loads(line) for line in lines if line.startswith('{"name"')]
    assert [tool["name"] for tool in listed] == ["get_weather", "switch_light"]
    assert listed[0]["parameters"] == WEATHER.parameters


def test_without_tools_nothing_is_said_of_them() -> None:
    assert section([]) == ""


def test_the_grammar_offers_only_the_tools_that_may_be_called() -> None:
    tools = [WEATHER, LIGHT]
    assert all(tool.name in grammar(tools, ()) for tool in tools)
    assert WEATHER.name not in grammar(tools, [LIGHT.name])
    assert "words" in grammar(tools, ()).splitlines()[1]
    assert "words" not in grammar(tools, [LIGHT.name]).splitlines()[1]


def test_a_conversation_looks_as_the_model_would_have_written_it() -> None:
    call = ToolCall("1", "get_weather", '{"city":"Zürich"}')
    history = [
        Message(Role.USER, "Weather?"),
        Message(Role.ASSISTANT, "", (call, ToolCall("2", "switch_light", "{}"))),
        Message(Role.TOOL, "rain", tool_call_id="1"),
        Message(Role.TOOL, "on", tool_call_id="2"),
        Message(Role.ASSISTANT, "It is raining."),
        Message(Role.ASSISTANT, "Wait.", (call,)),
    ]
    written = '{"function": "get_weather", "arguments": {"city": "Zürich"}}'
    assert as_written(history) == [
        Message(Role.USER, "Weather?"),
        Message(Role.ASSISTANT, written + '\n{"function": "switch_light", "arguments": {}}'),
        Message(Role.USER, "<tool_response>\nrain\n</tool_response>\n<tool_response>\non\n</tool_response>"),
        Message(Role.ASSISTANT, '{"function": "none"}\nIt is raining.'),
        Message(Role.ASSISTANT, '{"function": "none"}\nWait.\n' + written),
    ]
