"""Connections to an upstream: opened, greeted, configured; and what to do where that fails."""

import asyncio
import json
import logging
import random
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from services.orchestrator.edge.realtime.beta import HEADER as BETA
from services.orchestrator.edge.relay import hops
from services.orchestrator.edge.relay.upstreams import Upstream
from services.orchestrator.edge.relay.watch import CREATED, ERROR, UPDATED, Json, read

# The library writes headers and frames into its debug log: keys and conversations.
_QUIET = logging.getLogger(f"{__name__}.websockets")
_QUIET.setLevel(logging.INFO)

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 2.0
_CLOSE_TIMEOUT_S = 2.0
_MAX_WAITING_MESSAGES = 32
_RETRY_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504))
_RETRY_ERRORS = frozenset(("server_error", "rate_limit_error"))
# Close codes with which a server says that this session is over, not that it has a problem: RFC 6455, 7.4.1; from 4000
# on they are the application's own.
_FINAL_CODES = frozenset((1000, 1002, 1003, 1007, 1008, 1009, 1010))
_OWN_CODES = range(3000, 5000)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CONFIGURE_ID = "event_relay_configure"


class Reason(StrEnum):
    """What may be wrong with an upstream; the values of a metric's label."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    LOST = "lost"
    STALLED = "stalled"
    ERROR_EVENT = "error_event"


class UpstreamError(Exception):
    """No session with the upstream. `temporary`: trying again may help. The message holds nothing secret."""

    def __init__(self, reason: Reason, message: str, *, temporary: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client's session asks of the upstream. `session` is to be set first, None for nothing."""

    hops: str
    beta: bool = False
    extensions: str = ""
    session: Json | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try: attempts, and seconds for all of them."""

    attempts: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a client is to be told first: `session.created` with the session as it is configured, and what came beside
    it."""

    created: Json
    frames: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class Link:
    """A session with an upstream. `stalled`: it was ended, because the upstream did not take what it was sent."""

    connection: ClientConnection
    greeting: Greeting
    stalled: bool = False

    def abort(self) -> None:
        """Ends it without a word."""
        self.connection.transport.abort()


def backoff_s(failures: int) -> float:
    """The wait after so many failures in a row. Jitter: those that lost the same upstream do not come back at once."""
    longest: float = min(_FIRST_DELAY_S * 2 ** (failures - 1), _LONGEST_DELAY_S)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def is_final(code: int | None) -> bool:
    """Whether a close code says that the session is over for good. None: no close frame came."""
    return code is not None and (code in _FINAL_CODES or code in _OWN_CODES)


class Links:
    """Opens sessions with one upstream. `max_bytes` is the largest message taken from it."""

    def __init__(self, upstream: Upstream, *, max_bytes: int, patience: Patience) -> None:
        self.upstream = upstream
        self._max_bytes = max_bytes
        self.patience = patience
        # Made once, because it reads the certificates of the machine from files.
        self._tls = ssl.create_default_context() if upstream.is_secure else None

    async def open(self, wish: Wish) -> Link:
        """A session that has greeted; tries again while that may help. Raises UpstreamError."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.patience.timeout_s
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return await self._attempt(wish, deadline - clock())
            except UpstreamError as error:
                wait_s = backoff_s(attempt)
                if not error.temporary or attempt == self.patience.attempts or clock() + wait_s >= deadline:
                    raise
            await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, wish: Wish, limit_s: float) -> Link:
        name = self.upstream.name
        try:
            async with asyncio.timeout(limit_s):
                return await self._greeted(await self._connect(wish), wish)
        except TimeoutError as error:
            message = f"the upstream of {name} did not answer within {self.patience.timeout_s:g} s"
            raise UpstreamError(Reason.UNREACHABLE, message, temporary=True) from error
        except ConnectionClosed as error:
            code = None if error.rcvd is None else error.rcvd.code
            message = f"the upstream of {name} closed the connection at once ({code or 'without a word'})"
            raise UpstreamError(Reason.REFUSED, message, temporary=not is_final(code)) from error
        except InvalidStatus as error:
            status = error.response.status_code
            message = f"the upstream of {name} answered HTTP {status}"
            raise UpstreamError(Reason.REFUSED, message, temporary=status in _RETRY_STATUSES) from error
        except ssl.SSLError as error:
            message = f"no secure connection to the upstream of {name}: {error.reason}"
            cut = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
            raise UpstreamError(Reason.UNREACHABLE, message, temporary=cut) from error
        except (OSError, EOFError, InvalidHandshake) as error:
            message = f"the upstream of {name} cannot be reached"
            raise UpstreamError(Reason.UNREACHABLE, message, temporary=True) from error

    async def _connect(self, wish: Wish) -> ClientConnection:
        headers = self.upstream.credentials() | {hops.HEADER: wish.hops}
        if wish.beta:
            headers["OpenAI-Beta"] = BETA
        return await _Connect(
            self.upstream.address(extensions=wish.extensions),
            additional_headers=headers,
            ssl=self._tls,
            proxy=None if self.upstream.is_local else True,
            open_timeout=None,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=self._max_bytes,
            max_queue=_MAX_WAITING_MESSAGES,
            # Audio does not compress.
            compression=None,
            logger=_QUIET,
        )

    async def _greeted(self, connection: ClientConnection, wish: Wish) -> Link:
        try:
            return Link(connection, await self._greeting(connection, wish))
        except BaseException:
            connection.transport.abort()
            raise

    async def _greeting(self, connection: ClientConnection, wish: Wish) -> Greeting:
        frame = _text(await connection.recv())
        kind, created = read(frame)
        if kind != CREATED:
            raise self._refusal(created.get("error"), f"began with {kind or 'no event'}, not with {CREATED}")
        if wish.session is None:
            return Greeting(created, (frame,))
        return await self._configured(connection, created, wish.session)

    async def _configured(self, connection: ClientConnection, created: Json, session: Json) -> Greeting:
        """Configures the session before the client is greeted, so that it sees no answer that it did not ask for."""
        update = {"type": "session.update", "event_id": _CONFIGURE_ID, "session": session}
        await connection.send(_write(update))
        beside: list[str] = []
        while len(beside) < _MAX_WAITING_MESSAGES:
            frame = _text(await connection.recv())
            kind, event = read(frame)
            if kind == UPDATED:
                created = created | {"session": event.get("session")}
                return Greeting(created, (_write(created), *beside))
            if kind == ERROR:
                raise self._refusal(event.get("error"), "refused the session of the client secret")
            beside.append(frame)
        raise self._refusal(None, "does not answer session.update")

    def _refusal(self, error: object, otherwise: str) -> UpstreamError:
        """What an `error` event says. Not its message: it may quote the server's key."""
        details: Mapping[str, Any] = error if isinstance(error, dict) else {}
        told = [str(details[key]) for key in ("code", "param") if isinstance(details.get(key), str)]
        told = [word for word in told if _CODE.fullmatch(word)]
        message = f"the upstream of {self.upstream.name} {otherwise}" + (f": {', '.join(told)}" if told else "")
        return UpstreamError(Reason.REFUSED, message, temporary=details.get("type") in _RETRY_ERRORS)


class _Connect(connect):
    """Follows no redirect: the headers of an upstream are for its own address."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The redirect is the answer."""
        return exc


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else ""


def _write(event: Json) -> str:
    return json.dumps(event, ensure_ascii=False)
