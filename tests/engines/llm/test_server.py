"""The language model server over real gRPC, with vLLM behind it."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest
from voxfleet.llm.v1 import llm_pb2
from voxfleet.llm.v1.llm_pb2 import Finished, Message, Tool, ToolChoice

from chassis.errors import Code
from tests.engines.llm.conftest import Server
from tests.services.llm.turns import ask, config, generate, open_call, prefill, refused

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "What is the capital of France?"
STORY = "Write a very long story about a fox."


async def test_a_turn_with_prefills_is_answered_and_counted(server: Server) -> None:
    answer = await ask(server.channel, config(), prefill("What is"), prefill("What is the"), generate(QUESTION))
    assert "Paris" in answer.text
    assert len(answer.deltas) > 1
    usage = answer.finished.usage
    assert 20 < usage.input_tokens < 60
    assert len(answer.deltas) <= usage.output_tokens <= 24


async def test_the_next_turn_finds_the_last_one_in_the_cache(server: Server) -> None:
    first = await ask(server.channel, config(), generate(QUESTION))
    history = [
        Message(role=llm_pb2.ROLE_USER, text=QUESTION),
        Message(role=llm_pb2.ROLE_ASSISTANT, text=first.text),
    ]
    second = await ask(server.channel, config(history=history), generate("And of Spain?"))
    assert second.finished.usage.cached_tokens >= 32
    assert second.finished.usage.input_tokens > first.finished.usage.input_tokens


async def test_cancelling_a_stream_stops_the_model(server: Server) -> None:
    call = open_call(server.channel, config(max_output_tokens=1500), generate(STORY))
    async with asyncio.timeout(10):
        await anext(aiter(call))
    assert server.engine.running == 1
    call.cancel()
    await server.idle()


async def test_a_required_tool_is_called(server: Server) -> None:
    nothing = '{"type": "object", "properties": {}, "additionalProperties": false}'
    tool = Tool(name="hang_up", description="Ends the call", parameters_json=nothing)
    choice = ToolChoice(mode=ToolChoice.MODE_REQUIRED, name="hang_up")
    answer = await ask(
        server.channel,
        config(tools=[tool], tool_choice=choice, max_output_tokens=200),
        generate("Please end the call."),
    )
    assert answer.finished.reason == Finished.REASON_TOOL_CALLS
    assert (answer.tool_calls[0].name, answer.tool_calls[0].arguments_json) == ("hang_up", "{}")


async def test_the_model_is_asked_for_by_the_name_of_its_folder(server: Server, folder: Path) -> None:
    answer = await ask(server.channel, config(model=folder.name), generate(QUESTION))
    assert answer.text
    error = await refused(server.channel, config(model="gpt"), generate(QUESTION))
    assert (error.code, error.field) == (Code.INVALID_ARGUMENT, "model")


async def test_a_prompt_that_no_trimming_makes_fit_is_refused(server: Server) -> None:
    error = await refused(server.channel, config(instructions="Speak of bridges. " * 900), generate(QUESTION))
    assert (error.reason, error.field) == ("CONTEXT_EXCEEDED", "config.instructions")


async def test_a_stream_that_is_only_warmed_ends_without_an_answer(server: Server) -> None:
    call = open_call(server.channel, config(), prefill("What is"))
    assert [response async for response in call] == []
    assert await call.code() == grpc.StatusCode.OK
    await server.idle()
