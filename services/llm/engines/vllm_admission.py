"""How many answers a vLLM engine has taken on. Nothing here waits or knows a clock.

vLLM queues by itself, answers before prefills, and without a bound; the bound is here.
"""

from chassis.errors import StageError
from chassis.load import Load


class Admission:
    """`limit` answers run at once, at most `max_waiting` wait. Prefills are not limited here: a stream has one."""

    def __init__(self, limit: int, max_waiting: int) -> None:
        self._limit = limit
        self._max_waiting = max_waiting
        self._answers = 0

    @property
    def waiting(self) -> int:
        """Answers that wait for others to end."""
        return max(0, self._answers - self._limit)

    @property
    def load(self) -> Load:
        """Answers that run or wait, of those that run at once."""
        return Load(self._answers, self._limit)

    def enter(self) -> None:
        """Takes an answer on. Raises StageError SLOTS_EXHAUSTED where it would wait behind `max_waiting` others."""
        if self._answers >= self._limit + self._max_waiting:
            waiting = f"{self._limit} answers run and {self._max_waiting} wait"
            raise StageError.exhausted("SLOTS_EXHAUSTED", waiting)
        self._answers += 1

    def leave(self) -> None:
        """An answer that was taken on has ended."""
        self._answers -= 1
