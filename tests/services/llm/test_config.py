"""From the wire's config to a chat."""

import pytest
from voxfleet.llm.v1 import llm_pb2
from voxfleet.llm.v1.llm_pb2 import ChatConfig, Message, Tool, ToolCall, ToolChoice

from chassis.errors import Code, StageError
from services.llm.chat import Chat, Role
from services.llm.config import parse
from services.llm.settings import Settings

DEFAULTS = Settings(temperature=0.5, top_p=0.8, max_output_tokens=100)
TOOLS = [Tool(name="a"), Tool(name="b", parameters_json='{"properties": {"x": {"type": "string"}}}')]


def chat(config: ChatConfig) -> Chat:
    return parse(config, "tiny", DEFAULTS)


def test_what_is_not_set_is_the_server_s_default() -> None:
    told = chat(ChatConfig())
    assert (told.temperature, told.top_p, told.max_output_tokens) == (0.5, 0.8, 100)
    assert (told.instructions, told.history, told.tools, told.required_tools) == ("", (), (), frozenset())


def test_a_temperature_of_zero_is_not_the_default() -> None:
    assert chat(ChatConfig(temperature=0, model="tiny")).temperature == 0


def test_messages_keep_their_order_and_their_calls() -> None:
    call = ToolCall(id="1", name="a", arguments_json="{}")
    told = chat(
        ChatConfig(
            history=[
                Message(role=llm_pb2.ROLE_USER, text="Hi"),
                Message(role=llm_pb2.ROLE_ASSISTANT, tool_calls=[call]),
                Message(role=llm_pb2.ROLE_TOOL, text="done", tool_call_id="1"),
            ]
        )
    )
    assert [message.role for message in told.history] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert told.history[1].tool_calls[0].name == "a"
    assert told.history[2].tool_call_id == "1"


def test_parameters_are_a_schema_of_type_object_even_where_nothing_says_so() -> None:
    told = chat(ChatConfig(tools=TOOLS))
    assert [tool.parameters["type"] for tool in told.tools] == ["object", "object"]
    assert told.tools[1].parameters["properties"] == {"x": {"type": "string"}}


@pytest.mark.parametrize(
    ("choice", "shown", "required"),
    [
        (ToolChoice(), 2, frozenset()),
        (ToolChoice(mode=ToolChoice.MODE_AUTO), 2, frozenset()),
        (ToolChoice(mode=ToolChoice.MODE_NONE), 0, frozenset()),
        (ToolChoice(mode=ToolChoice.MODE_REQUIRED), 2, frozenset({"a", "b"})),
        (ToolChoice(mode=ToolChoice.MODE_REQUIRED, name="b"), 2, frozenset({"b"})),
    ],
)
def test_the_choice_says_which_tools_are_shown_and_which_required(
    choice: ToolChoice, shown: int, required: frozenset[str]
) -> None:
    told = chat(ChatConfig(tools=TOOLS, tool_choice=choice))
    assert (len(told.tools), told.required_tools) == (shown, required)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (ChatConfig(model="huge"), "model"),
        (ChatConfig(temperature=-0.1), "temperature"),
        (ChatConfig(temperature=2.1), "temperature"),
        (ChatConfig(temperature=float("nan")), "temperature"),
        (ChatConfig(top_p=0), "top_p"),
        (ChatConfig(top_p=1.1), "top_p"),
        (ChatConfig(top_p=float("nan")), "top_p"),
        (ChatConfig(max_output_tokens=0), "max_output_tokens"),
        (ChatConfig(history=[Message(text="Hi")]), "history[0].role"),
        (ChatConfig(history=[Message(role=9, text="Hi")]), "history[0].role"),  # type: ignore[arg-type]
        (
            ChatConfig(history=[Message(role=llm_pb2.ROLE_USER, tool_calls=[ToolCall(name="a")])]),
            "history[0].tool_calls",
        ),
        (ChatConfig(history=[Message(role=llm_pb2.ROLE_USER, tool_call_id="1")]), "history[0].tool_call_id"),
        (ChatConfig(history=[Message(role=llm_pb2.ROLE_TOOL, text="12")]), "history[0].tool_call_id"),
        (
            ChatConfig(
                history=[
                    Message(
                        role=llm_pb2.ROLE_ASSISTANT,
                        tool_calls=[ToolCall(name="a", arguments_json="{}"), ToolCall(name="a", arguments_json="[1]")],
                    )
                ]
            ),
            "history[0].tool_calls[1].arguments_json",
        ),
        (ChatConfig(tools=[Tool(name="not a name")]), "tools[0].name"),
        (ChatConfig(tools=[Tool(name="")]), "tools[0].name"),
        (ChatConfig(tools=[Tool(name="a" * 65)]), "tools[0].name"),
        (ChatConfig(tools=[Tool(name="a"), Tool(name="a")]), "tools[1].name"),
        (ChatConfig(tools=[Tool(name="a", parameters_json="{")]), "tools[0].parameters_json"),
        (ChatConfig(tools=[Tool(name="a", parameters_json="[]")]), "tools[0].parameters_json"),
        (ChatConfig(tools=[Tool(name="a", parameters_json='{"type": "string"}')]), "tools[0].parameters_json"),
        (ChatConfig(tool_choice=ToolChoice(mode=ToolChoice.MODE_REQUIRED)), "tools"),
        (ChatConfig(tool_choice=ToolChoice(mode=7)), "tool_choice.mode"),  # type: ignore[arg-type]
        (ChatConfig(tools=TOOLS, tool_choice=ToolChoice(name="a")), "tool_choice.name"),
        (
            ChatConfig(tools=TOOLS, tool_choice=ToolChoice(mode=ToolChoice.MODE_REQUIRED, name="c")),
            "tool_choice.name",
        ),
    ],
)
def test_a_bad_field_is_named(config: ChatConfig, field: str) -> None:
    with pytest.raises(StageError) as caught:
        chat(config)
    assert (caught.value.code, caught.value.field) == (Code.INVALID_ARGUMENT, field)
