"""The language model server over real gRPC, with its real engine and a small model."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from voxfleet.llm.v1 import llm_pb2, llm_pb2_grpc
from voxfleet.llm.v1.llm_pb2 import ChatRequest, Finished, Message, Tool

from chassis.errors import Code
from chassis.grpc_errors import from_rpc_error
from chassis.interceptor import LOAD_KEY
from services.llm.engines.llama_cpp import LlamaCppEngine
from services.llm.settings import Settings
from services.llm.stage import build
from tests.services.llm.turns import Call, ask, config, generate, open_call, prefill, refused, responses
from tests.support.server import refusal, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What is the capital of France?"
STORY = "Write a very long story about a fox."
"""At temperature 0 the answer goes on for more than a thousand tokens, at least five seconds."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server with one slot, for one waiting answer and three streams."""

    channel: grpc.aio.Channel
    engine: LlamaCppEngine

    async def idle(self) -> None:
        """Waits until no slot is in use; a story that was not stopped would take longer."""
        async with asyncio.timeout(3):
            while self.engine.slots.busy or self.engine.slots.waiting:  # noqa: ASYNC110  # as a client would see it
                await asyncio.sleep(0.005)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    settings = Settings(
        port=0,
        model="smollm2-135m",
        threads=1,
        slots=1,
        max_waiting=1,
        max_streams=3,
        context_tokens=1536,
        idle_timeout_s=2,
        max_message_bytes=1 << 16,
    )
    stage = await build(settings)
    assert isinstance(stage.engine, LlamaCppEngine)
    async with serving(stage, settings) as channel:
        yield Server(channel, stage.engine)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def serves_on(server: Server) -> AsyncIterator[None]:
    """Whatever a test did to it, the server answers the next stream and holds nothing of the last."""
    yield
    await server.idle()
    assert (await ask(server.channel, config(max_output_tokens=2), generate("Hi"))).text
    await server.idle()


async def start_story(server: Server) -> Call:
    """A stream whose answer has begun."""
    call = open_call(server.channel, config(max_output_tokens=1400), generate(STORY))
    async with asyncio.timeout(10):
        await anext(aiter(call))
    assert server.engine.slots.busy == 1
    return call


async def test_an_answer_is_streamed_and_counted(server: Server) -> None:
    answer = await ask(server.channel, config(), generate(QUESTION))
    assert "Paris" in answer.text
    assert len(answer.deltas) > 3
    assert all(answer.deltas)
    assert answer.finished.reason == Finished.REASON_STOP
    assert 20 < answer.finished.usage.input_tokens < 60
    assert len(answer.deltas) <= answer.finished.usage.output_tokens <= 24


async def test_the_most_tokens_end_an_answer_with_length(server: Server) -> None:
    answer = await ask(server.channel, config(max_output_tokens=3), generate(STORY))
    assert answer.finished.reason == Finished.REASON_LENGTH
    assert answer.finished.usage.output_tokens == 3


async def test_the_next_turn_of_a_session_decodes_only_what_is_new(server: Server) -> None:
    first = await ask(server.channel, config(), generate(QUESTION), session_id="a")
    history = [
        Message(role=llm_pb2.ROLE_USER, text=QUESTION),
        Message(role=llm_pb2.ROLE_ASSISTANT, text=first.text),
    ]
    second = await ask(server.channel, config(history=history), generate("And of Spain?"), session_id="a")
    before = first.finished.usage.input_tokens + first.finished.usage.output_tokens
    assert second.finished.usage.cached_tokens >= before - 2
    assert second.finished.usage.input_tokens > before


async def test_a_prefill_is_answered_by_nothing(server: Server) -> None:
    assert await responses(open_call(server.channel, config(), prefill("What is"), prefill("What is the"))) == []


async def test_prefills_do_not_change_the_answer(server: Server) -> None:
    plain = await ask(server.channel, config(), generate(QUESTION))
    requests = [config(), prefill("What"), prefill("What is a cap"), prefill("What is the capital"), generate(QUESTION)]
    assert (await ask(server.channel, *requests)).text == plain.text


async def test_an_empty_generate_continues_the_history(server: Server) -> None:
    history = [Message(role=llm_pb2.ROLE_USER, text=QUESTION)]
    assert "Paris" in (await ask(server.channel, config(history=history), generate(""))).text


async def test_half_close_without_generate_ends_without_an_answer(server: Server) -> None:
    call = open_call(server.channel, config())
    assert await responses(call) == []
    assert await call.code() == grpc.StatusCode.OK


async def test_cancelling_stops_the_generation_and_frees_the_slot(server: Server) -> None:
    call = await start_story(server)
    call.cancel()
    await server.idle()


