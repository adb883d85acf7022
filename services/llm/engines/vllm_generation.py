"""One generation that runs by itself, read by whoever wants its pieces, stopped without waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable

from services.llm.engines.completion import Piece


class Generation:
    """Runs `source` in a task from the start; `pieces` is read by one reader at most, `cancel` stops it.

    Pieces that nobody reads wait; the most tokens of the request bound them.
    """

    def __init__(self, source: AsyncIterator[Piece]) -> None:
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []
        self.error: BaseException | None = None
        """Why it failed, once it has ended; a cancel is no failure."""
        self.cancelled = False
        """Whether it was cancelled, once it has ended."""
        self._task = asyncio.create_task(self._run(source))
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Stops it; the reader's iteration ends. Safe at any time."""
        self._task.cancel()

    def on_end(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when nothing of it runs any more. To be asked for before it has ended."""
        self._callbacks.append(callback)

    async def ended(self) -> None:
        """Waits until nothing of it runs and the callbacks were called."""
        await self._ended.wait()

    async def pieces(self) -> AsyncIterator[Piece]:
        """The text as it comes. Raises what the source raised."""
        while (piece := await self._pieces.get()) is not None:
            yield piece
        if self.error is not None:
            raise self.error

    async def _run(self, source: AsyncIterator[Piece]) -> None:
        async for piece in source:
            self._pieces.put_nowait(piece)

    def _end(self, task: asyncio.Task[None]) -> None:
        # A callback and not the task's own end: a task that is cancelled before its first step has none.
        self.cancelled = task.cancelled()
        self.error = None if self.cancelled else task.exception()
        self._pieces.put_nowait(None)
        for callback in self._callbacks:
            callback()
        self._ended.set()
