"""Silero VAD, the real model."""

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import pytest_asyncio

from chassis.audio import Float32, Framer, float_to_pcm, pcm_to_float
from chassis.weights import open_store
from services.vad.engines.onnx import load_onnx
from services.vad.engines.silero import FRAME_SAMPLES, WEIGHTS, SileroEngine
from services.vad.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[SileroEngine]:
    engine = SileroEngine(Settings(max_streams=16))
    await engine.start()
    yield engine
    await engine.close()


def frames_of(samples: Float32) -> list[bytes]:
    return Framer(FRAME_SAMPLES).push(float_to_pcm(samples))


async def test_speech_is_told_from_a_quiet_room(
    engine: SileroEngine, speak: Callable[[str], Float32], room: Callable[[int], Float32]
) -> None:
    session = engine.open()
    quiet = await session.judge(frames_of(room(1_000)))
    speech = await session.judge(frames_of(speak("What is the capital of France?")))
    session.close()
    assert max(quiet) < 0.1
    assert np.median(speech) > 0.9


async def test_the_numbers_are_those_of_the_network_fed_frame_by_frame(
    engine: SileroEngine, speak: Callable[[str], Float32]
) -> None:
    frames = frames_of(speak("What is the capital of France?"))
    session = engine.open()
    found = await session.judge(frames)
    session.close()

    def reference() -> list[float]:
        """Silero's own recipe: 64 samples of the last frame before each frame, and the state handed on."""
        network = load_onnx(open_store().ensure(WEIGHTS) / "model.onnx", threads=1)
        last, state = np.zeros(512, np.float32), np.zeros((2, 1, 128), np.float32)
        probabilities = []
        for frame in frames:
            samples = pcm_to_float(frame)
            inputs = np.concatenate((last[-64:], samples))[np.newaxis]
            output, state = network.run(None, {"input": inputs, "state": state, "sr": np.array(16_000)})
            probabilities.append(float(output[0, 0]))
            last = samples
        return probabilities

    np.testing.assert_allclose(found, await asyncio.to_thread(reference), atol=1e-5)


async def test_a_stream_in_a_batch_gets_what_it_gets_alone(
    engine: SileroEngine, speak: Callable[[str], Float32], room: Callable[[int], Float32]
) -> None:
    speech = speak("Please turn off the lights in the kitchen.")
    signals = [np.concatenate((room(64 * n), speech)) for n in range(8)]

    async def judge(signal: Float32, at_once: int) -> list[float]:
        session = engine.open()
        frames = frames_of(signal)
        found: list[float] = []
        for at in range(0, len(frames), at_once):
            found += await session.judge(frames[at : at + at_once])
        session.close()
        return found

    together = await asyncio.gather(*(judge(signal, at_once=1) for signal in signals))
    for signal, batched in zip(signals, together, strict=True):
        alone = await judge(signal, at_once=100)
        np.testing.assert_allclose(batched, alone, atol=1e-4)


async def test_a_session_begins_without_the_memory_of_the_one_before(
    engine: SileroEngine, speak: Callable[[str], Float32]
) -> None:
    frames = frames_of(speak("How many planets are there?"))
    runs = []
    for _ in range(3):
        session = engine.open()
        runs.append(list(await session.judge(frames)))
        session.close()
    assert runs[0] == pytest.approx(runs[1], abs=1e-6)
    assert runs[0] == pytest.approx(runs[2], abs=1e-6)
