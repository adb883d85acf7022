"""Batching across sessions, with a scripted model: it notes its batches and can be held up."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from chassis.errors import StageError
from chassis.workers import Workers
from services.vad.engines.batcher import MAX_STEPS, FrameBatcher


class ScriptedModel:
    """The probability of a frame is its first byte in percent; a frame of b"!" breaks the model."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.resets: list[int] = []
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def step(self, slots: Sequence[int], frames: Sequence[bytes]) -> Sequence[float]:
        self.entered.set()
        self.let_go.wait()
        assert len(set(slots)) == len(slots)
        self.batches.append([frame[0] for frame in frames])
        if b"!" in frames:
            raise ArithmeticError("the model broke")
        return [frame[0] / 100 for frame in frames]

    def reset(self, slot: int) -> None:
        self.resets.append(slot)


@asynccontextmanager
async def batching(
    model: ScriptedModel, slots: int = 8, max_batch: int = 8, window_s: float = 0.0
) -> AsyncIterator[FrameBatcher]:
    workers = Workers("vad-test")
    batcher = FrameBatcher(workers, model.step, model.reset, slots=slots, max_batch=max_batch, window_s=window_s)
    task = asyncio.create_task(batcher.run())
    try:
        yield batcher
    finally:
        model.let_go.set()
        task.cancel()
        await asyncio.wait((task,))
        await workers.close()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a thread; the test fails by time-out if it never comes to it."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a thread sets no asyncio event
            await asyncio.sleep(0.001)


async def test_frames_that_come_while_a_batch_runs_form_the_next_one() -> None:
    model = ScriptedModel()
    async with batching(model) as batcher:
        sessions = [batcher.open() for _ in range(4)]
        model.let_go.clear()
        first = asyncio.create_task(sessions[0].judge([b"\x01"]))
        await until(model.entered.is_set)
        rest = [asyncio.create_task(session.judge([bytes([n])])) for n, session in enumerate(sessions[1:], 2)]
        await asyncio.sleep(0)
        model.let_go.set()
        assert await first == [0.01]
        assert [await task for task in rest] == [[0.02], [0.03], [0.04]]
        assert model.batches == [[1], [2, 3, 4]]


async def test_a_batch_takes_one_frame_of_a_session_at_a_time() -> None:
    model = ScriptedModel()
    async with batching(model, window_s=60) as batcher:
        long, short = batcher.open(), batcher.open()
        # Both wait, so the batch starts at once, however long the window.
        judged = tuple(await asyncio.gather(long.judge([b"\x01", b"\x02", b"\x03"]), short.judge([b"\x0b"])))
        assert judged == ([0.01, 0.02, 0.03], [0.11])
        assert model.batches == [[1, 11], [2], [3]]


async def test_a_long_piece_lets_the_others_in_between() -> None:
    model = ScriptedModel()
    async with batching(model) as batcher:
        long, short = batcher.open(), batcher.open()
        model.let_go.clear()
        piece = asyncio.create_task(long.judge([b"\x01"] * (MAX_STEPS + 1)))
        await until(model.entered.is_set)
        frame = asyncio.create_task(short.judge([b"\x02"]))
        await asyncio.sleep(0)
        model.let_go.set()
        assert await frame == [0.02]
        assert await piece == [0.01] * (MAX_STEPS + 1)
        assert model.batches == [[1]] * MAX_STEPS + [[2, 1]]


async def test_batches_are_at_least_a_window_apart() -> None:
    model = ScriptedModel()
    async with batching(model, window_s=60) as batcher:
        first, second, _idle = batcher.open(), batcher.open(), batcher.open()
        await first.judge([b"\x01"])
        waiting = asyncio.create_task(second.judge([b"\x02"]))
        done, _ = await asyncio.wait((waiting,), timeout=0.05)
        assert not done
        assert model.batches == [[1]]
        waiting.cancel()


async def test_the_window_ends() -> None:
    model = ScriptedModel()
    async with batching(model, window_s=0.02) as batcher:
        first, second, _idle = batcher.open(), batcher.open(), batcher.open()
        await first.judge([b"\x01"])
        judged = tuple(await asyncio.gather(second.judge([b"\x02"]), first.judge([b"\x03"])))
        assert judged == ([0.02], [0.03])
        assert model.batches == [[1], [2, 3]]


async def test_a_batch_is_no_larger_than_its_limit() -> None:
    model = ScriptedModel()
    async with batching(model, max_batch=2) as batcher:
        sessions = [batcher.open() for _ in range(5)]
        await asyncio.gather(*(session.judge([bytes([n])]) for n, session in enumerate(sessions)))
        assert [len(batch) for batch in model.batches] == [2, 2, 1]


async def test_a_batch_that_breaks_fails_its_own_sessions_only() -> None:
    model = ScriptedModel()
    async with batching(model) as batcher:
        session = batcher.open()
        with pytest.raises(ArithmeticError, match="the model broke"):
            await session.judge([b"!"])
        assert await session.judge([b"\x05"]) == [0.05]


async def test_a_cancelled_frame_that_waits_is_never_judged() -> None:
    model = ScriptedModel()
    async with batching(model) as batcher:
        first, second = batcher.open(), batcher.open()
        model.let_go.clear()
        running = asyncio.create_task(first.judge([b"\x01"]))
        await until(model.entered.is_set)
        waiting = asyncio.create_task(second.judge([b"\x02"]))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        model.let_go.set()
        await running
        await first.judge([b"\x03"])
        assert model.batches == [[1], [3]]


async def test_a_slot_in_a_running_batch_is_reused_only_after_it() -> None:
    model = ScriptedModel()
    async with batching(model, slots=1) as batcher:
        session = batcher.open()
        model.let_go.clear()
        running = asyncio.create_task(session.judge([b"\x01"]))
        await until(model.entered.is_set)
        running.cancel()
        await asyncio.wait((running,))
        session.close()
        with pytest.raises(StageError, match="no free slot"):
            batcher.open()
        model.let_go.set()
        await until(lambda: bool(model.batches))
        # The loop learns of the end of the batch a moment after the thread.
        for _ in range(100):
            await asyncio.sleep(0.001)
        again = batcher.open()
        assert await again.judge([b"\x02"]) == [0.02]
        assert len(model.resets) == 2


async def test_a_closed_session_gives_its_slot_back_once() -> None:
    model = ScriptedModel()
    async with batching(model, slots=2) as batcher:
        session = batcher.open()
        session.close()
        session.close()
        batcher.open()
        batcher.open()
        with pytest.raises(StageError, match="no free slot"):
            batcher.open()
        with pytest.raises(RuntimeError, match="closed"):
            await session.judge([b"\x01"])


async def test_ending_the_batcher_cancels_what_waits() -> None:
    model = ScriptedModel()
    async with batching(model, window_s=60) as batcher:
        first, second, _idle = batcher.open(), batcher.open(), batcher.open()
        await first.judge([b"\x01"])
        waiting = asyncio.create_task(second.judge([b"\x02"]))
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
