"""The vLLM engine itself, on a real model: the cache, the batch, the order, cancelling, calls of tools."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import import_module
from itertools import pairwise

import pytest
import pytest_asyncio

from chassis.errors import Code, StageError
from chassis.load import Load
from services.llm.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    Role,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from services.llm.engines import vllm_request
from services.llm.engines.base import Session
from services.llm.engines.vllm import VllmEngine
from tests.engines.llm.conftest import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

jsonschema = import_module("jsonschema")
INSTRUCTIONS = "You are a helpful assistant. You know many cities and you like to speak of them in plain words."
CHAT = Chat(INSTRUCTIONS, (), (), frozenset(), temperature=0, top_p=1, max_output_tokens=12)
LONG = replace(CHAT, instructions=f"{INSTRUCTIONS} " + "Speak of rivers and of bridges. " * 180)
"""Its prompt takes some twenty steps of the model."""
QUESTION = "What is the capital of France and what do people like there?"
STORY = "Write a very long story about a fox."
BLOCK = 32
WEATHER = Tool(
    "get_weather",
    "Tells the weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "days": {"type": "integer", "maximum": 9}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
)


@pytest.fixture
def engine(server: Server) -> VllmEngine:
    return server.engine


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nothing_is_left(server: Server) -> AsyncIterator[None]:
    """Whatever a test did, the model's process works on nothing afterwards, and the cache is empty."""
    yield
    await server.idle()


async def read(session: Session, text: str) -> tuple[list[Event], Finished]:
    events: list[Event] = []
    async with asyncio.timeout(60):
        async for event in session.answer(text):
            events.append(event)  # noqa: PERF401  # what was read before a time-out is worth seeing
    session.close()
    *rest, finished = events
    assert isinstance(finished, Finished)
    return rest, finished


def words(events: list[Event]) -> str:
    texts = [event.text for event in events if isinstance(event, TextDelta)]
    assert all(texts)
    return "".join(texts)


async def test_an_answer_comes_in_pieces_and_is_counted(engine: VllmEngine) -> None:
    events, finished = await read(await engine.open(CHAT, ""), QUESTION)
    assert "Paris" in words(events)
    assert len(events) > 3
    assert finished.reason is FinishReason.LENGTH
    assert finished.output_tokens == 12
    assert 20 < finished.input_tokens < 80


async def test_a_short_answer_ends_by_itself(engine: VllmEngine) -> None:
    chat = replace(CHAT, max_output_tokens=200)
    _, finished = await read(await engine.open(chat, ""), "What is the capital of France? Answer with one word.")
    assert finished.reason is FinishReason.STOP
    assert finished.output_tokens < 200


async def test_the_next_turn_finds_the_last_one_in_the_cache(engine: VllmEngine) -> None:
    events, first = await read(await engine.open(CHAT, "a"), QUESTION)
    history = (Message(Role.USER, QUESTION), Message(Role.ASSISTANT, words(events)))
    # The session opens with the history and warms it; the last answer's own blocks are there without that.
    _, second = await read(await engine.open(replace(CHAT, history=history), "a"), "And of Spain?")
    assert second.cached_tokens >= first.input_tokens // BLOCK * BLOCK
    assert second.input_tokens > first.input_tokens


async def test_after_a_prefill_only_the_end_of_the_prompt_is_decoded(engine: VllmEngine) -> None:
    session = await engine.open(LONG, "")
    session.prefill("What is the capital of France and what do people")
    await session.prefilled()
    _, finished = await read(session, QUESTION)
    # What was not heard yet, what the template puts after it, and the block that these begin in.
    assert finished.input_tokens - finished.cached_tokens <= 10 + BLOCK
    assert finished.cached_tokens > 1000


async def test_a_prompt_is_decoded_once_and_then_found(engine: VllmEngine) -> None:
    prompt = (await engine.prompts.fit(LONG, QUESTION)).frame.whole(QUESTION)
    request = vllm_request.answer(prompt, LONG, engine.sampling, 1.0)
    first = [piece async for piece in engine.generate(request).pieces()]
    second = [piece async for piece in engine.generate(request).pieces()]
    assert first[-1].cached_tokens == 0
    assert second[-1].input_tokens - second[-1].cached_tokens <= BLOCK
    assert [piece.text for piece in first] == [piece.text for piece in second]


async def test_a_prefill_that_was_wrong_does_not_change_the_answer(engine: VllmEngine) -> None:
    plain, _ = await read(await engine.open(CHAT, ""), QUESTION)
    session = await engine.open(CHAT, "")
    session.prefill("What is the captain of France doing?")
    await session.prefilled()
    changed, _ = await read(session, QUESTION)
    assert words(changed) == words(plain)


async def test_a_newer_prefill_takes_the_place_of_one_that_runs(engine: VllmEngine) -> None:
    session = await engine.open(LONG, "")
    for said in ("What", "What is", "What is the capital"):
        await asyncio.sleep(0.05)
        session.prefill(said)
    # Those before it end within a step.
    await asyncio.sleep(0.05)
    assert engine.running == 1
    await session.prefilled()
    assert engine.running == 0
    _, finished = await read(session, QUESTION)
    assert finished.input_tokens - finished.cached_tokens <= 14 + BLOCK


