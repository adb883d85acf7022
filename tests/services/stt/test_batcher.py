"""Jobs in threads, with work that the test holds up and lets go."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from chassis.errors import Code, StageError
from chassis.metrics import FRAMES_DROPPED
from services.stt.batcher import Batcher, StaleError
from services.stt.batching import Again, Done, Failed, Limits, Outcome, Priority
from tests.services.stt.metrics import value

FINAL, PARTIAL = Priority.FINAL, Priority.PARTIAL


class Machine:
    """Shouts. Waits for `go` in each batch; `bad` work fails, `hard` work needs two tries."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.busy = threading.Event()
        self.batches: list[list[str]] = []

    def run(self, work: Sequence[str]) -> list[Outcome[str, str]]:
        self.batches.append(list(work))
        self.busy.set()
        assert self.go.wait(10)
        return [self._one(each) for each in work]

    def _one(self, work: str) -> Outcome[str, str]:
        if work == "bad":
            return Failed(ValueError("bad work"))
        return Again(f"{work} again", 15) if work == "hard" else Done(work.upper())


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.go.set()


@asynccontextmanager
async def running(
    run: Callable[[Sequence[str]], Sequence[Outcome[str, str]]], *, waiting: int = 8, max_wait_s: float = 0.0
) -> AsyncIterator[Batcher[str, str]]:
    batcher = Batcher(run, Limits(4, 4, waiting), max_wait_s=max_wait_s)
    task = asyncio.create_task(batcher.run())
    try:
        yield batcher
    finally:
        task.cancel()
        await asyncio.wait((task,))
        await batcher.close()


async def submit(
    batcher: Batcher[str, str], work: str, priority: Priority = FINAL, *, bucket: int = 5, stream: str | None = None
) -> str:
    return await batcher.submit("test", lambda: work, lambda: bucket, priority=priority, stream=stream or work)


