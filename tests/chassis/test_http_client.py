"""Requests over real sockets to a server that misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chassis.errors import Code, StageError
from chassis.http_client import MAX_REFUSAL_BYTES, HttpClient, HttpRefusedError
from chassis.http_limits import HttpLimits
from tests.support.scripted_http import Exchange, Handler, Request, ScriptedHttp, scripted_http

LIMITS = HttpLimits(connect_s=2, first_byte_s=5, between_s=5, retries=2, connections=4)


@asynccontextmanager
async def client_of(script: ScriptedHttp, limits: HttpLimits = LIMITS, **headers: str) -> AsyncIterator[HttpClient]:
    client = await HttpClient.open(script.address, headers, limits)
    try:
        yield client
    finally:
        await client.close()


async def read(client: HttpClient) -> bytes:
    async with client.stream("POST", "/chat/completions", {"a": 1}) as answer:
        return b"".join([piece async for piece in answer.pieces()])


async def whole(request: Request, exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.send(b"one ")
    await exchange.send(b"two")
    await exchange.end()


def failing(times: int, fault: Handler) -> Handler:
    """A handler that has the fault some times and then answers."""
    left = [times]

    async def handle(request: Request, exchange: Exchange) -> None:
        left[0] -= 1
        await (fault if left[0] >= 0 else whole)(request, exchange)

    return handle


def refusing(status: int, **headers: str) -> Handler:
    async def handle(request: Request, exchange: Exchange) -> None:
        await exchange.answer({"error": "no"}, status, **headers)

    return handle


async def drop_at_once(request: Request, exchange: Exchange) -> None:
    exchange.drop()


async def drop_behind_the_head(request: Request, exchange: Exchange) -> None:
    await exchange.begin()
    exchange.drop()


async def drop_in_the_middle(request: Request, exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.send(b"one ")
    await asyncio.sleep(0.05)
    exchange.drop()


async def say_nothing(request: Request, exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.client_left()


async def stall(request: Request, exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.send(b"one ")
    await exchange.client_left()


async def test_an_answer_comes_in_pieces_and_its_connection_serves_the_next() -> None:
    async with scripted_http(chat=whole) as script, client_of(script, X_Team="voice") as client:
        for _ in range(5):
            assert await read(client) == b"one two"
        assert script.connections == 1
        assert script.requests[0].json == {"a": 1}
        assert script.requests[0].headers["x_team"] == "voice"


@pytest.mark.parametrize(
    "fault", [drop_at_once, drop_behind_the_head, refusing(429), refusing(503, retry_after="0"), refusing(502)]
)
async def test_a_fault_before_the_first_byte_is_tried_again(fault: Handler) -> None:
    async with scripted_http(chat=failing(2, fault)) as script, client_of(script) as client:
        assert await read(client) == b"one two"
        assert len(script.requests) == 3


@pytest.mark.parametrize("fault", [drop_at_once, refusing(503)])
async def test_attempts_are_counted(fault: Handler) -> None:
    async with scripted_http(chat=failing(3, fault)) as script, client_of(script) as client:
        with pytest.raises((StageError, HttpRefusedError)):
            await read(client)
        assert len(script.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_a_refusal_that_another_attempt_cannot_change_is_told_at_once(status: int) -> None:
    async with scripted_http(chat=refusing(status)) as script, client_of(script) as client:
        with pytest.raises(HttpRefusedError) as caught:
            await read(client)
        assert (caught.value.status, caught.value.body) == (status, b'{"error": "no"}')
        assert len(script.requests) == 1


@pytest.mark.parametrize("retry_after", ["60", "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_a_server_that_asks_for_a_long_wait_is_not_waited_for(retry_after: str) -> None:
    async with scripted_http(chat=refusing(429, retry_after=retry_after)) as script, client_of(script) as client:
        with pytest.raises(HttpRefusedError):
            await read(client)
        assert len(script.requests) == 1


@pytest.mark.parametrize("retry_after", ["1", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1"])
async def test_a_short_wait_is_kept_to_and_an_unreadable_one_is_none(retry_after: str) -> None:
    loop = asyncio.get_running_loop()
    async with (
        scripted_http(chat=failing(1, refusing(503, retry_after=retry_after))) as script,
        client_of(script) as client,
    ):
        started = loop.time()
        assert await read(client) == b"one two"
        assert (loop.time() - started >= 1) == (retry_after == "1")


async def test_what_breaks_after_the_first_byte_is_never_asked_again() -> None:
    async with scripted_http(chat=drop_in_the_middle) as script, client_of(script) as client:
        with pytest.raises(StageError) as caught:
            await read(client)
        assert (caught.value.code, caught.value.reason) == (Code.UNAVAILABLE, "UPSTREAM_BROKEN")
        assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("fault", "limits", "reason"),
    [
        (say_nothing, replace(LIMITS, first_byte_s=0.2), "UPSTREAM_TIMEOUT"),
        (stall, replace(LIMITS, between_s=0.2), "UPSTREAM_STALLED"),
    ],
)
async def test_silence_is_waited_for_so_long_and_then_its_connection_is_closed(
    fault: Handler, limits: HttpLimits, reason: str
) -> None:
    ended = asyncio.Event()

    async def handle(request: Request, exchange: Exchange) -> None:
        await fault(request, exchange)
        ended.set()

    async with scripted_http(chat=handle) as script, client_of(script, limits) as client:
        with pytest.raises(StageError) as caught:
            await read(client)
        assert (caught.value.code, caught.value.reason) == (Code.DEADLINE_EXCEEDED, reason)
        async with asyncio.timeout(2):
            await ended.wait()


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with scripted_http() as script:
        pass
    async with client_of(script) as client:
        with pytest.raises(StageError) as caught:
            await read(client)
        assert (caught.value.code, caught.value.reason) == (Code.UNAVAILABLE, "UPSTREAM_UNREACHABLE")


async def test_a_request_that_is_cancelled_closes_its_connection() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def handle(request: Request, exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.send(b"one ")
        begun.set()
        await exchange.client_left()
        left.set()

    async with scripted_http(chat=handle) as script, client_of(script) as client:
        reading = asyncio.create_task(read(client))
        async with asyncio.timeout(2):
            await begun.wait()
            reading.cancel()
            await left.wait()
        assert reading.cancelled()
        script.handlers["/v1/chat/completions"] = whole
        assert await read(client) == b"one two"


async def test_more_requests_than_connections_are_refused_after_the_time_to_connect() -> None:
    limits = replace(LIMITS, connections=1, connect_s=0.2)
    async with scripted_http(chat=stall) as script, client_of(script, limits) as client:
        async with client.stream("POST", "/chat/completions", {}):
            with pytest.raises(StageError) as caught:
                await read(client)
        assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "CONNECTIONS_EXHAUSTED")


async def test_of_a_long_refusal_only_the_beginning_is_read() -> None:
    async def endless(request: Request, exchange: Exchange) -> None:
        await exchange.begin(400, "text/plain")
        while True:
            await exchange.send(b"x" * 10_000)
            await asyncio.sleep(0)

    async with scripted_http(chat=endless) as script, client_of(script) as client:
        with pytest.raises(HttpRefusedError) as caught:
            await read(client)
        assert len(caught.value.body) == MAX_REFUSAL_BYTES
