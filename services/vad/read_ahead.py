"""Lets a producer run ahead of its consumer by a bounded number of items."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None


@asynccontextmanager
async def read_ahead(source: AsyncGenerator[T, None], limit: int) -> AsyncIterator[AsyncIterator[T]]:
    """Runs `source` in a task of its own, at most `limit` items ahead of the iterator given; then it waits.

    An error of the source is raised by the iterator, after the items that came before it. Leaving the context cancels
    the source and waits until it has cleaned up.
    """
    queue: asyncio.Queue[T | _End] = asyncio.Queue(limit)
    task = asyncio.create_task(_fill(queue, source))
    try:
        yield _drain(queue)
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _fill(queue: asyncio.Queue[T | _End], source: AsyncGenerator[T, None]) -> None:
    error: Exception | None = None
    try:
        async with aclosing(source):
            async for item in source:
                await queue.put(item)
    except Exception as caught:  # raised again where the items are read
        error = caught
    await queue.put(_End(error))


async def _drain(queue: asyncio.Queue[T | _End]) -> AsyncIterator[T]:
    while True:
        item = await queue.get()
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        yield item
