"""One WebSocket, one session: what every conversational protocol of the edge shares."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from fastapi import WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketState

from chassis.metrics import ADMISSION_REFUSED
from services.orchestrator import events
from services.orchestrator.clients import Stages
from services.orchestrator.edge.auth.middleware import starting_config
from services.orchestrator.session import Session, SlowClientError
from services.orchestrator.settings import Settings

log = logging.getLogger(__name__)

Frame = str | bytes

# WebSocket close codes, RFC 6455 section 7.4.1 and the IANA registry.
GOING_AWAY = 1001
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


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


class Connections:
    """Serves sessions, at most `max_sessions` at once."""

    def __init__(self, stages: Stages, settings: Settings) -> None:
        self.stages = stages
        self.settings = settings
        self._active: set[Session] = set()

    async def serve(
        self, socket: WebSocket, speak: Callable[[Session], EdgeProtocol], subprotocol: str | None = None
    ) -> None:
        """Serves one WebSocket until either side ends it."""
        if len(self._active) >= self.settings.max_sessions:
            ADMISSION_REFUSED.labels("orchestrator").inc()
            message = f"all {self.settings.max_sessions} sessions are taken; try again later"
            refusal = {"error": {"type": "server_error", "code": "sessions_exhausted", "message": message}}
            await socket.send_denial_response(JSONResponse(refusal, 503, {"Retry-After": "5"}))
            return
        session = Session(self.stages, self.settings, starting_config(socket, self.settings))
        self._active.add(session)
        try:
            await socket.accept(subprotocol)
            await self._converse(socket, session, speak(session))
        finally:
            self._active.discard(session)

    def close(self) -> None:
        """Ends every session, as when the server goes."""
        for session in self._active:
            session.close()

    async def _converse(self, socket: WebSocket, session: Session, protocol: EdgeProtocol) -> None:
        code = GOING_AWAY
        try:
            async with asyncio.TaskGroup() as tasks:
                run = tasks.create_task(session.run())
                out = tasks.create_task(_write(socket, session, protocol))
                read = tasks.create_task(self._read(socket, session, protocol))
                # The session ends first when the server goes; the client, when it goes itself.
                await asyncio.wait({run, read}, return_when=asyncio.FIRST_COMPLETED)
                session.close()
                out.cancel()
                read.cancel()
        except* SlowClientError as group:
            code = POLICY_VIOLATION
            log.warning("slow client", extra={"reason": str(group.exceptions[0])})
        except* WebSocketDisconnect:
            code = GOING_AWAY
        except* TimeoutError:
            code = POLICY_VIOLATION
        except* Exception:
            code = INTERNAL_ERROR
            log.exception("session failed", extra={"session": session.id})
        if socket.client_state is socket.application_state is WebSocketState.CONNECTED:
            await socket.close(code)

    async def _read(self, socket: WebSocket, session: Session, protocol: EdgeProtocol) -> None:
        """Reads frames until the client leaves. TimeoutError where it says nothing for the idle limit."""
        while True:
            async with asyncio.timeout(self.settings.session_idle_timeout_s):
                message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            frame = message.get("text")
            for answer in await protocol.receive(message["bytes"] if frame is None else frame):
                await _send(socket, answer)


async def _write(socket: WebSocket, session: Session, protocol: EdgeProtocol) -> None:
    for frame in protocol.opened():
        await _send(socket, frame)
    while True:
        for frame in protocol.send(await session.next_event()):
            await _send(socket, frame)


async def _send(socket: WebSocket, frame: Frame) -> None:
    if isinstance(frame, str):
        await socket.send_text(frame)
    else:
        await socket.send_bytes(frame)
