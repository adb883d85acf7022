"""The llama.cpp engine itself, with a small model: the cache, the slots, cancelling, characters."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
import pytest_asyncio

from chassis.registry import UnknownEngineError
from services.llm.chat import Chat, Event, Finished, Message, Role, TextDelta
from services.llm.engines import create
from services.llm.engines.base import Session
from services.llm.engines.llama_cpp import LlamaCppEngine
from services.llm.engines.llama_server import LlamaServerError
from services.llm.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSTRUCTIONS = "You are a helpful assistant. You know many cities and you like to speak of them in plain words."
SETTINGS = Settings(model="smollm2-135m", threads=1, slots=2, context_tokens=384, warm_instructions=INSTRUCTIONS)
CHAT = Chat(INSTRUCTIONS, (), (), frozenset(), temperature=0, top_p=1, max_output_tokens=12)
QUESTION = "What is the capital of France and what do people like there?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LlamaCppEngine]:
    engine = create(SETTINGS)
    assert isinstance(engine, LlamaCppEngine)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


async def read(session: Session, text: str) -> tuple[str, Finished]:
    events: list[Event] = []
    async with asyncio.timeout(30):
        async for event in session.answer(text):
            events.append(event)  # noqa: PERF401  # what was read before a time-out is worth seeing
    session.close()
    *deltas, finished = events
    assert isinstance(finished, Finished)
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert all(texts)
    return "".join(texts), finished


async def test_an_engine_that_is_not_there_is_an_error_that_lists_the_engines() -> None:
    with pytest.raises(UnknownEngineError, match=r"VOXFLEET_LLM_ENGINE.*llama_cpp"):
        create(Settings(engine="abacus"))


async def test_after_a_prefill_only_the_end_of_the_prompt_is_decoded(engine: LlamaCppEngine) -> None:
    session = await engine.open(CHAT, "prefilled")
    session.prefill("What is the capital")
    session.prefill("What is the capital of France and what do people")
    await session.prefilled()
    _, finished = await read(session, QUESTION)
    # "like there?", the end of the person's turn and the beginning of the assistant's; one token in case the last
    # word was cut differently.
    assert finished.input_tokens - finished.cached_tokens <= 10


async def test_a_prefill_that_was_wrong_costs_nothing_but_time(engine: LlamaCppEngine) -> None:
    plain, _ = await read(await engine.open(CHAT, ""), QUESTION)
    session = await engine.open(CHAT, "wrong")
    session.prefill("What is the captain of France doing?")
    await session.prefilled()
    assert (await read(session, QUESTION))[0] == plain


async def test_the_conversation_is_warmed_before_the_person_has_said_anything(engine: LlamaCppEngine) -> None:
    history = (Message(Role.USER, "Hello, are you there?"), Message(Role.ASSISTANT, "Yes, what can I do for you?"))
    session = await engine.open(replace(CHAT, history=history), "warmed")
    await session.prefilled()
    _, finished = await read(session, "Hi")
    assert finished.input_tokens - finished.cached_tokens <= 7


async def test_the_warm_instructions_are_in_every_slot_from_the_start() -> None:
    engine = LlamaCppEngine(SETTINGS)
    try:
        await engine.start()
        prompt = (await engine.prompts.fit(CHAT, None)).frame.whole("Hi")
        for slot in range(SETTINGS.slots):
            completion = engine.complete({"prompt": prompt, "n_predict": 0, "id_slot": slot}, lambda: None)
            *_, last = [piece async for piece in completion.pieces()]
            assert last.input_tokens - last.cached_tokens <= 7
    finally:
        await engine.close()


async def test_two_answers_are_generated_at_the_same_time(engine: LlamaCppEngine) -> None:
    chat = replace(CHAT, max_output_tokens=60)
    order: list[str] = []

    async def tell(name: str) -> None:
        session = await engine.open(chat, name)
        async for _ in session.answer("Write a very long story about a fox."):
            order.append(name)  # noqa: PERF401  # the order across both is the point
        session.close()

    async with asyncio.timeout(30):
        await asyncio.gather(tell("a"), tell("b"))
    changes = sum(before != after for before, after in pairwise(order))
    assert changes > 20


async def test_dropping_the_oldest_turns_moves_the_cache_and_does_not_decode_it_again(engine: LlamaCppEngine) -> None:
    history: tuple[Message, ...] = ()
    sizes, decoded = [], []
    for number in range(12):
        chat = replace(CHAT, history=history, max_output_tokens=1)
        question = f"Tell me fact number {number} about the old bridges of the city."
        _, finished = await read(await engine.open(chat, "long"), question)
        sizes.append(finished.input_tokens)
        decoded.append(finished.input_tokens - finished.cached_tokens)
        history += (Message(Role.USER, question), Message(Role.ASSISTANT, f"Bridge {number} is old, wide and quiet."))
    trimmed = [at for at in range(1, 12) if sizes[at] < sizes[at - 1]]
    assert trimmed
    assert max(decoded[1:]) < 60
    assert max(sizes) <= 384


async def test_a_cancelled_completion_stops_within_two_tokens(engine: LlamaCppEngine) -> None:
    ended = asyncio.Event()
    request = {"prompt": "A fox", "n_predict": 400, "ignore_eos": True, "id_slot": 0}
    completion = engine.complete(request, ended.set)
    pieces = completion.pieces()
    async with asyncio.timeout(20):
        for _ in range(3):
            await anext(pieces)
        # What is on its way now was generated before the cancel.
        completion.cancel()
        rest = [piece async for piece in pieces]
        await ended.wait()
    assert len(rest) <= 2
    assert not any(piece.last for piece in rest)


async def test_a_closed_session_frees_its_slot_in_whatever_state(engine: LlamaCppEngine) -> None:
    prefilling = await engine.open(replace(CHAT, instructions="Speak of rivers. " * 50), "closed")
    assert engine.slots.busy == 1
    prefilling.close()
    prefilling.close()
    async with asyncio.timeout(5):
        await prefilling.prefilled()
    assert engine.slots.busy == 0
    prefilling.prefill("Hello")
    assert engine.slots.busy == 0


@pytest.mark.parametrize("tokens", range(1, 12))
async def test_no_piece_ends_inside_a_character(engine: LlamaCppEngine, tokens: int) -> None:
    # Each of these is three or four tokens long; the model goes on in kind.
    prompt = "🦊🐻🐼🦊🐻🐼🦊🐻🐼🦊🐻"
    request = {"prompt": prompt, "n_predict": tokens, "id_slot": 0, "temperature": 0}
    texts = [piece.text async for piece in engine.complete(request, lambda: None).pieces()]
    assert "\ufffd" not in "".join(texts)
    assert all(len(text) == 1 for text in texts if text)


async def test_what_the_model_server_refuses_is_an_error(engine: LlamaCppEngine) -> None:
    completion = engine.complete({"prompt": "a " * 600, "n_predict": 1, "id_slot": 0}, lambda: None)
    with pytest.raises(LlamaServerError, match="context size"):
        _ = [piece async for piece in completion.pieces()]
