"""Frames of many sessions as one batch.

Whatever arrives while one batch runs in the worker thread forms the next one. At the pace of live audio that alone
would make batches of one, each with its own hop to the thread and back, so batches also start at least a window apart,
unless every open session waits: a lone session waits for nobody, a full server runs full batches.

A batch step takes at most one frame of a session, because the model's state runs from frame to frame; sessions that
bring several frames take several steps within one job, which saves hops between the loop and the thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chassis.errors import StageError
from chassis.metrics import BATCH_SIZE
from chassis.workers import Workers

MAX_STEPS = 8
"""Most frames of one session in one job: a session that sends faster than real time delays the others by a few ms."""

Step = Callable[[Sequence[int], Sequence[bytes]], Sequence[float]]
"""One batch: distinct slots and a frame for each in, their speech probabilities out. Blocks; called by one thread."""


@dataclass(eq=False, slots=True)
class _Request:
    slot: int
    frames: Sequence[bytes]
    future: asyncio.Future[Sequence[float]]
    probabilities: list[float] = field(default_factory=list)


class BatchSession:
    """One slot of the batcher; see `services.vad.engines.base.Session`."""

    def __init__(self, batcher: "FrameBatcher", slot: int) -> None:
        self._batcher = batcher
        self._slot: int | None = slot

    async def judge(self, frames: Sequence[bytes]) -> Sequence[float]:
        """The speech probability of each frame, in order."""
        if self._slot is None:
            raise RuntimeError("the session is closed")
        if not frames:
            return ()
        return await self._batcher.submit(self._slot, frames)

    def close(self) -> None:
        """Gives the slot back, at the latest when the batch it is in has run."""
        if self._slot is not None:
            self._batcher.release(self._slot)
            self._slot = None


class FrameBatcher:
    """Runs `step` for the frames of up to `slots` sessions, at most `max_batch` at once, batches `window_s` apart.

    `reset` clears one slot's state. Nothing is judged before `run` runs; it ends only when it is cancelled. To be
    created where an event loop runs.
    """

    def __init__(
        self,
        workers: Workers,
        step: Step,
        reset: Callable[[int], None],
        *,
        slots: int,
        max_batch: int,
        window_s: float,
    ) -> None:
        self._workers = workers
        self._step = step
        self._reset = reset
        self._max_batch = max_batch
        self._window_s = window_s
        self._loop = asyncio.get_running_loop()
        self._next_start = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._open = 0
        self._free = list(range(slots))
        self._waiting: deque[_Request] = deque()
        self._due = asyncio.Event()
        self._running: set[int] = set()
        self._released: set[int] = set()
        self._batch_size = BATCH_SIZE.labels("vad")

    def open(self) -> BatchSession:
        """A session with a cleared slot. Raises StageError SESSIONS_EXHAUSTED where none is free."""
        if not self._free:
            raise StageError.exhausted("SESSIONS_EXHAUSTED", "the voice activity engine has no free slot")
        slot = self._free.pop()
        self._open += 1
        self._reset(slot)
        return BatchSession(self, slot)

    def release(self, slot: int) -> None:
        """Frees a slot, once the batch that may hold it has run."""
        self._open -= 1
        (self._released.add if slot in self._running else self._free.append)(slot)

    async def submit(self, slot: int, frames: Sequence[bytes]) -> Sequence[float]:
        """The probabilities of `frames`, which must not be empty; one call at a time for a slot."""
        future: asyncio.Future[Sequence[float]] = self._loop.create_future()
        self._waiting.append(_Request(slot, frames, future))
        self._schedule()
        return await future

    def _schedule(self) -> None:
        """Has `run` form a batch now if all it could take waits, else when the window is over."""
        if len(self._waiting) >= min(self._max_batch, self._open) or self._loop.time() >= self._next_start:
            self._due.set()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._next_start, self._due.set)

    async def run(self) -> None:
        """Judges frames as they come. A batch that fails fails the sessions in it, and no others."""
        try:
            while True:
                await self._due.wait()
                batch = self._next_batch()
                if batch:
                    await self._run_batch(batch)
        finally:
            self._stop_timer()
            for request in self._waiting:
                request.future.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next_batch(self) -> list[_Request]:
        self._stop_timer()
        self._due.clear()
        self._next_start = self._loop.time() + self._window_s
        batch: list[_Request] = []
        while self._waiting and len(batch) < self._max_batch:
            request = self._waiting.popleft()
            if not request.future.done():
                batch.append(request)
        if self._waiting:
            self._schedule()
        return batch

    async def _run_batch(self, batch: list[_Request]) -> None:
        self._running.update(request.slot for request in batch)
        error: Exception | None = None
        try:
            await self._workers.run("frames", lambda: self._steps(batch))
        except Exception as caught:  # raised in each session of the batch
            error = caught
        finally:
            self._running.clear()
            self._free.extend(self._released)
            self._released.clear()
        for request in batch:
            if request.future.done():
                continue
            if error is not None:
                request.future.set_exception(error)
            elif len(request.probabilities) == len(request.frames):
                request.future.set_result(request.probabilities)
            else:
                self._waiting.append(request)
                self._schedule()

    def _steps(self, batch: list[_Request]) -> None:
        """In the worker thread: up to MAX_STEPS frames of each request."""
        for _ in range(MAX_STEPS):
            self._batch_size.observe(len(batch))
            frames = [request.frames[len(request.probabilities)] for request in batch]
            found = self._step([request.slot for request in batch], frames)
            for request, probability in zip(batch, found, strict=True):
                request.probabilities.append(probability)
            batch = [request for request in batch if len(request.probabilities) < len(request.frames)]
            if not batch:
                return
