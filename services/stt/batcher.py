"""Runs the jobs of all sessions in batches, as `batching` orders them, in threads."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from chassis.errors import StageError
from chassis.metrics import BATCH_SIZE, ENGINE_SECONDS, FRAMES_DROPPED, QUEUE_DEPTH
from services.stt.batching import Again, BatchQueue, Done, Failed, Job, Limits, Outcome, Priority, QueueFullError

W = TypeVar("W")
R = TypeVar("R")

STAGE = "stt"


class StaleError(Exception):
    """A partial was dropped while it waited."""


RunBatch: TypeAlias = Callable[[Sequence[W]], Sequence[Outcome[R, W]]]
"""Blocks; called by several threads. One outcome for each piece of work, in their order."""


@dataclass(eq=False, slots=True)
class _Call(Generic[W, R]):
    operation: str
    prepare: Callable[[], W]
    future: asyncio.Future[R]


class Batcher(Generic[W, R]):
    """Collects jobs and hands them to `run_batch`, whole batches at a time, `threads` of them at once.

    A batch is formed when a thread is free, so that what came while the threads were busy runs together, and a lone
    job waits for nobody, or for `max_wait_s` at most. Nothing runs before `run` runs; it ends only when it is
    cancelled, and the jobs with it.
    """

    def __init__(self, run_batch: RunBatch[W, R], limits: Limits, *, threads: int = 1, max_wait_s: float = 0.0) -> None:
        self._run_batch = run_batch
        self._limits = limits
        self._threads = threads
        self._max_wait_s = max_wait_s
        self._queue: BatchQueue[_Call[W, R]] = BatchQueue(limits)
        self._news = asyncio.Event()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=STAGE)
        self._over = False

    @property
    def waiting(self) -> int:
        """Jobs that no thread has taken."""
        return len(self._queue)

    async def submit(
        self,
        operation: str,
        prepare: Callable[[], W],
        bucket: Callable[[], int],
        *,
        priority: Priority,
        stream: Hashable,
    ) -> R:
        """What the job comes to. `prepare` gives the work when its batch is formed, right after `bucket` was asked;
        both are called in the event loop. `operation` names the job in the metrics.

        Raises what the job failed with; StaleError where it was a partial and is of no use any more; StageError
        QUEUE_FULL (RESOURCE_EXHAUSTED) where too many jobs wait. Cancelled while it waits it never runs.
        """
        if self._over:
            raise RuntimeError("the batcher has ended")
        loop = asyncio.get_running_loop()
        call: _Call[W, R] = _Call(operation, prepare, loop.create_future())
        job = Job(call, priority, stream, loop.time() + self._max_wait_s, bucket)
        try:
            dropped = self._queue.add(job)
        except QueueFullError as error:
            raise StageError.exhausted("QUEUE_FULL", f"{STAGE} has {self._limits.waiting} jobs waiting") from error
        for each in dropped:
            self._drop(each)
        self._changed()
        try:
            return await call.future
        except asyncio.CancelledError:
            if self._queue.cancel(job):
                self._changed()
                if priority is Priority.PARTIAL:
                    FRAMES_DROPPED.labels(STAGE, "stale_partial").inc()
            raise

    async def run(self) -> None:
        """Runs jobs as they come."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._threads):
                    group.create_task(self._serve())
        finally:
            self._over = True
            for job in self._queue.clear():
                job.work.future.cancel()
            self._changed()

    async def close(self) -> None:
        """Waits for the batches that run. Called once, after `run` has ended or instead of it."""
        self._over = True
        await asyncio.to_thread(self._executor.shutdown)

    async def _serve(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            batch = self._queue.take(clock())
            if not batch:
                await self._wait()
                continue
            self._changed()
            # One that was cancelled in this very tick has not been taken out yet.
            if wanted := [job for job in batch if not job.work.future.done()]:
                await self._run_one(wanted)

    async def _wait(self) -> None:
        self._news.clear()
        due_at = self._queue.due_at()
        timer = None if due_at is None else asyncio.get_running_loop().call_at(due_at, self._news.set)
        try:
            await self._news.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _run_one(self, batch: Sequence[Job[_Call[W, R]]]) -> None:
        operation = batch[0].work.operation
        work: list[W] = []
        for job in batch:
            try:
                work.append(job.work.prepare())
            except Exception as error:  # raised where the job was submitted
                job.work.future.set_exception(error)
        batch = [job for job in batch if not job.work.future.done()]
        if not batch:
            return
        BATCH_SIZE.labels(STAGE).observe(len(batch))
        outcomes: Sequence[Outcome[R, W]]
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._executor, self._timed, operation, work)
        except asyncio.CancelledError:
            for job in batch:
                job.work.future.cancel()
            raise
        except Exception as error:  # raised where the jobs were submitted
            outcomes = [Failed(error)] * len(batch)
        for job, outcome in zip(batch, outcomes, strict=True):
            if not job.work.future.done():
                self._settle(job, outcome)

    def _timed(self, operation: str, work: Sequence[W]) -> Sequence[Outcome[R, W]]:
        started = time.perf_counter()
        try:
            return self._run_batch(work)
        finally:
            ENGINE_SECONDS.labels(STAGE, operation).observe(time.perf_counter() - started)

    def _settle(self, job: Job[_Call[W, R]], outcome: Outcome[R, W]) -> None:
        match outcome:
            case Done(result):
                job.work.future.set_result(result)
            case Failed(error):
                job.work.future.set_exception(error)
            case Again(work, bucket):
                job.work.prepare = lambda: work
                job.bucket = lambda: bucket
                if self._queue.again(job):
                    self._changed()
                else:
                    self._drop(job)

    def _drop(self, job: Job[_Call[W, R]]) -> None:
        FRAMES_DROPPED.labels(STAGE, "stale_partial").inc()
        if not job.work.future.done():
            job.work.future.set_exception(StaleError())

    def _changed(self) -> None:
        QUEUE_DEPTH.labels(STAGE).set(len(self._queue))
        self._news.set()
