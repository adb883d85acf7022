"""Sessions of the real engine, without a server around them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from chassis.metrics import BATCH_SIZE, ENGINE_SECONDS
from services.stt.batching import Priority
from services.stt.bench_clips import HIBARI, SENTENCES
from services.stt.engines.base import SessionConfig, Transcript
from services.stt.engines.faster_whisper import FasterWhisperEngine
from services.stt.recognizer import AbandonedError, Clip, Request
from services.stt.settings import Settings
from services.stt.whisper_model import Encoded
from tests.services.stt.metrics import value

pytestmark = pytest.mark.asyncio(loop_scope="module")

Speak = Callable[[str], bytes]
LENGTH = 2 * 5 * 16_000
"""Bytes of clips that share a context."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[FasterWhisperEngine]:
    engine = FasterWhisperEngine(Settings(model="whisper-tiny-en", max_batch=8))
    await engine.start()
    yield engine
    await engine.close()


@asynccontextmanager
async def held(engine: FasterWhisperEngine) -> AsyncIterator[asyncio.TaskGroup]:
    """While the engine's only thread is busy with a job that nobody wants; then it is let go."""
    busy, go = threading.Event(), threading.Event()

    def wanted() -> bool:
        busy.set()
        return not go.wait(10)

    async def hold() -> None:
        clip: Clip[Encoded] = Clip(b"", Request(), 5, wanted)
        with pytest.raises(AbandonedError):
            await engine.batcher.submit("test", lambda: clip, lambda: 5, priority=Priority.FINAL, stream=None)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(hold())
        await asyncio.to_thread(busy.wait, 10)
        try:
            yield group
            await asyncio.sleep(0)
        finally:
            go.set()


async def hear(engine: FasterWhisperEngine, pcm: bytes, config: SessionConfig | None = None) -> Transcript:
    session = engine.open(config or SessionConfig())
    session.accept_audio(pcm)
    return await session.final(session.samples)


async def hear_together(
    engine: FasterWhisperEngine, clips: Sequence[bytes], configs: Sequence[SessionConfig]
) -> list[Transcript]:
    async with held(engine) as group:
        tasks = [group.create_task(hear(engine, pcm, config)) for pcm, config in zip(clips, configs, strict=True)]
    return [each.result() for each in tasks]


def batches() -> float:
    return value(BATCH_SIZE, "voxfleet_batch_size_count", stage="stt")


async def test_a_final_reuses_what_a_partial_heard_of_the_same_audio(engine: FasterWhisperEngine, speak: Speak) -> None:
    session = engine.open(SessionConfig())
    session.accept_audio(speak("What is the capital of France?"))
    partial = await session.partial()
    assert partial is not None
    async with held(engine), asyncio.timeout(5):
        # While the only thread is held, a new decode could not be answered.
        transcript = await session.final(session.samples)
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

    async with held(engine) as group:
        group.create_task(partial())
        await asyncio.sleep(0)
        group.create_task(final())
    assert order == ["final", "partial"]


async def test_clips_of_one_batch_come_to_what_each_comes_to_alone(engine: FasterWhisperEngine, speak: Speak) -> None:
    clips = [speak(text).ljust(LENGTH, b"\0") for voice, text in SENTENCES if voice == HIBARI]
    hints = ("", "", "Zbigniew", "", "a wombat and a quokka")
    configs = [SessionConfig(hint=hint, words=bool(hint)) for hint in hints]
    alone = [await hear(engine, pcm, config) for pcm, config in zip(clips, configs, strict=True)]
    before = batches()
    together = await hear_together(engine, clips, configs)
    assert together == alone
    assert batches() - before == 2, "one held the thread, one took them all"
    assert [bool(each.words) for each in together] == [bool(hint) for hint in hints]


async def test_a_partial_takes_the_audio_there_is_when_its_turn_comes(
    engine: FasterWhisperEngine, speak: Speak
) -> None:
    pcm = speak("What is the capital of France?")
    session = engine.open(SessionConfig())
    session.accept_audio(pcm[: len(pcm) // 2])
    async with held(engine) as group:
        partial = group.create_task(session.partial())
        await asyncio.sleep(0)
        session.accept_audio(pcm[len(pcm) // 2 :])
    heard = partial.result()
    assert heard is not None
    assert heard.end == len(pcm) // 2


async def test_a_final_that_is_given_up_while_it_waits_never_runs(engine: FasterWhisperEngine, speak: Speak) -> None:
    def finals() -> float:
        return value(ENGINE_SECONDS, "voxfleet_engine_seconds_count", stage="stt", operation="final")

    before = finals()
    async with held(engine) as group:
        unwanted = group.create_task(hear(engine, speak("What is the capital of France?")))
        await asyncio.sleep(0)
        assert engine.batcher.waiting == 1
        unwanted.cancel()
        await asyncio.wait((unwanted,))
        assert engine.batcher.waiting == 0
    assert finals() == before


async def test_a_cancelled_partial_leaves_the_session_usable(engine: FasterWhisperEngine, speak: Speak) -> None:
    session = engine.open(SessionConfig())
    session.accept_audio(speak("What is the capital of France?"))
    partial = asyncio.create_task(session.partial())
    await asyncio.sleep(0.01)
    partial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await partial
    assert (await session.final(session.samples)).text == "What is the capital of France?"


async def test_languages_mix_in_a_batch(speak: Speak, chinese: bytes) -> None:
    engine = FasterWhisperEngine(Settings(model="whisper-base"))
    await engine.start()
    try:
        clips = [speak("What is the capital of France?"), chinese, speak("Good morning, can you hear me?")]
        told = [SessionConfig(), SessionConfig(), SessionConfig(language="en")]
        alone = [await hear(engine, pcm, config) for pcm, config in zip(clips, told, strict=True)]
        together = await hear_together(engine, clips, told)
    finally:
        await engine.close()
    assert [each.text for each in together] == [each.text for each in alone]
    assert [each.language.code for each in together if each.language] == ["en", "zh", "en"]
