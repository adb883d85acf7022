"""One client, one session: what every conversational protocol of the edge shares, whatever carries its frames."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Protocol, runtime_checkable

from fastapi import WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketState

from chassis.metrics import ADMISSION_REFUSED
from services.orchestrator import events
from services.orchestrator.clients import Stages
from services.orchestrator.edge.auth.middleware import starting_config
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.session import Session, SlowClientError
from services.orchestrator.settings import Settings

log = logging.getLogger(__name__)

Frame = str | bytes

# WebSocket close codes, RFC 6455 section 7.4.1 and the IANA registry.
GOING_AWAY = 1001
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


class ClientLeftError(Exception):
    """The client has gone."""


class FloodingClientError(Exception):
    """The client sends more than can be taken."""


class Ending(Enum):
    """Why a conversation ended."""

    LEFT = "left"
    """The client has gone, or the server goes."""
    REFUSED = "refused"
    """The client does not read, sends too much, or has sent nothing for the idle limit."""
    FAILED = "failed"
    """The server's fault; it is in the log."""


class Link(Protocol):
    """What carries the frames of one client."""

    async def receive(self) -> Frame:
        """The next frame. Raises ClientLeftError, or FloodingClientError."""
        ...

    async def send(self, frame: Frame) -> None:
        """Sends one frame. Raises ClientLeftError, or SlowClientError."""
        ...


class EdgeProtocol(Protocol):
    """What one connection speaks: frames in, calls of its session; events of its session in, frames out."""

    def opened(self) -> list[Frame]:
        """The frames that greet the client."""
        ...

    async def receive(self, frame: Frame) -> list[Frame]:
        """Takes one frame; returns what answers it at once. Never raises for what a client sent."""
        ...

    def send(self, event: events.Event) -> list[Frame]:
        """The frames that tell the client of `event`."""
        ...


@runtime_checkable
class ActiveProtocol(EdgeProtocol, Protocol):
    """One that also does something by itself."""

    async def run(self, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Works until it is cancelled, when the connection ends. TimeoutError ends it: the client does not answer."""
        ...


class Connections:
    """Serves sessions, at most `max_sessions` at once over all transports."""

    def __init__(self, stages: Stages, settings: Settings) -> None:
        self.stages = stages
        self.settings = settings
        self._active: set[Session] = set()

    @contextmanager
    def admitted(self, connection: HTTPConnection) -> Iterator[Session]:
        """A session for who opened `connection`; it counts for as long as the context lasts.

        Raises ApiError where all sessions are taken.
        """
        if len(self._active) >= self.settings.max_sessions:
            ADMISSION_REFUSED.labels("orchestrator").inc()
            message = f"all {self.settings.max_sessions} sessions are taken; try again later"
            raise ApiError(503, message, code="sessions_exhausted")
        session = Session(self.stages, self.settings, starting_config(connection, self.settings))
        self._active.add(session)
        try:
            yield session
        finally:
            self._active.discard(session)

    async def serve(
        self, socket: WebSocket, speak: Callable[[Session], EdgeProtocol], subprotocol: str | None = None
    ) -> None:
        """Serves one WebSocket until either side ends it."""
        try:
            with self.admitted(socket) as session:
                await socket.accept(subprotocol)
                ending = await self.converse(_WebSocketLink(socket), session, speak(session))
        except ApiError as refusal:
            await socket.send_denial_response(refusal.response())
            return
        if socket.client_state is socket.application_state is WebSocketState.CONNECTED:
            await socket.close(_CLOSE_CODES[ending])

    async def converse(self, link: Link, session: Session, protocol: EdgeProtocol) -> Ending:
        """Runs `session` over `link` until either side ends it."""
        ending = Ending.LEFT
        try:
            async with asyncio.TaskGroup() as tasks:
                run = tasks.create_task(session.run())
                out = tasks.create_task(_write(link, session, protocol))
                read = tasks.create_task(self._read(link, protocol))
                own = tasks.create_task(protocol.run(link.send)) if isinstance(protocol, ActiveProtocol) else None
                # The session ends first when the server goes; the client, when it goes itself.
                await asyncio.wait({run, read}, return_when=asyncio.FIRST_COMPLETED)
                session.close()
                out.cancel()
                read.cancel()
                if own is not None:
                    own.cancel()
        except* (SlowClientError, FloodingClientError) as group:
            ending = Ending.REFUSED
            log.warning("client ended", extra={"session": session.id, "reason": str(group.exceptions[0])})
        except* TimeoutError:
            ending = Ending.REFUSED
        except* ClientLeftError:
            ending = Ending.LEFT
        except* Exception:
            ending = Ending.FAILED
            log.exception("session failed", extra={"session": session.id})
        return ending

    def close(self) -> None:
        """Ends every session, as when the server goes."""
        for session in self._active:
            session.close()

    async def _read(self, link: Link, protocol: EdgeProtocol) -> None:
        """Reads frames until the client leaves. TimeoutError where it says nothing for the idle limit."""
        try:
            while True:
                async with asyncio.timeout(self.settings.session_idle_timeout_s):
                    frame = await link.receive()
                for answer in await protocol.receive(frame):
                    await link.send(answer)
        except ClientLeftError:
            return  # the session ends now, and is closed as one that went well


async def _write(link: Link, session: Session, protocol: EdgeProtocol) -> None:
    for frame in protocol.opened():
        await link.send(frame)
    while True:
        for frame in protocol.send(await session.next_event()):
            await link.send(frame)


_CLOSE_CODES = {Ending.LEFT: GOING_AWAY, Ending.REFUSED: POLICY_VIOLATION, Ending.FAILED: INTERNAL_ERROR}


class _WebSocketLink:
    """A WebSocket that has been accepted."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> Frame:
        """The next message."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise ClientLeftError
        text: str | None = message.get("text")
        data: bytes = message["bytes"] if text is None else b""
        return data if text is None else text

    async def send(self, frame: Frame) -> None:
        """Sends one message."""
        try:
            if isinstance(frame, str):
                await self._socket.send_text(frame)
            else:
                await self._socket.send_bytes(frame)
        except WebSocketDisconnect as left:
            raise ClientLeftError from left
