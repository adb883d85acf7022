"""Smart Turn v3.2 (pipecat-ai/smart-turn): does this turn sound finished?

The network is Whisper tiny's encoder with a classifier, over the log-mel of exactly 8 s. Its training put the end of
the turn at the end of the window: shorter turns are padded with zeros in front, before the level is normalized.
"""

import asyncio

import numpy as np
import onnxruntime

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, Float32, pcm_to_float
from chassis.weights import open_store
from chassis.workers import Workers
from services.vad.engines.log_mel import log_mel, standardize
from services.vad.engines.onnx import load_onnx
from services.vad.settings import Settings

CONTEXT_SAMPLES = 8 * SAMPLE_RATE
WEIGHTS = "smart-turn"


def features(turn: bytes) -> Float32:
    """The network's input, float32 [80, 800], for the last 8 s of `turn` (PCM s16le, 16000 Hz)."""
    heard = turn[-CONTEXT_SAMPLES * BYTES_PER_SAMPLE :]
    window: Float32 = np.zeros(CONTEXT_SAMPLES, np.float32)
    window[CONTEXT_SAMPLES - len(heard) // BYTES_PER_SAMPLE :] = pcm_to_float(heard)
    return log_mel(standardize(window))


class SmartTurnModel:
    """The network on one thread; its calls block."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def probability(self, inputs: Float32) -> float:
        """The probability in [0, 1] that the turn behind `inputs`, float32 [80, 800], is complete."""
        # The output is named logits; the graph ends in a sigmoid.
        (outputs,) = self._session.run(None, {"input_features": inputs[np.newaxis]})
        return float(outputs[0, 0])


class SmartTurnEngine:
    """Judges one turn at a time in a thread of its own, so that no frame waits for it."""

    context_samples = CONTEXT_SAMPLES

    def __init__(self, settings: Settings) -> None:
        self._threads = settings.end_of_turn_threads
        # A stream waits for one judgement at a time, so no more than this can be pending.
        self._workers = Workers("vad", threads=1, max_pending=settings.max_streams)
        self._model: SmartTurnModel | None = None

    async def start(self) -> None:
        """Loads the model and judges one silence."""
        directory = await asyncio.to_thread(lambda: open_store().ensure(WEIGHTS))
        session = await asyncio.to_thread(load_onnx, directory / "model.onnx", self._threads)
        self._model = SmartTurnModel(session)
        await self.judge(b"")

    async def close(self) -> None:
        """Ends the thread."""
        await self._workers.close()

    async def judge(self, turn: bytes) -> float | None:
        """See `EndOfTurnEngine.judge`; only the last 8 s of `turn` count."""
        model = self._model
        assert model is not None
        return await self._workers.run("end_of_turn", lambda: model.probability(features(turn)))
