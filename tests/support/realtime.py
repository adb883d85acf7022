"""A scripted Realtime server: a test decides what it says and when, which no real server would do on demand."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeAlias

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedOK
from websockets.http11 import Request, Response

from chassis.audio import pcm_to_float

Script: TypeAlias = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.pcm = bytearray()

    @property
    def path(self) -> str:
        """Path and query that the client asked for."""
        assert self.connection.request is not None
        return self.connection.request.path

    @property
    def authorization(self) -> str | None:
        """The header of that name."""
        assert self.connection.request is not None
        return self.connection.request.headers.get("Authorization")

    async def send(self, kind: str, **fields: object) -> None:
        """One event."""
        await self.connection.send(json.dumps({"type": kind, "event_id": "e", **fields}))

    async def greet(self) -> None:
        """What every session begins with."""
        await self.send("session.created", session={"id": "sess_1", "type": "realtime"})

    async def receive(self) -> dict[str, Any]:
        """The next client event; audio is also kept in `pcm`."""
        event: dict[str, Any] = json.loads(await self.connection.recv())
        if event["type"] == "input_audio_buffer.append":
            self.pcm += base64.b64decode(event["audio"])
        return event

    async def hear(self, pcm_bytes: int) -> None:
        """Takes events until there are `pcm_bytes` of audio."""
        while len(self.pcm) < pcm_bytes:
            await self.receive()

    async def hear_question(self, pause_s: float = 0.1) -> None:
        """Takes audio until something was said and `pause_s` of silence followed."""
        silent = 0
        spoken = False
        while not spoken or silent < pause_s * 48_000:
            before = len(self.pcm)
            await self.receive()
            block = bytes(self.pcm[before:])
            loud = bool(len(block)) and abs(pcm_to_float(block)).max() > 0.05
            spoken = spoken or loud
            silent = 0 if loud else silent + len(block)

    async def reply(
        self, pcm: bytes, text: str, *, response_id: str = "resp_1", status: str = "completed", **details: object
    ) -> None:
        """A whole response: created, one audio delta, the transcript in two pieces, done."""
        await self.send("response.created", response={"id": response_id})
        if pcm:
            await self.audio(pcm, response_id)
        for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
            await self.send("response.output_audio_transcript.delta", response_id=response_id, delta=piece)
        await self.done(response_id, status, **details)

    async def audio(self, pcm: bytes, response_id: str = "resp_1") -> None:
        """One audio delta."""
        delta = base64.b64encode(pcm).decode()
        await self.send("response.output_audio.delta", response_id=response_id, item_id="item_2", delta=delta)

    async def done(self, response_id: str = "resp_1", status: str = "completed", **details: object) -> None:
        """`response.done`; `details` are its `status_details`."""
        response = {"id": response_id, "status": status, "status_details": details or None, "usage": {}}
        await self.send("response.done", response=response)


@asynccontextmanager
async def scripted_server(script: Script, *, ready: bool = True) -> AsyncIterator[str]:
    """Serves `script` to each connection on a free port; gives the URL. A script that fails, fails the test.

    `/readyz` says whether it is `ready`.
    """
    failures: list[Exception] = []

    async def handle(connection: ServerConnection) -> None:
        try:
            await script(Peer(connection))
        except ConnectionClosedOK:
            return  # the client has had enough
        except Exception as failure:
            failures.append(failure)

    def readiness(connection: ServerConnection, request: Request) -> Response | None:
        if request.path != "/readyz":
            return None
        return connection.respond(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, "")

    # Unbounded, so that a script which does not read what it is sent can still be closed.
    async with serve(handle, "127.0.0.1", 0, max_queue=None, process_request=readiness) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    if failures:
        raise failures[0]
