"""Running a producer ahead of its consumer."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from services.vad.read_ahead import read_ahead


class Source:
    """Counts up to `items`, then ends or fails; says how far it got and whether it was cleaned up."""

    def __init__(self, items: int, error: Exception | None = None) -> None:
        self.items = items
        self.error = error
        self.produced = 0
        self.closed = False

    async def numbers(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.items):
                self.produced += 1
                yield number
                await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def test_everything_comes_in_order() -> None:
    source = Source(100)
    async with read_ahead(source.numbers(), 3) as numbers:
        assert [number async for number in numbers] == list(range(100))
    assert source.closed


async def test_the_source_waits_at_the_limit() -> None:
    source = Source(100)
    async with read_ahead(source.numbers(), 3) as numbers:
        assert await anext(numbers) == 0
        for _ in range(100):
            await asyncio.sleep(0)
        # One was taken, three are held, and the source hangs with a fifth in its hand.
        assert source.produced == 5
    assert source.closed


async def test_an_error_comes_after_the_items_before_it() -> None:
    source = Source(2, ValueError("broken"))
    async with read_ahead(source.numbers(), 3) as numbers:
        assert [await anext(numbers) for _ in range(2)] == [0, 1]
        with pytest.raises(ValueError, match="broken"):
            await anext(numbers)


async def test_leaving_early_cleans_the_source_up() -> None:
    source = Source(100)
    async with read_ahead(source.numbers(), 3) as numbers:
        await anext(numbers)
        assert not source.closed
    assert source.closed
