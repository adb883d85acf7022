"""A small HTTP server that does what a test says, down to the bytes: for faults that no real server shows on demand."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; header names in lower case, the body's JSON or None."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: Any


class Exchange:
    """One request's answer, in chunked coding."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def begin(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        """Sends the head; underscores in names of headers are dashes."""
        told = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._writer.write(f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode())
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """Sends some of the body."""
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def end(self) -> None:
        """The body is whole."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def answer(self, body: object, status: int = 200, **headers: str) -> None:
        """A whole answer in JSON."""
        await self.begin(status, "application/json", **headers)
        await self.send(json.dumps(body).encode())
        await self.end()

    def drop(self) -> None:
        """Breaks the connection."""
        self._writer.transport.abort()

    async def client_left(self) -> None:
        """Waits until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(1):
                pass


Handler = Callable[[Request, Exchange], Awaitable[None]]


@dataclass(slots=True)
class ScriptedHttp:
    """The handlers by path, and what was asked of them. Paths without one are answered with 404."""

    address: str
    handlers: dict[str, Handler] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    """Connections made so far."""

    def asked(self, path: str) -> list[Request]:
        """The requests to one path."""
        return [request for request in self.requests if request.path == path]


@asynccontextmanager
async def scripted_http(**handlers: Handler) -> AsyncIterator[ScriptedHttp]:
    """Serves on a free port. `handlers` are by the last part of the path below `/v1`."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        script.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    request = await _read(reader)
                    script.requests.append(request)
                    handler = script.handlers.get(request.path, _not_found)
                    await handler(request, Exchange(reader, writer))
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    script = ScriptedHttp(f"http://127.0.0.1:{port}/v1")
    paths = {"models": "/v1/models", "chat": "/v1/chat/completions", "speech": "/v1/audio/speech"}
    script.handlers |= {paths.get(name, f"/v1/{name}"): handler for name, handler in handlers.items()}
    try:
        yield script
    finally:
        server.close()
        running = list(tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(body) if body else None)


async def _not_found(request: Request, exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": f"no {request.path}", "type": "not_found"}}, 404)


async def models(request: Request, exchange: Exchange) -> None:
    """A list of one model."""
    await exchange.answer({"object": "list", "data": [{"id": "tiny", "object": "model"}]})
