"""The engine for OpenAI's API with vLLM's own server behind it: a process of its own, asked over HTTP."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.errors import Code, StageError
from services.llm.chat import Chat, Event, Finished, Message, Role, TextDelta
from services.llm.engines.openai_server import OpenAiServerEngine
from services.llm.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = Chat("You are a helpful assistant.", (), (), frozenset(), temperature=0, top_p=1, max_output_tokens=24)
QUESTION = "What is the capital of France?"
CONTEXT = 512
LOADING_S = 180


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"--host": "127.0.0.1", "--port": port, "--served-model-name": "tiny", "--max-model-len": CONTEXT}
    told |= {"--max-num-seqs": 2, "--kv-cache-memory-bytes": 1 << 28}
    options = [str(part) for option in told.items() for part in option]
    # Not `vllm serve`, which asks for the version of a package by the name of the build for GPUs.
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(folder),
        "--enforce-eager",
        *options,
    ]
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
    server = subprocess.Popen(command, env=environment)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(address: str) -> AsyncIterator[OpenAiServerEngine]:
    settings = Settings(engine="openai_server", upstream_url=address, upstream_prefill=True, upstream_probe_s=0.5)
    engine = OpenAiServerEngine(settings)
    try:
        async with asyncio.timeout(LOADING_S):
            await engine.start()
        assert engine.model == "tiny"
        yield engine
    finally:
        await engine.close()


async def answer(engine: OpenAiServerEngine, chat: Chat, words: str, *prefills: str) -> list[Event]:
    session = await engine.open(chat, "")
    try:
        async with asyncio.timeout(60):
            for text in prefills:
                session.prefill(text)
                await session.prefilled()
            return [event async for event in session.answer(words)]
    finally:
        session.close()


async def test_an_answer_is_streamed_and_counted_after_its_prefills(engine: OpenAiServerEngine) -> None:
    *deltas, finished = await answer(engine, CHAT, QUESTION, "What is the capital")
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert "Paris" in "".join(texts)
    assert len(texts) > 1
    assert isinstance(finished, Finished)
    assert 20 < finished.input_tokens < 60
    assert len(texts) <= finished.output_tokens <= 24


async def test_a_conversation_longer_than_the_context_loses_its_beginning(engine: OpenAiServerEngine) -> None:
    turn = (Message(Role.USER, "Say something. " * 12), Message(Role.ASSISTANT, "Something is said. " * 12))
    *_, finished = await answer(engine, replace(CHAT, history=turn * 10), QUESTION)
    assert isinstance(finished, Finished)
    assert 60 < finished.input_tokens < CONTEXT
    with pytest.raises(StageError) as caught:
        await answer(engine, CHAT, "word " * CONTEXT)
    assert (caught.value.code, caught.value.reason) == (Code.INVALID_ARGUMENT, "CONTEXT_EXCEEDED")


async def test_a_model_that_is_not_there_is_told(address: str) -> None:
    engine = OpenAiServerEngine(Settings(engine="openai_server", upstream_url=address, upstream_model="huge"))
    try:
        await engine.start()
        with pytest.raises(StageError) as caught:
            await answer(engine, CHAT, QUESTION)
        assert (caught.value.code, caught.value.reason) == (Code.FAILED_PRECONDITION, "UPSTREAM_NOT_FOUND")
    finally:
        await engine.close()
