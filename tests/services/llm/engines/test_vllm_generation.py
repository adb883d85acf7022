"""One generation, from a scripted source."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.llm.engines.completion import Piece
from services.llm.engines.vllm_generation import Generation


def piece(text: str) -> Piece:
    return Piece(text, first=False, last=False, truncated=False, input_tokens=1, cached_tokens=0, output_tokens=1)


async def endless(log: list[str]) -> AsyncIterator[Piece]:
    try:
        yield piece("a")
        await asyncio.Event().wait()
    finally:
        log.append("stopped")


async def failing() -> AsyncIterator[Piece]:
    yield piece("a")
    raise OSError("broken")


async def test_it_runs_without_being_read_and_is_read_afterwards() -> None:
    async def three() -> AsyncIterator[Piece]:
        for text in "abc":
            yield piece(text)

    generation = Generation(three())
    await generation.ended()
    assert [each.text async for each in generation.pieces()] == ["a", "b", "c"]
    assert generation.error is None
    assert not generation.cancelled


async def test_a_cancel_ends_the_source_and_the_reader() -> None:
    log: list[str] = []
    generation = Generation(endless(log))
    generation.on_end(lambda: log.append("ended"))
    pieces = generation.pieces()
    assert (await anext(pieces)).text == "a"
    generation.cancel()
    assert [each async for each in pieces] == []
    await generation.ended()
    assert log == ["stopped", "ended"]
    assert generation.cancelled
    assert generation.error is None


async def test_one_that_is_cancelled_before_its_first_step_ends_too() -> None:
    log: list[str] = []
    generation = Generation(endless(log))
    generation.on_end(lambda: log.append("ended"))
    generation.cancel()
    async with asyncio.timeout(1):
        await generation.ended()
    assert log == ["ended"]
    assert [each async for each in generation.pieces()] == []


async def test_what_the_source_raises_reaches_the_reader_after_the_pieces() -> None:
    generation = Generation(failing())
    pieces = generation.pieces()
    assert (await anext(pieces)).text == "a"
    with pytest.raises(OSError, match="broken"):
        await anext(pieces)
    assert isinstance(generation.error, OSError)
