"""One WebSocket that speaks the Realtime protocol: events in, events out, and one kind of error. Knows no session."""

import json
from collections.abc import Mapping
from typing import Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from client.errors import ConnectionLostError
from client.event_reader import parse_event
from client.events import ServerEvent
from client.sockets import open_socket


class Connection:
    """An open WebSocket. Made by `open`; `close` it in the end."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    @classmethod
    async def open(cls, url: str, *, api_key: str | None, extensions: bool, timeout_s: float) -> Self:
        """Connects; raises UnreachableError or RejectedError. `timeout_s` bounds the handshake."""
        query = {"extensions": "voxfleet"} if extensions else None
        return cls(await open_socket(url, api_key=api_key, timeout_s=timeout_s, query=query))

    async def send(self, message: Mapping[str, object]) -> None:
        """Sends one event. Raises ConnectionLostError."""
        try:
            await self._websocket.send(json.dumps(message))
        except ConnectionClosed as closed:
            raise _lost(closed) from closed

    async def receive(self) -> ServerEvent:
        """The next event. Raises ConnectionLostError however the connection ended, ProtocolError."""
        try:
            return parse_event(await self._websocket.recv())
        except ConnectionClosed as closed:
            raise _lost(closed) from closed

    async def close(self) -> None:
        """Says goodbye; at most 2 s long."""
        await self._websocket.close()

    @property
    def close_reason(self) -> str:
        """Code and reason with which the connection was closed."""
        return f"{self._websocket.close_code} {self._websocket.close_reason or ''}".strip()


def _lost(closed: ConnectionClosed) -> ConnectionLostError:
    return ConnectionLostError(f"the connection was lost ({closed})", closed.rcvd.code if closed.rcvd else None)
