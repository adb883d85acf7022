"""Silero VAD 6 on ONNX Runtime: 32 ms frames, the frames of all streams in batches, no torch.

The network is recurrent: with each frame it takes the 64 samples before it and a state of 2 x 128 numbers. Both live in
arrays with a row for every stream, so that a batch is gathered and scattered by a few array operations.
"""

import asyncio
from collections.abc import Sequence

import numpy as np
import onnxruntime

from chassis.audio import SAMPLE_RATE, Float32
from chassis.weights import open_store
from chassis.workers import Workers
from services.vad.engines.base import Session
from services.vad.engines.batcher import FrameBatcher
from services.vad.engines.onnx import load_onnx
from services.vad.settings import Settings

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
STATE_LAYERS, STATE_SIZE = 2, 128
WEIGHTS = "silero-vad"

_TO_FLOAT = np.float32(1 / 32_768)


class SileroModel:
    """The network and the state of `slots` streams. `step` blocks and is for one thread; `reset` is for any other."""

    def __init__(self, session: onnxruntime.InferenceSession, *, slots: int, max_batch: int) -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._context: Float32 = np.zeros((slots, CONTEXT_SAMPLES), np.float32)
        self._state: Float32 = np.zeros((STATE_LAYERS, slots, STATE_SIZE), np.float32)
        self._input: Float32 = np.zeros((max_batch, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)

    def reset(self, slot: int) -> None:
        """Makes `slot` that of a stream that has heard nothing; it must not be in a step that runs."""
        self._context[slot] = 0.0
        self._state[:, slot] = 0.0

    def step(self, slots: Sequence[int], frames: Sequence[bytes]) -> Sequence[float]:
        """The speech probability of one frame (PCM s16le, FRAME_SAMPLES) for each of the distinct `slots`."""
        rows = np.array(slots)
        batch = self._input[: len(slots)]
        batch[:, :CONTEXT_SAMPLES] = self._context[rows]
        samples = np.frombuffer(b"".join(frames), "<i2").reshape(len(slots), FRAME_SAMPLES)
        np.multiply(samples, _TO_FLOAT, out=batch[:, CONTEXT_SAMPLES:])
        found, state = self._session.run(
            None, {"input": batch, "state": self._state.take(rows, axis=1), "sr": self._rate}
        )
        self._state[:, rows] = state
        self._context[rows] = batch[:, -CONTEXT_SAMPLES:]
        probabilities: list[float] = found[:, 0].tolist()
        return probabilities


class SileroEngine:
    """One model in one thread for all streams."""

    frame_samples = FRAME_SAMPLES

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers = Workers("vad", threads=1)
        self._batcher: FrameBatcher | None = None
        self._batching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads the model and judges one frame."""
        directory = await asyncio.to_thread(lambda: open_store().ensure(WEIGHTS))
        session = await asyncio.to_thread(load_onnx, directory / "model.onnx", self._settings.threads)
        # A cancelled stream's slot stays taken until its batch has run; another stream may come before that.
        slots = 2 * self._settings.max_streams
        max_batch = self._settings.max_batch_size
        model = SileroModel(session, slots=slots, max_batch=max_batch)
        self._batcher = FrameBatcher(
            self._workers,
            model.step,
            model.reset,
            slots=slots,
            max_batch=max_batch,
            window_s=self._settings.batch_window_ms / 1000,
        )
        self._batching = asyncio.create_task(self._batcher.run())
        warming = self.open()
        await warming.judge([bytes(2 * FRAME_SAMPLES)])
        warming.close()

    async def close(self) -> None:
        """Stops judging and ends the thread."""
        if self._batching is not None:
            self._batching.cancel()
            await asyncio.wait((self._batching,))
        await self._workers.close()

    def open(self) -> Session:
        """A session with fresh state."""
        assert self._batcher is not None
        return self._batcher.open()
