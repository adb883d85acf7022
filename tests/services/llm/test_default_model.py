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

TIMER = Tool(
    name="set_timer",
    description="Sets a timer",
    parameters_json=json.dumps(
        {
            "type": "object",
            "properties": {"minutes": {"type": "integer"}, "label": {"type": "string"}},
            "required": ["minutes"],
        }
    ),
)
TABLE = Tool(
    name="book_table",
    description="Books a table in a restaurant",
    parameters_json=json.dumps(
        {
            "type": "object",
            "properties": {
                "people": {"type": "integer", "minimum": 1, "maximum": 20},
                "area": {"enum": ["inside", "terrace"]},
                "guest": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "smokes": {"type": "boolean"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
            "required": ["people", "area", "guest"],
            "additionalProperties": False,
        }
    ),
)
QUESTION = "What is the weather in Paris?"


def answered(text: str, output: str, *, city: str = "Paris") -> list[Message]:
    """A question and the weather tool's answer to the call that it needs."""
    call = ToolCall(id="call_1", name="get_weather", arguments_json=json.dumps({"city": city}))
    return [
        Message(role=llm_pb2.ROLE_USER, text=text),
        Message(role=llm_pb2.ROLE_ASSISTANT, tool_calls=[call]),
        Message(role=llm_pb2.ROLE_TOOL, tool_call_id="call_1", text=output),
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    settings = Settings(port=0, slots=1, context_tokens=1536)
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
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, TIMER], max_output_tokens=60)
    answer = await ask(channel, told, generate(QUESTION))
    (call,) = answer.tool_calls
    assert (call.name, call.arguments_json) == ("get_weather", '{"city": "Paris"}')
    assert call.id
    assert {(delta.call_id, delta.name) for delta in answer.tool_call_deltas} == {(call.id, call.name)}
    assert "".join(delta.arguments_delta for delta in answer.tool_call_deltas) == call.arguments_json
    assert len(answer.tool_call_deltas) > 2
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


async def test_a_schema_s_types_choices_and_required_fields_are_kept(channel: grpc.aio.Channel) -> None:
    choice = ToolChoice(mode=ToolChoice.MODE_REQUIRED)
    told = config(instructions=INSTRUCTIONS, tools=[TABLE], tool_choice=choice, max_output_tokens=80)
    answer = await ask(channel, told, generate("Please book a table for four on the terrace. I am Anna."))
    (call,) = answer.tool_calls
    arguments = json.loads(call.arguments_json)
    assert (arguments["people"], arguments["area"], arguments["guest"]["name"]) == (4, "terrace", "Anna")
    assert arguments.keys() == {"people", "area", "guest"}
    assert arguments["guest"].keys() <= {"name", "smokes"}


async def test_two_questions_are_two_calls(channel: grpc.aio.Channel) -> None:
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, TIMER], max_output_tokens=80)
    answer = await ask(channel, told, generate("What is the weather in Paris and in London?"))
    cities = [json.loads(call.arguments_json) for call in answer.tool_calls]
    assert cities == [{"city": "Paris"}, {"city": "London"}]
    assert len({call.id for call in answer.tool_calls}) == 2


async def test_a_call_that_the_limit_cuts_off_ends_with_length(channel: grpc.aio.Channel) -> None:
    choice = ToolChoice(mode=ToolChoice.MODE_REQUIRED)
    told = config(instructions=INSTRUCTIONS, tools=[TABLE], tool_choice=choice, max_output_tokens=9)
    answer = await ask(channel, told, generate("Please book a table for four on the terrace. I am Anna."))
    assert answer.finished.reason == Finished.REASON_LENGTH
    assert answer.tool_calls == ()
    assert answer.tool_call_deltas


async def test_a_tool_s_result_is_put_into_words(channel: grpc.aio.Channel) -> None:
    history = answered(QUESTION, '{"sky": "rain", "celsius": 12}')
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER, TIMER], history=history, max_output_tokens=60)
    answer = await ask(channel, told, generate(""))
    assert "12" in answer.text
    assert "rain" in answer.text
    assert answer.tool_calls == ()
    assert answer.finished.reason == Finished.REASON_STOP


async def test_a_call_that_has_been_answered_is_not_made_again_but_put_into_words(channel: grpc.aio.Channel) -> None:
    # A result that says nothing, which the model likes to ask for once more.
    history = answered(QUESTION, "")
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER], history=history, max_output_tokens=40)
    answer = await ask(channel, told, generate(""))
    assert answer.text
    assert answer.tool_calls == answer.tool_call_deltas == ()


async def test_the_same_question_in_a_later_turn_is_asked_of_the_tool_again(channel: grpc.aio.Channel) -> None:
    history = answered(QUESTION, '{"sky": "rain", "celsius": 12}')
    history.append(Message(role=llm_pb2.ROLE_ASSISTANT, text="It is raining in Paris, at 12 degrees."))
    choice = ToolChoice(mode=ToolChoice.MODE_REQUIRED, name="get_weather")
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER], tool_choice=choice, history=history, max_output_tokens=40)
    (call,) = (await ask(channel, told, generate(QUESTION))).tool_calls
    assert json.loads(call.arguments_json) == {"city": "Paris"}


async def test_tools_that_must_not_be_called_are_not_shown(channel: grpc.aio.Channel) -> None:
    question = generate("What is the weather in Paris?")
    without = await ask(channel, config(instructions=INSTRUCTIONS, max_output_tokens=1), question)
    choice = ToolChoice(mode=ToolChoice.MODE_NONE)
    told = config(instructions=INSTRUCTIONS, tools=[WEATHER], tool_choice=choice, max_output_tokens=1)
    answer = await ask(channel, told, question)
    assert answer.finished.usage.input_tokens == without.finished.usage.input_tokens