async def test_two_answers_are_generated_at_the_same_time(engine: VllmEngine) -> None:
    order: list[str] = []

    async def tell(name: str) -> None:
        session = await engine.open(replace(CHAT, max_output_tokens=60), name)
        async for _ in session.answer(STORY):
            order.append(name)  # noqa: PERF401  # the order across both is the point
        session.close()

    async with asyncio.timeout(60):
        await asyncio.gather(tell("a"), tell("b"))
    assert sum(before != after for before, after in pairwise(order)) > 20


async def begin_story(engine: VllmEngine, name: str) -> tuple[Session, AsyncIterator[Event]]:
    """A session whose answer has begun and goes on for long."""
    session = await engine.open(replace(CHAT, max_output_tokens=1500), name)
    await session.prefilled()
    events = aiter(session.answer(f"{STORY} Call it {name}."))
    async with asyncio.timeout(20):
        await anext(events)
    return session, events


async def test_a_closed_session_stops_the_model(server: Server) -> None:
    engine = server.engine
    session, events = await begin_story(engine, "Rex")
    assert engine.load() == Load(1, 2)
    assert await server.works()
    session.close()
    session.close()
    await server.idle()
    assert not any([isinstance(event, Finished) async for event in events])


async def test_a_closed_session_ends_its_prefill(engine: VllmEngine) -> None:
    session = await engine.open(LONG, "")
    await asyncio.sleep(0.1)
    session.close()
    async with asyncio.timeout(1):
        await session.prefilled()
    session.prefill("Hello")
    assert engine.running == 0


async def test_answers_come_before_prefills_that_came_before_them(engine: VllmEngine) -> None:
    stories = [await begin_story(engine, name) for name in ("Rex", "Tom")]
    waiting = await engine.open(LONG, "")
    session = await engine.open(CHAT, "")
    answer = asyncio.create_task(read(session, "Hello"))
    await asyncio.sleep(0.2)
    assert not answer.done()
    stories[0][0].close()
    await answer
    assert engine.running == 2  # the other story, and the prefill that came first
    waiting.close()
    stories[1][0].close()


async def test_answers_beyond_the_queue_are_refused(engine: VllmEngine) -> None:
    stories = [await begin_story(engine, name) for name in ("Rex", "Tom")]
    waiting = asyncio.create_task(read(await engine.open(CHAT, ""), "Hello"))
    await asyncio.sleep(0.1)
    assert engine.load() == Load(3, 2)
    session = await engine.open(CHAT, "")
    with pytest.raises(StageError) as caught:
        await read(session, "Hello")
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "SLOTS_EXHAUSTED")
    session.close()
    for story, _ in stories:
        story.close()
    assert words((await waiting)[0])


async def test_a_required_tool_is_called_with_arguments_that_its_schema_allows(engine: VllmEngine) -> None:
    chat = replace(CHAT, tools=(WEATHER,), required_tools=frozenset({"get_weather"}), max_output_tokens=120)
    events, finished = await read(await engine.open(chat, ""), "What will the weather be in Oslo in the next 3 days?")
    assert finished.reason is FinishReason.TOOL_CALLS
    call = next(event for event in events if isinstance(event, ToolCall))
    assert call.name == "get_weather"
    jsonschema.validate(json.loads(call.arguments_json), WEATHER.parameters)
    deltas = [event for event in events if isinstance(event, ToolCallDelta) and event.id == call.id]
    assert len(deltas) > 1
    assert "".join(delta.arguments_delta for delta in deltas) == call.arguments_json
    assert words(events) == ""


async def test_with_tools_the_model_may_answer_in_words(engine: VllmEngine) -> None:
    tools = (Tool("hang_up", "", {"type": "object", "properties": {}}),)
    history = (
        Message(Role.USER, "Hang up."),
        Message(Role.ASSISTANT, "", (ToolCall("1", "hang_up", "{}"),)),
        Message(Role.TOOL, "done", tool_call_id="1"),
    )
    # The one call there is was made and answered, so it is left out and words follow.
    events, finished = await read(await engine.open(replace(CHAT, tools=tools, history=history), ""), "")
    assert words(events)
    assert finished.reason in (FinishReason.LENGTH, FinishReason.STOP)
    assert not any(isinstance(event, ToolCall) for event in events)


async def test_a_schema_of_which_no_grammar_can_be_made_is_refused(engine: VllmEngine) -> None:
    broken = Tool("broken", "", {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}})
    session = await engine.open(replace(CHAT, tools=(broken,)), "")
    with pytest.raises(StageError) as caught:
        await read(session, "Hello")
    assert (caught.value.code, caught.value.reason) == (Code.INVALID_ARGUMENT, "REQUEST_REFUSED")
    assert caught.value.field == "tools"
    session.close()


@pytest.mark.parametrize("tokens", [5, 6, 7])
async def test_no_piece_ends_inside_a_character(engine: VllmEngine, tokens: int) -> None:
    # Each of these is three or four tokens long; the model goes on in kind.
    chat = replace(CHAT, max_output_tokens=tokens)
    events, _ = await read(await engine.open(chat, ""), "Repeat: 🦊🐻🐼🦊🐻🐼🦊🐻🐼🦊🐻🐼")
    assert "\ufffd" not in words(events)
