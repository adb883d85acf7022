"""Keeps one session's prompt warm in a slot of the cache while the person speaks."""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from typing import Any

from chassis.metrics import ENGINE_SECONDS
from services.llm.engines.completion import Completion
from services.llm.engines.slots import Lease, Priority, SlotPool

log = logging.getLogger(__name__)

StartCompletion = Callable[[dict[str, Any], Callable[[], None]], Completion]
"""Starts a completion request; the second argument is called when it has ended."""


class Prefiller:
    """Decodes the newest prompt it was given, one at a time; what a newer one replaces before it began is dropped."""

    def __init__(self, slots: SlotPool, key: Hashable, complete: StartCompletion) -> None:
        self._slots = slots
        self._key = key
        self._complete = complete
        self._newest = ""
        self._begun = ""
        self._started_at = 0.0
        self._lease: Lease | None = None
        self._completion: Completion | None = None
        self._stopped = False
        self._settled = asyncio.Event()
        self._settled.set()

    def want(self, prompt: str) -> None:
        """Asks for `prompt` in the cache; returns at once. Without effect after `stop`."""
        if self._stopped:
            return
        self._newest = prompt
        self._go_on()

    async def settled(self) -> None:
        """Waits until nothing runs and nothing waits."""
        await self._settled.wait()

    def stop(self) -> None:
        """Drops what waits and ends what runs within a batch of tokens; batches decoded so far stay in the cache."""
        self._stopped = True
        if self._completion is not None and self._lease is not None:
            self._completion.cancel()
            self._lease.end_soon()
        elif self._lease is not None:
            self._lease.release()
            self._settled.set()

    def _go_on(self) -> None:
        if self._stopped or self._newest == self._begun:
            if self._lease is None:
                self._settled.set()
            return
        if self._lease is None:
            self._settled.clear()
            self._lease = self._slots.request(self._key, Priority.PREFILL, self._begin)
            if self._lease.slot is not None:
                self._begin()

    def _begin(self) -> None:
        assert self._lease is not None
        self._begun = self._newest
        self._started_at = time.perf_counter()
        request = {"prompt": self._begun, "n_predict": 0, "id_slot": self._lease.slot}
        self._completion = self._complete(request, self._end)

    def _end(self) -> None:
        assert self._completion is not None
        assert self._lease is not None
        if self._completion.error is not None:
            log.error("prefill failed", exc_info=self._completion.error)
        ENGINE_SECONDS.labels("llm", "prefill").observe(time.perf_counter() - self._started_at)
        lease, self._lease, self._completion = self._lease, None, None
        lease.release()
        self._go_on()
