"""HTTP requests whose answers are streamed: a pool of kept connections, retries before the first byte, none after it.

A request is asked again where nothing of an answer has come and another attempt may fare better: the connection was
refused or broke, or the server said 429, 502, 503 or 504. Waits between attempts double, with jitter; a `Retry-After`
of the server (RFC 9110, 10.2.3) is kept to, or the request is given up where that asks for more than `LONGEST_WAIT_S`.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from chassis.errors import Code, StageError
from chassis.http_limits import HttpLimits

log = logging.getLogger(__name__)

BACKOFF_S = 0.1
"""Longest wait before the second attempt; the limit doubles with each further one."""
LONGEST_WAIT_S = 2.0
"""Nobody in a conversation waits longer for a first word."""
KEEP_ALIVE_S = 60.0
"""An idle connection is kept so long, unless the server closes it."""
MAX_REFUSAL_BYTES = 16_384
"""More of a refusal's body is not read."""
_TRANSIENT = frozenset(
    (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    )
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class HttpRefusedError(Exception):
    """The server answered with a status other than 2xx. `body` has at most `MAX_REFUSAL_BYTES` bytes."""

    def __init__(self, status: int, body: bytes, retry_after_s: float | None) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.body = body
        self.retry_after_s = retry_after_s


class HttpAnswer:
    """An answer with a status of 2xx that has begun."""

    def __init__(self, content_type: str, first: bytes, rest: AsyncIterator[bytes], between_s: float) -> None:
        self.content_type = content_type
        """Media type in lower case without parameters; empty where the server named none."""
        self._first = first
        self._rest = rest
        self._between_s = between_s

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body as it comes, no piece empty; read once. A reader that waits holds the server back.

        Raises StageError: UPSTREAM_STALLED (DEADLINE_EXCEEDED) where nothing came for `between_s`, UPSTREAM_BROKEN
        (UNAVAILABLE) where the connection ended before the answer did.
        """
        piece: bytes | None = self._first
        while piece is not None:
            if piece:
                yield piece
            try:
                async with asyncio.timeout(self._between_s):
                    piece = await anext(self._rest, None)
            except TimeoutError as error:
                message = f"the upstream server sent nothing for {self._between_s:g} s in the middle of its answer"
                raise StageError(Code.DEADLINE_EXCEEDED, "UPSTREAM_STALLED", message) from error
            except httpx.RequestError as error:
                message = "the upstream server ended its answer in the middle"
                raise StageError(Code.UNAVAILABLE, "UPSTREAM_BROKEN", message) from error


class HttpClient:
    """Asks one server. Made with `open`, because certificates are read from disk; `close` ends every connection.

    Certificates are checked against the machine's (`SSL_CERT_FILE` names others). A proxy of the environment is used
    unless the server is on this machine.
    """

    def __init__(self, client: httpx.AsyncClient, limits: HttpLimits) -> None:
        self._client = client
        self._limits = limits

    @classmethod
    async def open(cls, base_url: str, headers: Mapping[str, str], limits: HttpLimits) -> "HttpClient":
        """A client for addresses below `base_url`, which sends `headers` with every request."""
        return cls(await asyncio.to_thread(_client, base_url, headers, limits), limits)

    async def close(self) -> None:
        """Ends what is left of the pool."""
        await self._client.aclose()

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, retries: int | None = None
    ) -> AsyncIterator[HttpAnswer]:
        """The answer to a request with `body` as JSON. Leaving the context early closes the connection at once.

        `retries` replaces the number of the limits. Raises HttpRefusedError, and StageError: CONNECTIONS_EXHAUSTED
        (RESOURCE_EXHAUSTED), UPSTREAM_UNREACHABLE (UNAVAILABLE), UPSTREAM_TIMEOUT (DEADLINE_EXCEEDED) where no byte
        came in time.
        """
        retries = self._limits.retries if retries is None else retries
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.first_byte_s):
                    answer = await self._begin(stack, method, path, body, retries)
            except TimeoutError as error:
                message = f"the upstream server did not begin to answer within {self._limits.first_byte_s:g} s"
                raise StageError(Code.DEADLINE_EXCEEDED, "UPSTREAM_TIMEOUT", message) from error
            yield answer

    async def _begin(
        self, stack: AsyncExitStack, method: str, path: str, body: Mapping[str, Any] | None, retries: int
    ) -> HttpAnswer:
        attempt = 0
        while True:
            try:
                async with AsyncExitStack() as trial:
                    answer = await self._attempt(trial, method, path, body)
                    await stack.enter_async_context(trial.pop_all())
                    return answer
            except HttpRefusedError as refusal:
                asked_s = refusal.retry_after_s or 0.0
                if refusal.status not in _TRANSIENT or attempt == retries or asked_s > LONGEST_WAIT_S:
                    raise
                reason = str(refusal)
            except httpx.PoolTimeout as error:
                message = f"all {self._limits.connections} connections to the upstream server are in use"
                raise StageError.exhausted("CONNECTIONS_EXHAUSTED", message) from error
            except httpx.RequestError as error:
                if attempt == retries:
                    message = "the upstream server cannot be reached, or breaks the connection before it answers"
                    raise StageError(Code.UNAVAILABLE, "UPSTREAM_UNREACHABLE", message) from error
                asked_s, reason = 0.0, type(error).__name__
            spread_s = min(BACKOFF_S * 2**attempt, LONGEST_WAIT_S)
            attempt += 1
            log.info("asking again", extra={"path": path, "reason": reason, "attempt": attempt})
            # Chance spreads those that were refused together; nothing is guarded by it.
            await asyncio.sleep(asked_s + spread_s * random.random())  # noqa: S311

    async def _attempt(
        self, stack: AsyncExitStack, method: str, path: str, body: Mapping[str, Any] | None
    ) -> HttpAnswer:
        request = self._client.build_request(method, path, json=body)
        response = await self._client.send(request, stream=True)
        stack.push_async_callback(response.aclose)
        pieces = await stack.enter_async_context(aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())))
        if not response.is_success:
            refusal = await _beginning(pieces)
            raise HttpRefusedError(response.status_code, refusal, _retry_after(response.headers.get("retry-after", "")))
        first = await anext(pieces, b"")
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return HttpAnswer(content_type, first, pieces, self._limits.between_s)


def _client(base_url: str, headers: Mapping[str, str], limits: HttpLimits) -> httpx.AsyncClient:
    # A line for every request would bury the rest of the log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        base_url=base_url,
        # A compressor between would hold small pieces back.
        headers={"Accept-Encoding": "identity", **headers},
        verify=ssl.create_default_context(),
        timeout=httpx.Timeout(connect=limits.connect_s, read=None, write=limits.first_byte_s, pool=limits.connect_s),
        limits=httpx.Limits(
            max_connections=limits.connections,
            max_keepalive_connections=limits.connections,
            keepalive_expiry=KEEP_ALIVE_S,
        ),
        trust_env=urlsplit(base_url).hostname not in _LOOPBACK,
    )


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= MAX_REFUSAL_BYTES:
            break
    return bytes(body[:MAX_REFUSAL_BYTES])


def _retry_after(value: str) -> float | None:
    """Seconds; the header has them as a number or as a date. None where it says neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
