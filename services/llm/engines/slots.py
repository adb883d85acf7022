"""Which stream decodes in which slot of the model's cache. Nothing here waits or knows a clock.

A slot keeps the prompt it decoded last, so a session is best served where it was served before. Who asks for a slot
gets, in this order: the session's own idle slot; nothing yet, if the session's own slot is about to become free; the
idle slot that was used least recently. Those who wait are served answers first, then by arrival. As long as somebody
waits for an answer to begin, prefills wait even where a slot is idle: all slots share each step of the model.
"""

from collections.abc import Callable, Hashable
from enum import IntEnum

from chassis.errors import StageError
from chassis.load import Load


class Priority(IntEnum):
    """What a slot is asked for; the lowest is served first."""

    ANSWER = 0
    PREFILL = 1


class Lease:
    """A request for a slot and, once granted, the slot: `slot` is None until then."""

    def __init__(self, pool: "SlotPool", key: Hashable, priority: Priority, on_grant: Callable[[], None]) -> None:
        self._pool = pool
        self.key = key
        self.priority = priority
        self.on_grant = on_grant
        self.slot: int | None = None
        self.ending = False
        self.urgent = priority is Priority.ANSWER

    def end_soon(self) -> None:
        """Says that the slot will be released in a moment: its session then waits for it and takes no other."""
        self.ending = True

    def begun(self) -> None:
        """Says that enough of the answer is there for it to be heard; from then on prefills run beside it."""
        self._pool.begun(self)

    def release(self) -> None:
        """Gives the slot back, or the place in the queue up. Releasing twice does nothing."""
        self._pool.release(self)


class SlotPool:
    """`slots` slots; at most `max_waiting` answers wait for one. Prefills are not limited here: a stream has one."""

    def __init__(self, slots: int, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._holders: list[Lease | None] = [None] * slots
        self._owners: list[Hashable] = [None] * slots
        self._granted_at = [0] * slots
        self._grants = 0
        self._queue: list[Lease] = []

    @property
    def busy(self) -> int:
        """Slots in use."""
        return sum(holder is not None for holder in self._holders)

    @property
    def waiting(self) -> int:
        """Answers that wait."""
        return sum(lease.priority is Priority.ANSWER for lease in self._queue)

    @property
    def load(self) -> Load:
        """Answers that run or wait, of the slots. Prefills are left out: they take a moment, and can be spared."""
        answers = sum(lease is not None and lease.priority is Priority.ANSWER for lease in self._holders)
        return Load(answers + self.waiting, len(self._holders))

    def request(self, key: Hashable, priority: Priority, on_grant: Callable[[], None]) -> Lease:
        """Asks for a slot for the session `key`. Where the lease has none yet, `on_grant` is called once it has.

        Raises StageError SLOTS_EXHAUSTED where an answer would have to wait behind `max_waiting` others.
        """
        lease = Lease(self, key, priority, on_grant)
        self._queue.append(lease)
        self._queue.sort(key=lambda waiting: waiting.priority)
        self._grant(asked_by=lease)
        if lease.slot is None and priority is Priority.ANSWER and self.waiting > self._max_waiting:
            self._queue.remove(lease)
            raise StageError.exhausted("SLOTS_EXHAUSTED", f"all slots are busy and {self._max_waiting} answers wait")
        return lease

    def begun(self, lease: Lease) -> None:
        """See `Lease.begun`."""
        if lease.urgent:
            lease.urgent = False
            self._grant()

    def release(self, lease: Lease) -> None:
        """See `Lease.release`."""
        if lease in self._queue:
            self._queue.remove(lease)
        elif lease.slot is not None and self._holders[lease.slot] is lease:
            self._holders[lease.slot] = None
        self._grant()

    def _grant(self, asked_by: Lease | None = None) -> None:
        while (served := self._next()) is not None:
            if served is not asked_by:
                served.on_grant()

    def _next(self) -> Lease | None:
        urgent = any(lease is not None and lease.urgent for lease in (*self._holders, *self._queue))
        for lease in self._queue:
            slot = None if urgent and lease.priority is Priority.PREFILL else self._pick(lease.key)
            if slot is None:
                continue
            self._queue.remove(lease)
            self._grants += 1
            self._granted_at[slot] = self._grants
            self._holders[slot], self._owners[slot], lease.slot = lease, lease.key, slot
            return lease
        return None

    def _pick(self, key: Hashable) -> int | None:
        own = [slot for slot, owner in enumerate(self._owners) if owner == key]
        for slot in own:
            if self._holders[slot] is None:
                return slot
        if any(holder is not None and holder.ending for holder in (self._holders[slot] for slot in own)):
            return None
        idle = [slot for slot, holder in enumerate(self._holders) if holder is None]
        return min(idle, key=lambda slot: self._granted_at[slot], default=None)