async def test_a_client_that_reads_nothing_and_leaves_frees_the_slot(server: Server) -> None:
    call = await start_story(server)
    # The answer goes on while nothing is read.
    await asyncio.sleep(0.2)
    assert server.engine.slots.busy == 1
    call.cancel()
    await server.idle()


async def test_a_cancelled_answer_lets_the_next_one_in_at_once(server: Server) -> None:
    story = await start_story(server)
    waiting = asyncio.create_task(ask(server.channel, config(), generate(QUESTION)))
    while not server.engine.slots.waiting:  # noqa: ASYNC110  # as a client would see it
        await asyncio.sleep(0.005)
    story.cancel()
    async with asyncio.timeout(3):
        assert "Paris" in (await waiting).text


async def test_a_stream_is_told_of_the_answers_that_run_and_wait(server: Server) -> None:
    async def told(call: Call) -> str | bytes:
        async with asyncio.timeout(5):
            return dict(await call.initial_metadata())[LOAD_KEY]

    story = await start_story(server)
    waiting = open_call(server.channel, config(), generate(QUESTION))
    assert await told(story) == "1/3"  # streams; no slot was in use yet
    assert await told(waiting) == "1/1"  # slots, which are nearer to their limit
    while not server.engine.slots.waiting:  # noqa: ASYNC110  # as a client would see it
        await asyncio.sleep(0.005)
    warming = open_call(server.channel, config())
    assert await told(warming) == "2/1"
    for call in (warming, waiting, story):
        call.cancel()


async def test_answers_beyond_the_queue_are_refused(server: Server) -> None:
    story = await start_story(server)
    waiting = open_call(server.channel, config(), generate(QUESTION))
    while not server.engine.slots.waiting:  # noqa: ASYNC110  # as a client would see it
        await asyncio.sleep(0.005)
    error = await refused(server.channel, config(), generate(QUESTION))
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "SLOTS_EXHAUSTED")
    waiting.cancel()
    story.cancel()


async def test_streams_beyond_the_limit_are_refused(server: Server) -> None:
    stub: llm_pb2_grpc.LanguageModelServiceAsyncStub = llm_pb2_grpc.LanguageModelServiceStub(server.channel)
    calls = [stub.Chat() for _ in range(3)]
    for call in calls:
        await call.write(config())
    await asyncio.sleep(0.1)
    error = await refusal(stub.Chat())
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "STREAMS_EXHAUSTED")
    for call in calls:
        call.cancel()
    await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ((), "CONFIG_MISSING"),
        ((generate(QUESTION),), "CONFIG_MISSING"),
        ((ChatRequest(),), "CONFIG_MISSING"),
        ((config(), config()), "CONFIG_REPEATED"),
        ((config(), prefill("What"), ChatRequest()), "REQUEST_EMPTY"),
    ],
)
async def test_messages_out_of_order_are_refused(
    server: Server, requests: tuple[ChatRequest, ...], reason: str
) -> None:
    error = await refused(server.channel, *requests)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, reason)


async def test_a_bad_field_is_named(server: Server) -> None:
    error = await refused(server.channel, config(temperature=2.5))
    assert (error.code, error.field) == (Code.INVALID_ARGUMENT, "temperature")
    assert "0 to 2, got 2.5" in error.message


async def test_tools_are_refused_where_the_model_cannot_call_any(server: Server) -> None:
    error = await refused(server.channel, config(tools=[Tool(name="get_weather")]), generate("Weather?"))
    assert (error.field, error.code) == ("tools", Code.INVALID_ARGUMENT)


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ((config(instructions="Speak of bridges. " * 600),), "config.instructions"),
        ((config(), generate("Tell me of bridges. " * 600)), "generate.text"),
    ],
)
async def test_a_prompt_that_no_trimming_makes_fit_is_refused(
    server: Server, requests: tuple[ChatRequest, ...], field: str
) -> None:
    error = await refused(server.channel, *requests)
    assert (error.reason, error.field) == ("CONTEXT_EXCEEDED", field)


async def test_an_oversized_message_is_refused(server: Server) -> None:
    error = await refused(server.channel, config(), generate("a" * (1 << 17)))
    assert error.code == Code.RESOURCE_EXHAUSTED


async def test_a_silent_stream_is_ended(server: Server) -> None:
    stub: llm_pb2_grpc.LanguageModelServiceAsyncStub = llm_pb2_grpc.LanguageModelServiceStub(server.channel)
    call = stub.Chat()
    await call.write(config())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    error = from_rpc_error(caught.value, "llm")
    assert (error.code, error.reason) == (Code.DEADLINE_EXCEEDED, "IDLE_TIMEOUT")
