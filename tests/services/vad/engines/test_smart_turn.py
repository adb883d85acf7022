"""Smart Turn, the real model: finished sentences against the same ones cut short."""

from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import pytest_asyncio

from chassis.audio import Float32, float_to_pcm, pcm_to_float
from services.vad.engines.log_mel import log_mel, standardize
from services.vad.engines.smart_turn import CONTEXT_SAMPLES, SmartTurnEngine, features
from services.vad.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SENTENCES = (
    "I would like to book a table for two people at seven o'clock tonight.",
    "Can you tell me what the weather will be like tomorrow?",
    "How many planets are there in the solar system?",
    "I think the best way to get there is by train.",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[SmartTurnEngine]:
    engine = SmartTurnEngine(Settings())
    await engine.start()
    yield engine
    await engine.close()


@pytest.mark.parametrize("sentence", SENTENCES)
async def test_a_sentence_cut_in_the_middle_is_not_a_finished_turn(
    engine: SmartTurnEngine, speak: Callable[[str], Float32], room: Callable[[int], Float32], sentence: str
) -> None:
    async def probability(speech: Float32) -> float:
        found = await engine.judge(float_to_pcm(np.concatenate((room(300), speech, room(224)))))
        assert found is not None
        return found

    speech = speak(sentence)
    finished, cut = await probability(speech), await probability(speech[: len(speech) * 6 // 10])
    print(f"finished {finished:.3f}, cut {cut:.3f}: {sentence}")
    assert finished > 0.9
    assert cut < 0.3


async def test_an_earlier_sentence_of_the_turn_does_not_confuse_it(
    engine: SmartTurnEngine, speak: Callable[[str], Float32], room: Callable[[int], Float32]
) -> None:
    earlier, speech = speak("What is the capital of France?"), speak(SENTENCES[2])
    found = []
    for length in (len(speech), len(speech) * 6 // 10):
        turn = np.concatenate((room(300), earlier, room(1_000), speech[:length], room(224)))
        found.append(await engine.judge(float_to_pcm(turn)))
    finished, cut = found
    assert finished is not None
    assert cut is not None
    assert finished > 0.9
    assert cut < 0.3


async def test_a_short_turn_is_padded_in_front() -> None:
    turn = float_to_pcm(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32))
    padded = np.concatenate((np.zeros(CONTEXT_SAMPLES - 16_000, np.float32), pcm_to_float(turn)))
    assert features(turn).shape == (80, 800)
    np.testing.assert_array_equal(features(turn), log_mel(standardize(padded)))


async def test_of_a_long_turn_the_end_counts() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, CONTEXT_SAMPLES + 5_000).astype(np.float32)
    turn = float_to_pcm(noise)
    np.testing.assert_array_equal(features(turn), features(turn[2 * 5_000 :]))