@asynccontextmanager
async def held(machine: Machine, batcher: Batcher[str, str]) -> AsyncIterator[asyncio.TaskGroup]:
    """While the thread is busy with a first job; then it is let go."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(submit(batcher, "first"))
        await asyncio.to_thread(machine.busy.wait, 10)
        yield group
        await asyncio.sleep(0)
        machine.go.set()


def dropped() -> float:
    return value(FRAMES_DROPPED, "voxfleet_frames_dropped_total", stage="stt", reason="stale_partial")


async def test_what_comes_while_a_batch_runs_is_the_next_one_bucket_by_bucket(machine: Machine) -> None:
    async with running(machine.run) as batcher:
        async with held(machine, batcher) as group:
            tasks = [group.create_task(submit(batcher, work)) for work in "abc"]
            group.create_task(submit(batcher, "long", bucket=15))
            partial = group.create_task(submit(batcher, "partial", PARTIAL))
        assert [each.result() for each in tasks] == ["A", "B", "C"]
        assert partial.result() == "PARTIAL"
    assert machine.batches == [["first"], ["a", "b", "c"], ["long"], ["partial"]]


async def test_a_lone_job_waits_for_nobody(machine: Machine) -> None:
    machine.go.set()
    async with running(machine.run) as batcher, asyncio.timeout(10):
        assert await submit(batcher, "a") == "A"
    assert machine.batches == [["a"]]


async def test_a_job_waits_for_company_no_longer_than_it_may(machine: Machine) -> None:
    machine.go.set()
    async with running(machine.run, max_wait_s=0.2) as batcher, asyncio.timeout(10):
        results = await asyncio.gather(submit(batcher, "a"), submit(batcher, "b"))
    assert list(results) == ["A", "B"]
    assert machine.batches == [["a", "b"]]


async def test_one_bad_job_fails_alone(machine: Machine) -> None:
    machine.go.set()
    async with running(machine.run, max_wait_s=0.2) as batcher:
        results = await asyncio.gather(submit(batcher, "a"), submit(batcher, "bad"), return_exceptions=True)
        assert [str(each) for each in results] == ["A", "bad work"]
        assert await submit(batcher, "b") == "B"


async def test_work_that_cannot_be_prepared_fails_alone(machine: Machine) -> None:
    def prepare() -> str:
        raise ValueError("no audio")

    machine.go.set()
    async with running(machine.run, max_wait_s=0.2) as batcher:
        broken = batcher.submit("test", prepare, lambda: 5, priority=FINAL, stream="x")
        results = await asyncio.gather(broken, submit(batcher, "a"), return_exceptions=True)
        assert [str(each) for each in results] == ["no audio", "A"]


async def test_a_batch_that_breaks_fails_its_jobs_and_no_later_ones() -> None:
    def run(work: Sequence[str]) -> list[Outcome[str, str]]:
        if "bad" in work:
            raise RuntimeError("the model broke")
        return [Done(each) for each in work]

    async with running(run) as batcher:
        with pytest.raises(RuntimeError, match="the model broke"):
            await submit(batcher, "bad")
        assert await submit(batcher, "a") == "a"


async def test_a_second_try_is_a_new_job_in_its_own_bucket(machine: Machine) -> None:
    async with running(machine.run) as batcher:
        async with held(machine, batcher) as group:
            hard = group.create_task(submit(batcher, "hard"))
            group.create_task(submit(batcher, "a", bucket=15))
        assert hard.result() == "HARD AGAIN"
    assert machine.batches == [["first"], ["hard"], ["hard again", "a"]]


async def test_a_cancelled_job_never_runs_and_makes_room(machine: Machine) -> None:
    async with running(machine.run, waiting=1) as batcher:
        async with held(machine, batcher) as group:
            unwanted = group.create_task(submit(batcher, "a", PARTIAL))
            await asyncio.sleep(0)
            before = dropped()
            unwanted.cancel()
            await asyncio.wait((unwanted,))
            assert (batcher.waiting, dropped() - before) == (0, 1)
            wanted = group.create_task(submit(batcher, "b"))
        assert wanted.result() == "B"
    assert machine.batches == [["first"], ["b"]]


async def test_a_job_cancelled_while_it_runs_harms_nobody(machine: Machine) -> None:
    async with running(machine.run, max_wait_s=0.2) as batcher, asyncio.timeout(10):
        unwanted, wanted = (asyncio.create_task(submit(batcher, work)) for work in "ab")
        await asyncio.to_thread(machine.busy.wait, 10)
        unwanted.cancel()
        machine.go.set()
        assert await wanted == "B"
        assert unwanted.cancelled()


async def test_a_partial_is_dropped_and_counted_when_its_final_comes(machine: Machine) -> None:
    before = dropped()
    async with running(machine.run) as batcher:
        async with held(machine, batcher) as group:
            partial = asyncio.create_task(submit(batcher, "partial", PARTIAL, stream="s"))
            await asyncio.sleep(0)
            group.create_task(submit(batcher, "final", stream="s"))
        with pytest.raises(StaleError):
            await partial
    assert machine.batches == [["first"], ["final"]]
    assert dropped() - before == 1


async def test_a_full_queue_refuses_with_a_clear_error(machine: Machine) -> None:
    async with running(machine.run, waiting=1) as batcher, held(machine, batcher) as group:
        group.create_task(submit(batcher, "a"))
        await asyncio.sleep(0)
        with pytest.raises(StageError) as refusal:
            await submit(batcher, "b")
        assert (refusal.value.code, refusal.value.reason) == (Code.RESOURCE_EXHAUSTED, "QUEUE_FULL")


async def test_the_end_cancels_what_waits_and_what_runs(machine: Machine) -> None:
    async with running(machine.run) as batcher:
        runs = asyncio.create_task(submit(batcher, "a"))
        await asyncio.to_thread(machine.busy.wait, 10)
        waits = asyncio.create_task(submit(batcher, "b"))
        await asyncio.sleep(0)
        machine.go.set()
        ending = asyncio.create_task(asyncio.wait((runs, waits)))
    async with asyncio.timeout(10):
        await ending
    assert (waits.cancelled(), machine.batches) == (True, [["a"]])
    with pytest.raises(RuntimeError, match="ended"):
        await submit(batcher, "c")
