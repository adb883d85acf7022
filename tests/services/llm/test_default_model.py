"""The default model over real gRPC: what it says, in which language, and how it calls tools."""

import json
from collections.abc import AsyncIterator

import grpc.aio
import pytest
import pytest_asyncio
from voxfleet.llm.v1 import llm_pb2
from voxfleet.llm.v1.llm_pb2 import Finished, Message, Tool, ToolCall, ToolChoice

from services.llm.settings import Settings
from services.llm.stage import build
from tests.services.llm.turns import ask, config, generate
from tests.support.server import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSTRUCTIONS = (
    "You are a friendly voice assistant. Answer in one or two short, plain sentences, in the language of the user."
)
WEATHER = Tool(
    name="get_weather",
    description="The weather in a city now",
    parameters_json=json.dumps({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
)
LIGHT = Tool(
    name="switch_light",
    description="Switches the light of a room on or off",
    parameters_json=json.dumps(
        {
            "type": "object",
            "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}},
            "required": ["room", "on"],
        }
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    settings = Settings(port=0, slots=1, context_tokens=1024)
    async with serving(await build(settings), settings) as channel:
        yield channel


async def test_it_knows_the_capital_of_france(channel: grpc.aio.Channel) -> None:
    answer = await ask(channel, config(instructions=INSTRUCTIONS), generate("What is the capital of France?"))
    assert "Paris" in answer.text
    assert answer.finished.reason == Finished.REASON_STOP


async def test_a_chinese_question_gets_a_chinese_answer_in_whole_characters(channel: grpc.aio.Channel) -> None:
    answer = await ask(channel, config(instructions=INSTRUCTIONS), generate("你好，法国的首都是哪里？"))
    assert "巴黎" in answer.text
    assert "\ufffd" not in answer.text
    assert not any("a" <= letter.lower() <= "z" for letter in answer.text)


async def test_it_calls_the_tool_that_the_question_needs(channel: grpc.aio.Channel) -> None:
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, LIGHT], max_output_tokens=60)
    answer = await ask(channel, told, generate("What is the weather in Paris?"))
    (call,) = answer.tool_calls
    assert (call.name, json.loads(call.arguments_json)) == ("get_weather", {"city": "Paris"})
    assert call.id
    assert answer.deltas == ()
    assert answer.finished.reason == Finished.REASON_TOOL_CALLS


async def test_it_answers_in_words_where_no_tool_helps(channel: grpc.aio.Channel) -> None:
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, LIGHT], max_output_tokens=60)
    answer = await ask(channel, told, generate("What is the capital of France?"))
    assert "Paris" in answer.text
    assert answer.tool_calls == ()


async def test_a_tool_that_is_required_is_called_whatever_was_asked(channel: grpc.aio.Channel) -> None:
    choice = ToolChoice(mode=ToolChoice.MODE_REQUIRED, name="switch_light")
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, LIGHT], tool_choice=choice, max_output_tokens=60)
    answer = await ask(channel, told, generate("What is the weather in Paris?"))
    (call,) = answer.tool_calls
    assert call.name == "switch_light"
    assert json.loads(call.arguments_json).keys() == {"room", "on"}
    assert answer.deltas == ()


async def test_a_tool_s_result_is_put_into_words(channel: grpc.aio.Channel) -> None:
    history = [
        Message(role=llm_pb2.ROLE_USER, text="What is the weather in Paris?"),
        Message(
            role=llm_pb2.ROLE_ASSISTANT,
            tool_calls=[ToolCall(id="call_1", name="get_weather", arguments_json='{"city": "Paris"}')],
        ),
        Message(role=llm_pb2.ROLE_TOOL, tool_call_id="call_1", text='{"sky": "rain", "celsius": 12}'),
    ]
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, LIGHT], history=history, max_output_tokens=60)
    answer = await ask(channel, told, generate(""))
    assert "12" in answer.text
    assert "rain" in answer.text


async def test_tools_that_must_not_be_called_are_not_shown(channel: grpc.aio.Channel) -> None:
    question = generate("What is the weather in Paris?")
    without = await ask(channel, config(instructions=INSTRUCTIONS, max_output_tokens=1), question)
    choice = ToolChoice(mode=ToolChoice.MODE_NONE)
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER], tool_choice=choice, max_output_tokens=1)
    answer = await ask(channel, told, question)
    assert answer.finished.usage.input_tokens == without.finished.usage.input_tokens
