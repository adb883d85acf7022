"""Keeps a server's prefix cache warm for one session while the person speaks."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from chassis.errors import StageError

log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class OpenAiPrefiller:
    """Asks for the newest words that it was given, one request at a time; a newer text replaces one that waits."""

    def __init__(self, warm: Callable[[str], Coroutine[Any, Any, None]], spawn: Spawn) -> None:
        self._warm = warm
        self._spawn = spawn
        self._wanted: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def want(self, words: str) -> None:
        """Asks for `words`; returns at once. Without effect after `stop`."""
        if self._stopped:
            return
        self._wanted = words
        if self._task is None or self._task.done():
            self._task = self._spawn(self._run())

    async def settled(self) -> None:
        """Waits until nothing runs and nothing waits."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def stop(self) -> None:
        """Drops what waits and closes the request that runs."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._wanted is not None:
            words, self._wanted = self._wanted, None
            try:
                await self._warm(words)
            except StageError as error:
                # The answer does without; if the server is at fault, it will say so again.
                log.warning("prefill failed", extra={"reason": error.reason})
