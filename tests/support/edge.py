"""The orchestrator's edge on a free port in the test's own loop, reached over real WebSockets."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from services.orchestrator.__main__ import server_config
from services.orchestrator.edge.app import create_app
from services.orchestrator.settings import Settings
from tests.support.scripted import Script, scripted_fleet, silence, speech

Json = dict[str, Any]
STEP_S = 0.02


@asynccontextmanager
async def serving_edge(settings: Settings) -> AsyncIterator[str]:
    """Runs the edge with `settings`; gives `127.0.0.1:<port>`."""
    # asyncio sets TCP_NODELAY only where the protocol is named; without it an answer may wait 40 ms for an ACK.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(create_app(settings), settings))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.005)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@asynccontextmanager
async def scripted_edge(script: Script, **settings: Any) -> AsyncIterator[str]:
    """The edge over scripted stages."""
    async with scripted_fleet(script, **settings) as told, serving_edge(told) as address:
        yield address


@dataclass(slots=True)
class Client:
    """A bare WebSocket client that keeps all that it is told."""

    socket: ClientConnection
    told: list[Json | bytes] = field(default_factory=list)

    async def send(self, **event: Any) -> None:
        """Sends one JSON event."""
        await self.socket.send(json.dumps(event))

    async def next(self) -> Json | bytes:
        """The next frame, JSON decoded."""
        async with asyncio.timeout(10):
            frame = await self.socket.recv()
        message: Json | bytes = json.loads(frame) if isinstance(frame, str) else frame
        self.told.append(message)
        return message

    async def until(self, kind: str, test: Callable[[Json], bool] = lambda _: True) -> Json:
        """Reads until an event of a kind comes."""
        while True:
            message = await self.next()
            if isinstance(message, dict) and message["type"] == kind and test(message):
                return message

    @property
    def kinds(self) -> list[str]:
        """The types of all events so far, in order, audio frames as "audio"."""
        return [message["type"] if isinstance(message, dict) else "audio" for message in self.told]

    async def speak_base64(self, seconds: float, quiet_seconds: float, rate: int = 24_000) -> None:
        """Speaks and is silent, as fast as the server takes it, in appends of the Realtime protocol."""
        for pcm, length in ((speech(STEP_S, rate), seconds), (silence(STEP_S, rate), quiet_seconds)):
            audio = base64.b64encode(pcm).decode()
            for _ in range(round(length / STEP_S)):
                await self.send(type="input_audio_buffer.append", audio=audio)

    async def speak_binary(self, seconds: float, quiet_seconds: float) -> None:
        """The same in binary frames of the plain protocol."""
        for pcm, length in ((speech(STEP_S), seconds), (silence(STEP_S), quiet_seconds)):
            for _ in range(round(length / STEP_S)):
                await self.socket.send(pcm)


@asynccontextmanager
async def connected(address: str, path: str) -> AsyncIterator[Client]:
    """A connection to the edge at `address`."""
    async with connect(f"ws://{address}{path}", max_size=None) as connection:
        yield Client(connection)
