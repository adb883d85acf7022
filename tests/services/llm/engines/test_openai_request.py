"""What is asked of a server."""

from services.llm.chat import Chat, Message, Role, Tool, ToolCall
from services.llm.engines.openai_request import for_warming, for_words, to_body

TOOLS = (Tool("get_time", "The time.", {"type": "object", "properties": {}}), Tool("stop", "", {"type": "object"}))
CHAT = Chat("Be brief.", (), (), frozenset(), temperature=0.3, top_p=0.9, max_output_tokens=160)
HISTORY = (
    Message(Role.USER, "What time is it?"),
    Message(Role.ASSISTANT, "", (ToolCall("call_1", "get_time", "{}"),)),
    Message(Role.TOOL, "noon", tool_call_id="call_1"),
)


def test_a_conversation_becomes_messages() -> None:
    body = to_body("tiny", CHAT, HISTORY, "Thanks.", "max_tokens", {})
    assert body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What time is it?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"type": "function", "id": "call_1", "function": {"name": "get_time", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "content": "noon", "tool_call_id": "call_1"},
            {"role": "user", "content": "Thanks."},
        ],
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 160,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_no_instructions_and_no_words_are_no_messages() -> None:
    chat = Chat("", (), (), frozenset(), 0, 1, 1)
    messages = to_body("tiny", chat, HISTORY, "", "max_tokens", {})["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]


def test_tools_are_offered_and_demanded() -> None:
    def offer(*required: str) -> tuple[object, list[str]]:
        chat = Chat("", (), TOOLS, frozenset(required), 0, 1, 1)
        body = to_body("tiny", chat, (), "Hi", "max_tokens", {})
        return body["tool_choice"], [tool["function"]["name"] for tool in body["tools"]]

    assert offer() == ("auto", ["get_time", "stop"])
    assert offer("get_time", "stop") == ("required", ["get_time", "stop"])
    assert offer("stop") == ("required", ["stop"])


def test_further_fields_add_replace_and_take_out() -> None:
    further = {"chat_template_kwargs": {"enable_thinking": False}, "temperature": None, "top_p": 0.5}
    body = to_body("tiny", CHAT, (), "Hi", "max_completion_tokens", further)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "temperature" not in body
    assert body["top_p"] == 0.5
    assert body["max_completion_tokens"] == 160
    assert "max_tokens" not in body


def test_a_request_that_only_warms_is_for_one_token() -> None:
    body = to_body("tiny", CHAT, HISTORY, "So", "max_tokens", {})
    warming = for_warming(body, "max_tokens")
    assert (warming["max_tokens"], warming["stream"]) == (1, False)
    assert "stream_options" not in warming
    assert warming["messages"] == body["messages"]
    assert for_words(body)["tool_choice"] == "none"
