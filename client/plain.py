"""Async client of `/realtime`, the plain protocol, with numbered frames. The protocol: docs/plain-protocol.md.

async with PlainClient.connect("ws://localhost:8000/realtime") as client:
    await client.send_audio(pcm)
    async for event in client:
        ...
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

from client.errors import ConnectionLostError, ProtocolError, RealtimeError, RejectedError, ReplyTimeoutError
from client.plain_events import (
    Ack,
    Event,
    Failure,
    Ping,
    Pong,
    ReplyAudio,
    ReplyStarted,
    Session,
    parse_text,
)
from client.plain_outbox import HEADER, SAMPLE_RATE, Outbox
from client.sockets import open_socket

DEFAULT_URL = "ws://localhost:8000/realtime"
FRAME = SAMPLE_RATE // 50
"""Samples of a frame, 20 ms."""
OUTPUT_RATE = 24_000
"""Samples a second of a reply's audio, in hertz."""
_MAX_WAITING_EVENTS = 1_024


class PlainClient:
    """One open session. Made by `connect`; iterate it for events, from one task at a time.

    Pings are answered and acknowledgements taken whether or not somebody iterates. At most 1,024 events wait unread;
    then the server has to, and with it everything that waits for acknowledgements.
    """

    def __init__(self, connection: ClientConnection, session: Session) -> None:
        self.session = session
        self._connection = connection
        self._outbox = Outbox(session.limits.window_ms)
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(_MAX_WAITING_EVENTS)
        self._acknowledged = asyncio.Event()
        self._ping_ids = itertools.count(1)
        self._pings: dict[str, asyncio.Future[None]] = {}
        self._ended = False
        self._failure: RealtimeError | None = None
        self._item_id = ""

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str = DEFAULT_URL, *, api_key: str | None = None, timeout_s: float = 10.0
    ) -> AsyncIterator[Self]:
        """Opens a session and closes it at the end of the block.

        Raises UnreachableError, RejectedError, ProtocolError.
        """
        connection = await open_socket(_with_headers(url), api_key=api_key, timeout_s=timeout_s)
        async with connection:
            client = cls(connection, await _greeting(connection, timeout_s))
            reading = asyncio.create_task(client._read())
            try:
                yield client
            finally:
                reading.cancel()
                await asyncio.wait({reading})

    @property
    def unacknowledged(self) -> list[bytes]:
        """Frames that the server may not have, oldest first: at most the window that it granted."""
        return self._outbox.unacknowledged

    async def send_audio(self, pcm: bytes) -> None:
        """Sends PCM s16le mono 16 kHz in frames of 20 ms; waits where the server's window is full.

        Raises ValueError where it ends inside a sample, ConnectionLostError.
        """
        if len(pcm) % 2:
            raise ValueError(f"pcm: expected whole samples of 2 bytes, got {len(pcm)} bytes")
        for start in range(0, len(pcm), 2 * FRAME):
            piece = pcm[start : start + 2 * FRAME]
            while self._outbox.room < len(piece) // 2 and not self._ended:
                self._acknowledged.clear()
                await self._acknowledged.wait()
            await self._send(self._outbox.pack(piece))

    def skip_audio(self, samples: int) -> None:
        """The microphone recorded so many samples that are not sent. What comes next keeps its place in time."""
        self._outbox.skip(samples)

    async def configure(self, **fields: Any) -> None:
        """Asks for a configuration; `Configured` or `Failure` answers."""
        await self.send("configure", **fields)

    async def say(self, text: str) -> None:
        """Says something in writing."""
        await self.send("text", text=text)

    async def report_playout(self, item_id: str, audio_ms: float, *, playing: bool = True) -> None:
        """Tells that the loudspeaker has played `audio_ms` of the reply `item_id`, and goes on or stands still."""
        await self.send("playout", item_id=item_id, audio_ms=audio_ms, playing=playing)

    async def ping(self, timeout_s: float = 10.0) -> float:
        """Seconds to the server and back. Raises ReplyTimeoutError, ConnectionLostError."""
        clock = asyncio.get_running_loop().time
        number, sent = str(next(self._ping_ids)), clock()
        answered = self._pings[number] = asyncio.get_running_loop().create_future()
        try:
            await self.send("ping", id=number)
            async with asyncio.timeout(timeout_s):
                await answered
        except TimeoutError as error:
            raise ReplyTimeoutError(f"the server did not answer a ping within {timeout_s:g} s") from error
        finally:
            del self._pings[number]
        if self._ended:
            raise self._failure or ConnectionLostError("the server closed the connection")
        return clock() - sent

    async def send(self, kind: str, **fields: Any) -> None:
        """Sends a message of type `kind`. Raises ConnectionLostError."""
        await self._send(json.dumps({"type": kind, **fields}))

    def __aiter__(self) -> Self:
        """Events in the order they were sent, until the server closes. Raises ConnectionLostError, ProtocolError."""
        return self

    async def __anext__(self) -> Event:
        if self._ended and self._events.empty():
            event = None
        else:
            event = await self._events.get()
        if event is not None:
            return event
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def _send(self, frame: str | bytes) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as closed:
            raise _lost(closed) from closed

    async def _read(self) -> None:
        """Takes everything that the server sends, until it ends; then wakes all who wait."""
        # The server pings; one that has missed two pings is gone.
        silence_s = 2.5 * self.session.limits.ping_interval_s
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    frame = await self._connection.recv()
                await self._take(frame)
        except ConnectionClosedOK:
            pass
        except ConnectionClosed as closed:
            self._failure = _lost(closed)
        except TimeoutError:
            self._failure = ConnectionLostError(f"the server sent nothing for {silence_s:g} s")
        except RealtimeError as problem:
            self._failure = problem
        finally:
            self._ended = True
            self._acknowledged.set()
            for answered in self._pings.values():
                if not answered.done():
                    answered.set_result(None)
        await self._events.put(None)

    async def _take(self, frame: str | bytes) -> None:
        event = self._audio(frame) if isinstance(frame, bytes) else parse_text(frame)
        match event:
            case Ack(sequence, _, window_ms):
                self._outbox.acknowledge(sequence, window_ms)
                self._acknowledged.set()
            case Ping(number, sent_ms):
                await self._send(json.dumps({"type": "pong", "id": number, "sent_ms": sent_ms}))
                return
            case Pong(number):
                if number is not None and number in self._pings and not self._pings[number].done():
                    self._pings[number].set_result(None)
                return
            case ReplyStarted(item_id=item_id):
                self._item_id = item_id
        await self._events.put(event)

    def _audio(self, frame: bytes) -> ReplyAudio:
        if len(frame) < HEADER.size or len(frame) % 2:
            raise ProtocolError(f"expected a header and whole samples, got {len(frame)} bytes")
        _, position = HEADER.unpack_from(frame)
        return ReplyAudio(self._item_id, position, frame[HEADER.size :])


async def _greeting(connection: ClientConnection, timeout_s: float) -> Session:
    try:
        async with asyncio.timeout(timeout_s):
            frame = await connection.recv()
    except TimeoutError as error:
        raise ReplyTimeoutError(f"the server did not greet within {timeout_s:g} s") from error
    except ConnectionClosed as closed:
        raise _lost(closed) from closed
    match event := parse_text(frame) if isinstance(frame, str) else None:
        case Session():
            return event
        case Failure(code, message):
            raise RejectedError(f"{code}: {message}")
        case _:
            raise ProtocolError("expected `session` first")


def _lost(closed: ConnectionClosed) -> ConnectionLostError:
    return ConnectionLostError(f"the connection was lost ({closed})", closed.rcvd.code if closed.rcvd else None)


def _with_headers(url: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "framing"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("framing", "header")])))
