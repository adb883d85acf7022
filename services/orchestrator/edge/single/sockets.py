"""WebSockets of one stage alone: a place while they are served, frames checked, errors as frames, close codes."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from chassis.errors import Code, StageError
from services.orchestrator.edge.connection import (
    GOING_AWAY,
    INTERNAL_ERROR,
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    Frame,
)
from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.single.backend import Backend, Places

log = logging.getLogger(__name__)

_NORMAL = 1000


class FramedSocket:
    """A socket that was accepted: whole frames in, binary frames and JSON text frames out."""

    def __init__(self, socket: WebSocket, backend: Backend) -> None:
        self.query = socket.query_params
        self.backend = backend
        self._socket = socket
        self._idle_s = backend.settings.session_idle_timeout_s

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it, as far as is known."""
        return self._socket.client_state is self._socket.application_state is WebSocketState.CONNECTED

    async def receive(self) -> Frame:
        """The next frame. WebSocketDisconnect where the client leaves, TimeoutError where it says nothing for the idle
        limit."""
        async with asyncio.timeout(self._idle_s):
            message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        return message["bytes"] if text is None else text

    async def send_audio(self, pcm: bytes) -> None:
        """Sends a binary frame."""
        await self._socket.send_bytes(pcm)

    async def send(self, kind: str, **fields: Any) -> None:
        """Sends one JSON text frame; fields that are None are left out."""
        told = {name: value for name, value in fields.items() if value is not None}
        await self._socket.send_text(json.dumps({"type": kind} | told, ensure_ascii=False))

    async def send_error(self, code: str, message: str, field: str | None = None, **more: Any) -> None:
        """Sends an `error` frame; the connection lives on."""
        await self.send("error", code=code, message=message, field=field, **more)

    async def send_failure(self, error: StageError, **more: Any) -> None:
        """The same for what a stage refused."""
        await self.send_error(error.reason.lower(), error.message, error.field, stage=error.stage, **more)


Converse = Callable[[FramedSocket], Awaitable[None]]


class SocketEndpoint:
    """One path, as an ASGI application. `converse` returns when the conversation is over."""

    def __init__(self, converse: Converse, places: Places) -> None:
        self._converse = converse
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one socket until either side ends it."""
        socket = WebSocket(scope, receive, send)
        state = scope["app"].state
        backend = Backend(state.connections.stages, state.voices, state.connections.settings)
        try:
            with self._places.taken():
                await socket.accept()
                await self._serve(socket, backend)
        except StageError as refusal:
            response: Response = ApiError.of_stage(refusal, {}).response()
            await socket.send_denial_response(response)

    async def _serve(self, socket: WebSocket, backend: Backend) -> None:
        code = _NORMAL
        framed = FramedSocket(socket, backend)
        try:
            await self._converse(framed)
        except* WebSocketDisconnect:
            code = GOING_AWAY
        except* TimeoutError:
            code = POLICY_VIOLATION
        except* ApiError as group:
            # What the address asks for cannot be done: the client is told why.
            code = POLICY_VIOLATION
            for refusal in group.exceptions:
                if isinstance(refusal, ApiError):
                    await framed.send_error(refusal.code, str(refusal), refusal.param)
        except* StageError as group:
            error = StageError.first_of(group)
            code = TRY_AGAIN_LATER if error.code in (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED) else INTERNAL_ERROR
            log.warning("stage lost", extra={"stage_lost": error.stage, "reason": error.reason})
            if framed.is_open:
                await framed.send_failure(error)
        except* Exception:
            code = INTERNAL_ERROR
            log.exception("socket failed")
        if framed.is_open:
            await socket.close(code)
