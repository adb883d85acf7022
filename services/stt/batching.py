"""Which of the jobs that wait run next, together. Pure: it knows no threads and no clock, and nothing of the model.

Finals go before partials, and never share a batch with them: a partial would make the final slower. Within a class the
earliest deadline goes first, and takes along those of its bucket, in their order. A partial is dropped where its stream
has a newer job, and where a final finds the queue full.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")


class Priority(IntEnum):
    """The class of a job."""

    FINAL = 0
    PARTIAL = 1


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """What a job came to."""

    result: R


@dataclass(frozen=True, slots=True)
class Again(Generic[W]):
    """The job is not done: `work` is what is left of it, for a batch of `bucket`."""

    work: W
    bucket: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Raised where the job was submitted."""

    error: Exception


Outcome: TypeAlias = Done[R] | Again[W] | Failed


@dataclass(eq=False, slots=True)
class Job(Generic[T]):
    """One piece of work of `stream`. From `deadline`, on the queue's clock, it waits for no company.

    Jobs whose `bucket` gives the same number may run together. It is asked when a batch is formed, since a partial
    grows while it waits.
    """

    work: T
    priority: Priority
    stream: Hashable
    deadline: float
    bucket: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Limits:
    """Most finals, and most partials, in one batch; most jobs that wait, retries not counted."""

    finals: int
    partials: int
    waiting: int

    def batch(self, priority: Priority) -> int:
        """Most jobs of that class in one batch."""
        return self.finals if priority is Priority.FINAL else self.partials


class QueueFullError(Exception):
    """As many jobs wait as may."""


class BatchQueue(Generic[T]):
    """The jobs that wait. Of a stream at most one partial is among them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: list[Job[T]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job[T]) -> list[Job[T]]:
        """Queues a job; gives the partials that were dropped for it. Raises QueueFullError."""
        dropped = [each for each in self._partials() if each.stream == job.stream]
        if not dropped and len(self._waiting) >= self._limits.waiting:
            dropped = self._partials()[-1:] if job.priority is Priority.FINAL else []
            if not dropped:
                raise QueueFullError
        for each in dropped:
            self._waiting.remove(each)
        self._waiting.append(job)
        return dropped

    def again(self, job: Job[T]) -> bool:
        """Queues a job that was taken before, in its old place. False for a partial that is stale by now."""
        if job.priority is Priority.PARTIAL and any(each.stream == job.stream for each in self._waiting):
            return False
        self._waiting.append(job)
        return True

    def cancel(self, job: Job[T]) -> bool:
        """Takes a job out; False where it does not wait."""
        waits = job in self._waiting
        if waits:
            self._waiting.remove(job)
        return waits

    def clear(self) -> list[Job[T]]:
        """Takes all jobs out."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def take(self, now: float) -> list[Job[T]]:
        """The next batch, first things first; empty where nothing waits or the first still waits for company."""
        if not self._waiting:
            return []
        head = min(self._waiting, key=_order)
        bucket, most = head.bucket(), self._limits.batch(head.priority)
        peers = [each for each in self._waiting if each.priority is head.priority and each.bucket() == bucket]
        if len(peers) < most and now < head.deadline:
            return []
        batch = sorted(peers, key=_order)[:most]
        for job in batch:
            self._waiting.remove(job)
        return batch

    def due_at(self) -> float | None:
        """When the next batch is due if no more jobs come; None where nothing waits."""
        return min(self._waiting, key=_order).deadline if self._waiting else None

    def _partials(self) -> list[Job[T]]:
        return sorted((each for each in self._waiting if each.priority is Priority.PARTIAL), key=_order)


def _order(job: Job[T]) -> tuple[int, float]:
    return job.priority, job.deadline
