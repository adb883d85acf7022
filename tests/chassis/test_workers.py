"""Threads for blocking work: order, bound, cancellation, errors."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from chassis.errors import Code, StageError
from chassis.metrics import ENGINE_SECONDS, QUEUE_DEPTH
from chassis.workers import Workers
from tests.support.metrics import value_of

STAGE = "worker_test"
PATIENCE_S = 10.0


class Gate:
    """A job that runs until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        assert self._opened.wait(PATIENCE_S)
        return "through"

    def open(self) -> None:
        self._opened.set()

    async def occupy(self, workers: Workers) -> asyncio.Task[str]:
        """Returns once a thread is held by this gate."""
        task = asyncio.create_task(workers.run("gate", self))
        assert await asyncio.to_thread(self.entered.wait, PATIENCE_S)
        return task


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def workers(gate: Gate) -> AsyncIterator[Workers]:
    """One thread, two places to wait."""
    workers = Workers(STAGE, threads=1, max_pending=2)
    yield workers
    gate.open()
    await workers.close()


async def submit(workers: Workers, call: Callable[[], object], priority: int = 0) -> asyncio.Task[object]:
    """A task that waits for `call`, which waits for its thread."""
    before = workers.pending
    task = asyncio.create_task(workers.run("job", call, priority=priority))
    await asyncio.sleep(0)
    assert workers.pending == before + 1
    return task


async def test_a_job_runs_in_a_thread_and_its_result_comes_back(workers: Workers) -> None:
    name = await workers.run("job", lambda: threading.current_thread().name)
    assert name == f"{STAGE}-worker-0"


async def test_what_a_job_raises_reaches_the_one_who_waits(workers: Workers) -> None:
    trouble = ValueError("no such voice")

    def fail() -> None:
        raise trouble

    with pytest.raises(ValueError, match="no such voice") as caught:
        await workers.run("job", fail)
    assert caught.value is trouble
    assert await workers.run("job", lambda: "goes on") == "goes on"


async def test_the_end_of_an_iterator_does_not_leave_the_waiter_hanging(workers: Workers) -> None:
    chunks: list[int] = []
    iterator = iter(chunks)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            await workers.run("job", lambda: next(iterator))
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_jobs_run_by_priority_then_by_arrival(gate: Gate) -> None:
    workers = Workers(STAGE)
    held = await gate.occupy(workers)
    order: list[str] = []
    waiting = [
        await submit(workers, partial(order.append, name), priority)
        for name, priority in [("late", 5), ("soon 1", 1), ("first", -1), ("soon 2", 1), ("normal", 3)]
    ]
    gate.open()
    await asyncio.gather(held, *waiting)
    assert order == ["first", "soon 1", "soon 2", "normal", "late"]
    await workers.close()


async def test_one_more_than_may_wait_is_refused_and_the_others_are_served(workers: Workers, gate: Gate) -> None:
    held = await gate.occupy(workers)
    waiting = [await submit(workers, lambda: "served") for _ in range(2)]
    with pytest.raises(StageError) as refusal:
        await workers.run("job", lambda: "never")
    assert (refusal.value.code, refusal.value.reason) == (Code.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    gate.open()
    assert await asyncio.gather(held, *waiting) == ["through", "served", "served"]
    assert await workers.run("job", lambda: "room again") == "room again"


async def test_a_job_that_nobody_waits_for_never_runs_and_gives_its_place_back(workers: Workers, gate: Gate) -> None:
    held = await gate.occupy(workers)
    ran: list[str] = []
    dropped = [await submit(workers, lambda: ran.append("dropped")) for _ in range(2)]
    for task in dropped:
        task.cancel()
    await asyncio.wait(dropped)
    assert all(task.cancelled() for task in dropped)
    assert workers.pending == 0
    kept = [await submit(workers, lambda: ran.append("kept")) for _ in range(2)]
    gate.open()
    await asyncio.gather(held, *kept)
    assert ran == ["kept", "kept"]


async def test_a_job_cancelled_just_before_its_turn_never_runs(workers: Workers, gate: Gate) -> None:
    held = await gate.occupy(workers)
    ran: list[str] = []
    dropped = await submit(workers, lambda: ran.append("dropped"))
    dropped.cancel()
    gate.open()
    # The thread takes the job before the loop gets to tell the waiter.
    while workers.pending:
        pass
    await asyncio.gather(held, workers.run("job", lambda: ran.append("next")))
    assert dropped.cancelled()
    assert ran == ["next"]


async def test_jobs_keep_their_order_when_one_is_cancelled(gate: Gate) -> None:
    workers = Workers(STAGE)
    held = await gate.occupy(workers)
    order: list[int] = []
    waiting = [await submit(workers, partial(order.append, priority), priority) for priority in (7, 1, 4)]
    waiting[1].cancel()
    await asyncio.wait(waiting[1:2])
    gate.open()
    await asyncio.gather(held, waiting[0], waiting[2])
    assert order == [4, 7]
    await workers.close()


async def test_a_job_that_runs_is_finished_though_its_waiter_is_gone(
    workers: Workers, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    held = await gate.occupy(workers)
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    after = await submit(workers, lambda: "after")
    assert workers.pending == 1
    gate.open()
    assert await after == "after"
    # The loop would complain here if the result went to a waiter that is gone.
    assert caplog.records == []


async def test_each_thread_runs_a_job_of_its_own() -> None:
    workers = Workers(STAGE, threads=2)
    both = threading.Barrier(2)
    # Each waits for the other, so they only end where they run at the same time.
    await asyncio.gather(*(workers.run("job", lambda: both.wait(PATIENCE_S)) for _ in range(2)))
    await workers.close()


async def test_closing_lets_the_running_job_end_and_cancels_those_that_wait(gate: Gate) -> None:
    workers = Workers(STAGE)
    held = await gate.occupy(workers)
    ran: list[str] = []
    waiting = await submit(workers, lambda: ran.append("too late"))
    closing = asyncio.create_task(workers.close())
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not closing.done()
    gate.open()
    await closing
    assert await held == "through"
    assert ran == []
    assert workers.pending == 0


async def test_closed_workers_take_no_more_jobs(workers: Workers) -> None:
    await workers.close()
    with pytest.raises(RuntimeError, match=f"{STAGE} workers are closed"):
        await workers.run("job", lambda: None)


async def test_the_depth_of_the_queue_is_measured(gate: Gate) -> None:
    def depth() -> float:
        return value_of(QUEUE_DEPTH, stage=STAGE)

    workers = Workers(STAGE)
    held = await gate.occupy(workers)
    waiting = [await submit(workers, lambda: None) for _ in range(3)]
    assert depth() == 3
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert depth() == 2
    closing = asyncio.create_task(workers.close())
    await asyncio.wait(waiting)
    assert depth() == 0
    gate.open()
    await asyncio.gather(closing, held)


async def test_the_time_of_each_operation_is_measured(workers: Workers) -> None:
    await workers.run("measured", lambda: None)
    await workers.run("measured", lambda: None)
    assert value_of(ENGINE_SECONDS, "_count", stage=STAGE, operation="measured") == 2
