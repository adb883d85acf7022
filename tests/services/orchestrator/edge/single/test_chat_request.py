"""What the language model is told of a chat completion request."""

from typing import Any

import pytest
from pydantic import ValidationError
from voxfleet.llm.v1 import llm_pb2

from services.orchestrator.edge.single.chat_request import DEFAULT_MAX_TOKENS, ChatRequest


def request(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": list(messages)} | fields)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_leading_system_messages_are_the_instructions_and_the_last_user_message_is_the_question() -> None:
    config, words = request(
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        user("Hi."),
        {"role": "assistant", "content": "Hello."},
        {"role": "system", "content": "It is noon."},
        user([{"type": "text", "text": "What"}, {"type": "text", "text": "now?"}]),
    ).question()
    assert config.instructions == "Be brief.\n\nBe kind."
    assert [(message.role, message.text) for message in config.history] == [
        (llm_pb2.ROLE_USER, "Hi."),
        (llm_pb2.ROLE_ASSISTANT, "Hello."),
        (llm_pb2.ROLE_SYSTEM, "It is noon."),
    ]
    assert words == "What\nnow?"


def test_after_a_tool_s_result_the_answer_goes_on_from_the_history() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    config, words = request(
        user("Weather?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ).question()
    assert words == ""
    made, result = config.history[1], config.history[2]
    (made_call,) = made.tool_calls
    assert (made_call.id, made_call.name, made_call.arguments_json) == ("c1", "weather", "{}")
    assert (result.role, result.tool_call_id, result.text) == (llm_pb2.ROLE_TOOL, "c1", "rain")


def test_what_is_not_asked_for_is_left_to_the_stage_but_the_length() -> None:
    config, _ = request(user("Hi.")).question()
    assert config.max_output_tokens == DEFAULT_MAX_TOKENS
    assert not config.HasField("temperature")
    assert not config.HasField("top_p")
    assert not config.HasField("tool_choice")


def test_sampling_and_tools_are_passed_on() -> None:
    function = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}, "strict": True}
    config, _ = request(
        user("Hi."),
        temperature=0.5,
        top_p=0.25,
        max_tokens=7,
        max_completion_tokens=9,
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    ).question()
    assert (config.temperature, config.top_p, config.max_output_tokens) == (0.5, 0.25, 9)
    assert config.tools[0].parameters_json == '{"type": "object"}'
    assert config.tool_choice.mode == llm_pb2.ToolChoice.MODE_REQUIRED
    assert config.tool_choice.name == "weather"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"stop": ["x"]},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
        {"modalities": ["text", "audio"]},
        {"temperature": 3},
        {"max_tokens": 0},
        {"functions": []},
        {"messages": []},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"tools": [{"type": "function", "function": {"name": "no spaces"}}]},
    ],
)
def test_what_cannot_be_done_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatRequest.model_validate({"model": "m", "messages": [user("Hi.")]} | fields)


@pytest.mark.parametrize("arguments", ["[]", "{", "1"])
def test_a_call_s_arguments_are_a_json_object(arguments: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    with pytest.raises(ValidationError, match="expected a JSON object as text"):
        request({"role": "assistant", "tool_calls": [call]})
