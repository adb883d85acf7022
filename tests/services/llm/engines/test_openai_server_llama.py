"""The engine with llama.cpp's own HTTP server behind it, and a small model: real chunks, real refusals."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from chassis.errors import Code, StageError
from chassis.weights import open_store
from services.llm.chat import Chat, Event, Finished, FinishReason, Message, Role, TextDelta
from services.llm.engines.openai_server import OpenAiServerEngine
from services.llm.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = Chat("You are a helpful assistant.", (), (), frozenset(), temperature=0, top_p=1, max_output_tokens=24)
QUESTION = "What is the capital of France?"
CONTEXT = 512


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    import xllamacpp

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = str(open_store().ensure("smollm2-135m") / "model.gguf")
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = 1
    params.n_ctx = CONTEXT
    params.n_threads_http = 4
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.verbosity = 0
    params.ui = False
    server: Any = xllamacpp.Server(params)
    yield f"http://127.0.0.1:{port}/v1"
    del server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(address: str) -> AsyncIterator[OpenAiServerEngine]:
    engine = OpenAiServerEngine(Settings(engine="openai_server", upstream_url=address, upstream_prefill=True))
    try:
        async with asyncio.timeout(30):
            await engine.start()
        yield engine
    finally:
        await engine.close()


async def answer(engine: OpenAiServerEngine, chat: Chat, words: str, *prefills: str) -> list[Event]:
    session = await engine.open(chat, "")
    try:
        async with asyncio.timeout(30):
            for text in prefills:
                session.prefill(text)
                await session.prefilled()
            return [event async for event in session.answer(words)]
    finally:
        session.close()


async def test_an_answer_is_streamed_and_counted_and_finds_its_prefill(engine: OpenAiServerEngine) -> None:
    *deltas, finished = await answer(engine, CHAT, QUESTION, "What is the capital")
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert "Paris" in "".join(texts)
    assert len(texts) > 3
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.STOP
    assert 20 < finished.input_tokens < 60
    assert finished.cached_tokens >= finished.input_tokens - 16
    assert len(texts) <= finished.output_tokens <= 24


async def test_the_limit_of_tokens_is_told(engine: OpenAiServerEngine) -> None:
    *_, finished = await answer(engine, replace(CHAT, max_output_tokens=3), "Tell me a long story.")
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.output_tokens) == (FinishReason.LENGTH, 3)


async def test_a_conversation_longer_than_the_context_loses_its_beginning(engine: OpenAiServerEngine) -> None:
    turn = (Message(Role.USER, "Say something. " * 12), Message(Role.ASSISTANT, "Something is said. " * 12))
    *deltas, finished = await answer(engine, replace(CHAT, history=turn * 10), QUESTION)
    assert deltas
    assert isinstance(finished, Finished)
    assert 60 < finished.input_tokens < CONTEXT
    with pytest.raises(StageError) as caught:
        await answer(engine, CHAT, "word " * CONTEXT)
    assert (caught.value.code, caught.value.reason) == (Code.INVALID_ARGUMENT, "CONTEXT_EXCEEDED")
    assert caught.value.field == "generate.text"


async def test_an_answer_that_is_left_frees_the_only_slot(engine: OpenAiServerEngine) -> None:
    session = await engine.open(replace(CHAT, max_output_tokens=400), "")
    async with asyncio.timeout(10):
        await anext(aiter(session.answer("Write a very long story about a fox.")))
        session.close()
        assert (await answer(engine, CHAT, QUESTION))[:-1]
