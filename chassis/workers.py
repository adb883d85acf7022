"""Threads for an engine's blocking work: jobs by priority, bounded, and dropped when nobody waits any more."""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chassis.errors import StageError
from chassis.metrics import ENGINE_SECONDS, QUEUE_DEPTH

T = TypeVar("T")


@dataclass(order=True, slots=True)
class _Job:
    priority: int
    number: int
    operation: str = field(compare=False)
    call: Callable[[], Any] = field(compare=False)
    future: asyncio.Future[Any] = field(compare=False)
    loop: asyncio.AbstractEventLoop = field(compare=False)


class Workers:
    """`threads` threads that run jobs in order of priority (lowest first), then of arrival.

    Where `max_pending` jobs wait, one more is refused with StageError QUEUE_FULL (RESOURCE_EXHAUSTED). A job whose
    waiter is cancelled before it starts never runs; one that runs is not interrupted (engines poll their own flag).
    """

    def __init__(self, stage: str, threads: int = 1, max_pending: int = 256) -> None:
        self._stage = stage
        self._max_pending = max_pending
        self._heap: list[_Job] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{stage}-worker-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pending(self) -> int:
        """Jobs that wait for a thread."""
        return len(self._heap)

    async def run(self, operation: str, call: Callable[[], T], *, priority: int = 0) -> T:
        """Runs `call` in a thread; returns or raises what it did. `operation` names it in the metrics."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{self._stage} workers are closed")
            if len(self._heap) >= self._max_pending:
                raise StageError.exhausted("QUEUE_FULL", f"{self._stage} has {self._max_pending} jobs waiting")
            job = _Job(priority, next(self._numbers), operation, call, future, loop)
            heapq.heappush(self._heap, job)
            QUEUE_DEPTH.labels(self._stage).set(len(self._heap))
            self._changed.notify()
        try:
            return await future
        except asyncio.CancelledError:
            self._forget(job)
            raise

    def _forget(self, job: _Job) -> None:
        # Jobs that nobody waits for would fill the queue while a long job runs.
        with self._changed:
            if job in self._heap:
                self._heap.remove(job)
                heapq.heapify(self._heap)
                QUEUE_DEPTH.labels(self._stage).set(len(self._heap))

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._heap and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = heapq.heappop(self._heap)
                QUEUE_DEPTH.labels(self._stage).set(len(self._heap))
            if job.future.cancelled():
                continue
            started = time.perf_counter()
            try:
                result, error = job.call(), None
            except BaseException as caught:  # handed to the waiter, which raises it
                result, error = None, caught
            ENGINE_SECONDS.labels(self._stage, job.operation).observe(time.perf_counter() - started)
            job.loop.call_soon_threadsafe(_resolve, job.future, result, error)

    async def close(self) -> None:
        """Ends the threads after the jobs that run now; jobs still waiting are cancelled."""
        with self._changed:
            self._closed = True
            waiting, self._heap = self._heap, []
            QUEUE_DEPTH.labels(self._stage).set(0)
            self._changed.notify_all()
        for job in waiting:
            job.future.cancel()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)


def _resolve(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if isinstance(error, StopIteration):
        # A future refuses this one, and its waiter would wait for ever.
        failure = RuntimeError("the job raised StopIteration")
        failure.__cause__ = error
        future.set_exception(failure)
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
