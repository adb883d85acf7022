"""Sessions of the real engine, without a server around them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from services.stt.engines.base import SessionConfig
from services.stt.engines.faster_whisper import AbandonedError, FasterWhisperEngine, Priority
from services.stt.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Speak = Callable[[str], bytes]
Proceed = Callable[[], None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[FasterWhisperEngine]:
    engine = FasterWhisperEngine(Settings(model="whisper-tiny-en"))
    await engine.start()
    yield engine
    await engine.close()


async def test_a_final_reuses_what_a_partial_heard_of_the_same_audio(engine: FasterWhisperEngine, speak: Speak) -> None:
    session = engine.open(SessionConfig())
    session.accept_audio(speak("What is the capital of France?"))
    partial = await session.partial()
    assert partial is not None
    go = threading.Event()
    # While the only thread is held, a new decode could not be answered.
    held = asyncio.create_task(engine.run("test", lambda _: go.wait(10), Priority.FINAL))
    try:
        async with asyncio.timeout(5):
            transcript = await session.final(session.samples)
    finally:
        go.set()
        await held
    assert transcript.text == (partial.hypothesis.stable + partial.hypothesis.unstable).strip()


async def test_a_final_overtakes_a_partial_that_waits(engine: FasterWhisperEngine, speak: Speak) -> None:
    sessions = [engine.open(SessionConfig()) for _ in range(2)]
    for session in sessions:
        session.accept_audio(speak("What is the capital of France?"))
    order: list[str] = []

    async def partial() -> None:
        await sessions[0].partial()
        order.append("partial")

    async def final() -> None:
        await sessions[1].final(sessions[1].samples)
        order.append("final")

    go = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.run("test", lambda _: go.wait(10), Priority.FINAL))
        await asyncio.sleep(0)
        group.create_task(partial())
        await asyncio.sleep(0)
        group.create_task(final())
        await asyncio.sleep(0)
        go.set()
    assert order == ["final", "partial"]


async def test_a_job_hears_that_nobody_waits_for_it_any_more(engine: FasterWhisperEngine) -> None:
    cancelled, ended = threading.Event(), threading.Event()

    def job(proceed: Proceed) -> None:
        cancelled.wait(10)
        try:
            proceed()
        except AbandonedError:
            ended.set()
            raise

    task = asyncio.create_task(engine.run("test", job, Priority.FINAL))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled.set()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_cancelled_partial_leaves_the_session_usable(engine: FasterWhisperEngine, speak: Speak) -> None:
    session = engine.open(SessionConfig())
    session.accept_audio(speak("What is the capital of France?"))
    partial = asyncio.create_task(session.partial())
    await asyncio.sleep(0.01)
    partial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await partial
    assert (await session.final(session.samples)).text == "What is the capital of France?"
