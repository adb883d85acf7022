"""Reading the request side of a stage stream: config first, once, and never silent for longer than the idle limit."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal, Protocol, TypeVar

from chassis.errors import Code, StageError


class Request(Protocol):
    """A request message whose `oneof request` has a field named `config`."""

    def WhichOneof(self, oneof_group: Literal["request"], /) -> str | None: ...


RequestT = TypeVar("RequestT", bound=Request)


async def read_config(requests: AsyncIterator[RequestT], idle_timeout_s: float) -> RequestT:
    """The first request, which must carry the config.

    Raises StageError: CONFIG_MISSING where the stream ends or begins with something else, IDLE_TIMEOUT.
    """
    async for first in within_idle_limit(requests, idle_timeout_s):
        kind = first.WhichOneof("request")
        if kind == "config":
            return first
        raise StageError.invalid(
            "config", f"as the first message, got {kind or 'an empty request'}", reason="CONFIG_MISSING"
        )
    raise StageError.invalid("config", "as the first message, got the end of the stream", reason="CONFIG_MISSING")


async def read_rest(requests: AsyncIterator[RequestT], idle_timeout_s: float) -> AsyncIterator[tuple[str, RequestT]]:
    """Every later request with the name of its `oneof` field, until half-close.

    Raises StageError: CONFIG_REPEATED, REQUEST_EMPTY, IDLE_TIMEOUT.
    """
    async for request in within_idle_limit(requests, idle_timeout_s):
        kind = request.WhichOneof("request")
        if kind is None:
            raise StageError.invalid("request", "one field to be set, got an empty message", reason="REQUEST_EMPTY")
        if kind == "config":
            raise StageError.invalid("config", "only as the first message, got it again", reason="CONFIG_REPEATED")
        yield kind, request


async def within_idle_limit(requests: AsyncIterator[RequestT], idle_timeout_s: float) -> AsyncIterator[RequestT]:
    """The requests as they come; StageError IDLE_TIMEOUT (DEADLINE_EXCEEDED) where none comes for `idle_timeout_s`."""
    iterator = aiter(requests)
    while True:
        try:
            async with asyncio.timeout(idle_timeout_s):
                request = await anext(iterator)
        except StopAsyncIteration:
            # A cancelled call reads as ended first; its cancellation, which comes a step later, must not be missed.
            await asyncio.sleep(0)
            return
        except TimeoutError as error:
            raise StageError(
                Code.DEADLINE_EXCEEDED,
                "IDLE_TIMEOUT",
                f"the stream sent nothing for {idle_timeout_s:g} s",
            ) from error
        yield request
