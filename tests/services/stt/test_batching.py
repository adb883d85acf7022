"""The order of jobs: one case at a time, and by a machine that tries everything."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.stt.batching import BatchQueue, Job, Limits, Priority, QueueFullError

FINAL, PARTIAL = Priority.FINAL, Priority.PARTIAL
LIMITS = Limits(finals=4, partials=2, waiting=8)


def job(name: str, priority: Priority = FINAL, *, bucket: int = 5, deadline: float = 0.0) -> Job[str]:
    """A job of the stream that its name begins with."""
    return Job(name, priority, name[0], deadline, lambda: bucket)


def queue(*jobs: Job[str], limits: Limits = LIMITS) -> BatchQueue[str]:
    waiting: BatchQueue[str] = BatchQueue(limits)
    for each in jobs:
        waiting.add(each)
    return waiting


def taken(waiting: BatchQueue[str], now: float = 10.0) -> list[str]:
    return [each.work for each in waiting.take(now)]


def test_a_final_goes_before_partials_that_came_earlier() -> None:
    waiting = queue(job("a", PARTIAL), job("b", FINAL, deadline=1))
    assert [taken(waiting), taken(waiting), taken(waiting)] == [["b"], ["a"], []]


def test_a_partial_never_rides_with_a_final() -> None:
    assert taken(queue(job("a"), job("b", PARTIAL))) == ["a"]


def test_the_earliest_deadline_takes_its_bucket_along() -> None:
    waiting = queue(job("a", bucket=8, deadline=2), job("b", bucket=5, deadline=1), job("c", bucket=5, deadline=3))
    assert [taken(waiting), taken(waiting)] == [["b", "c"], ["a"]]


def test_a_batch_has_its_limit_and_leaves_the_latest() -> None:
    waiting = queue(*(job(name, deadline=6 - n) for n, name in enumerate("abcdef")))
    assert [taken(waiting), taken(waiting)] == [["f", "e", "d", "c"], ["b", "a"]]


def test_partials_have_a_limit_of_their_own() -> None:
    assert taken(queue(*(job(name, PARTIAL) for name in "abc"))) == ["a", "b"]


def test_a_batch_waits_for_company_until_its_first_deadline_or_until_it_is_full() -> None:
    waiting = queue(job("a", deadline=5), job("b", deadline=6))
    assert (taken(waiting, 4), waiting.due_at()) == ([], 5)
    waiting.add(job("c", deadline=7))
    waiting.add(job("d", deadline=8))
    assert taken(waiting, 4) == ["a", "b", "c", "d"]
    assert waiting.due_at() is None


def test_the_bucket_counts_that_a_job_has_when_the_batch_is_formed() -> None:
    grows = [5]
    growing = Job("a", FINAL, "a", 0.0, lambda: grows[0])
    waiting = queue(growing, job("b", bucket=8, deadline=1))
    grows[0] = 8
    assert taken(waiting) == ["a", "b"]


def test_a_partial_is_stale_when_its_stream_has_a_newer_one_or_its_final() -> None:
    for newer in (PARTIAL, FINAL):
        stale, other = job("a1", PARTIAL), job("b1", PARTIAL)
        waiting = queue(stale, other)
        assert waiting.add(job("a2", newer, deadline=1)) == [stale]
        assert len(waiting) == 2


def test_a_full_queue_refuses_partials_and_drops_the_latest_of_them_for_a_final() -> None:
    partials = [job(name, PARTIAL, deadline=n) for n, name in enumerate("abcdefgh")]
    waiting = queue(*partials)
    with pytest.raises(QueueFullError):
        waiting.add(job("i", PARTIAL))
    assert waiting.add(job("j")) == [partials[-1]]
    assert len(waiting) == 8


def test_a_full_queue_of_finals_refuses_one_more() -> None:
    waiting = queue(*(job(name) for name in "abcdefgh"))
    with pytest.raises(QueueFullError):
        waiting.add(job("i"))
    assert len(waiting) == 8


def test_a_second_try_takes_its_old_place() -> None:
    waiting = queue(job("a", deadline=1), limits=Limits(1, 1, 8))
    (first,) = waiting.take(10)
    waiting.add(job("b", deadline=2))
    assert waiting.again(first)
    assert taken(waiting) == ["a"]


def test_a_second_try_at_a_partial_is_stale_where_its_stream_has_something_newer() -> None:
    waiting = queue(job("a1", PARTIAL))
    (first,) = waiting.take(10)
    waiting.add(job("a2"))
    assert not waiting.again(first)
    assert len(waiting) == 1


def test_a_cancelled_job_is_gone_and_can_be_cancelled_again() -> None:
    unwanted = job("a")
    waiting = queue(unwanted, job("b"))
    assert [waiting.cancel(unwanted), waiting.cancel(unwanted)] == [True, False]
    assert taken(waiting) == ["b"]


class Traffic(RuleBasedStateMachine):
    """Streams ask for partials and finals, batches run, some jobs are tried again, some are given up.

    A model of the queue in words: every job is waiting, running, or over, and what happens to it is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.arrivals = 0
        self.waiting: list[Job[int]] = []
        self.running: list[Job[int]] = []

    @initialize(
        finals=st.integers(1, 4), partials=st.integers(1, 4), most=st.integers(2, 8), wait=st.sampled_from((0.0, 3.0))
    )
    def start(self, finals: int, partials: int, most: int, wait: float) -> None:
        self.limits, self.wait = Limits(finals, partials, most), wait
        self.queue: BatchQueue[int] = BatchQueue(self.limits)

    @rule(priority=st.sampled_from(Priority), stream=st.integers(0, 5), bucket=st.integers(5, 7))
    def ask(self, priority: Priority, stream: int, bucket: int) -> None:
        self.arrivals += 1
        new = Job(self.arrivals, priority, stream, self.now + self.wait, lambda: bucket)
        stale = [each for each in self.waiting if each.stream == stream and each.priority is PARTIAL]
        try:
            dropped = self.queue.add(new)
        except QueueFullError:
            assert not stale
            assert len(self.waiting) >= self.limits.waiting
            assert priority is PARTIAL or not any(each.priority is PARTIAL for each in self.waiting)
            return
        assert all(each.priority is PARTIAL for each in dropped)
        assert dropped == stale or (not stale and len(dropped) == 1 and priority is FINAL)
        self.waiting = [each for each in self.waiting if each not in dropped] + [new]

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def run(self) -> None:
        batch = self.queue.take(self.now)
        if not batch:
            due_at = self.queue.due_at()
            assert due_at is None if not self.waiting else due_at is not None and due_at > self.now
            return
        head = batch[0]
        assert len({(each.priority, each.bucket()) for each in batch}) == 1
        assert len(batch) <= self.limits.batch(head.priority)
        self.waiting = [each for each in self.waiting if each not in batch]
        for left in self.waiting:
            # No final is behind a partial, and none of its kind and bucket behind one that came later.
            assert left.priority is PARTIAL or head.priority is FINAL
            assert left.priority is not head.priority or left.deadline >= head.deadline
            if (left.priority, left.bucket()) == (head.priority, head.bucket()):
                assert all(left.deadline >= each.deadline for each in batch)
        self.running += batch

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish_or_try_again(self, data: st.DataObject) -> None:
        done = data.draw(st.sampled_from(self.running))
        self.running.remove(done)
        if data.draw(st.booleans()):
            newer = done.priority is PARTIAL and any(each.stream == done.stream for each in self.waiting)
            assert self.queue.again(done) is not newer
            if not newer:
                self.waiting.append(done)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        unwanted = data.draw(st.sampled_from(self.waiting))
        assert self.queue.cancel(unwanted)
        self.waiting.remove(unwanted)

    @invariant()
    def nothing_is_lost_and_nothing_comes_back(self) -> None:
        if hasattr(self, "queue"):
            assert len(self.queue) == len(self.waiting)

    @invariant()
    def a_stream_has_one_partial_at_most(self) -> None:
        streams = [each.stream for each in self.waiting if each.priority is PARTIAL]
        assert len(streams) == len(set(streams))

    def teardown(self) -> None:
        """What waits comes out in the end."""
        if hasattr(self, "queue"):
            left = []
            while batch := self.queue.take(self.now + self.wait):
                left += batch
            assert sorted(each.work for each in left) == sorted(each.work for each in self.waiting)


Traffic.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestTraffic = Traffic.TestCase
