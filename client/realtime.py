"""Async client of `/v1/realtime`: the OpenAI Realtime protocol (GA names) over a WebSocket.

async with RealtimeClient.connect("ws://localhost:8000/v1/realtime") as client:
    await client.update(voice="en_f1")
    turn = await ask(client, pcm)
"""

import asyncio
import base64
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidHandshake, InvalidStatus, InvalidURI

from client.events import (
    ErrorEvent,
    PartialTranscript,
    ProtocolError,
    RealtimeError,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    TurnMarks,
    parse_event,
)
from client.loudspeaker import Position
from client.turns import SAMPLE_RATE, Turn, TurnRecorder

DEFAULT_URL = "ws://localhost:8000/v1/realtime"
BLOCK_S = 0.02
BLOCK_BYTES = round(BLOCK_S * SAMPLE_RATE) * 2
LEAD_IN_S = 0.3
"""Silence before a question: nobody speaks on the first sample, and a voice detector needs a moment."""
STALL_S = 30.0
_CLOSE_TIMEOUT_S = 2.0
_MAX_MESSAGE_BYTES = 16 << 20
_MAX_WAITING_MESSAGES = 256
_MAX_BACKLOG = 256
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class UnreachableError(RealtimeError):
    """No connection to the server."""


class RejectedError(RealtimeError):
    """The server refused the connection or a request."""


class ConnectionLostError(RealtimeError):
    """The connection ended."""


class ReplyTimeoutError(RealtimeError):
    """The server fell silent before it was done."""


def describe_error(event: ErrorEvent) -> str:
    """An error event on one line: code, field, message."""
    field = event.param if event.param and not event.message.startswith(event.param) else None
    return ": ".join(part for part in (event.code or event.type, field, event.message) if part)


class RealtimeClient:
    """One open session. Made by `connect`; iterate it for events, from one task at a time.

    At most 256 messages wait unread; then the server has to.
    """

    def __init__(self, connection: ClientConnection, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._backlog: deque[ServerEvent] = deque()
        self._event_ids = itertools.count(1)
        self.session: Mapping[str, object] = {}
        """The session's configuration as the server last told it."""
        self.extended = False
        """Whether the server has sent an event of voxfleet's own, so that it takes such events too."""

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str = DEFAULT_URL, *, api_key: str | None = None, extensions: bool = True, timeout_s: float = 10.0
    ) -> AsyncIterator[Self]:
        """Opens a session and closes it at the end of the block.

        `extensions` asks for `TurnMarks`; `timeout_s` bounds the handshake and each request. Raises UnreachableError,
        RejectedError, ProtocolError.
        """
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            connection = await connect(
                _with_extensions(url) if extensions else url,
                additional_headers=headers,
                # A proxy of the environment is for the outside.
                proxy=None if urlsplit(url).hostname in _LOOPBACK else True,
                open_timeout=timeout_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=_MAX_MESSAGE_BYTES,
                max_queue=_MAX_WAITING_MESSAGES,
                compression=None,
            )
        except InvalidURI as error:
            raise UnreachableError(f"{url}: expected a ws:// or wss:// address") from error
        except InvalidStatus as error:
            body = (error.response.body or b"").decode(errors="replace").strip()
            detail = f": {body[:200]}" if body else ""
            raise RejectedError(f"{url} answered HTTP {error.response.status_code}{detail}") from error
        except TimeoutError as error:
            raise UnreachableError(f"{url} did not answer within {timeout_s:g} s") from error
        except (OSError, EOFError, InvalidHandshake) as error:
            raise UnreachableError(f"no Realtime server at {url}") from error
        async with connection:
            client = cls(connection, timeout_s)
            await client._await_session()
            yield client

    async def send(self, kind: str, **fields: object) -> str:
        """Sends one client event of type `kind`; returns the event id it was given."""
        event_id = f"event_{next(self._event_ids)}"
        try:
            await self._connection.send(json.dumps({"type": kind, "event_id": event_id, **fields}))
        except ConnectionClosed as closed:
            raise _lost(closed) from closed
        return event_id

    async def send_audio(self, pcm: bytes) -> None:
        """Appends input audio, PCM s16le 24 kHz mono. Raises ValueError where it ends inside a sample."""
        if len(pcm) % 2:
            raise ValueError(f"pcm: expected whole samples of 2 bytes, got {len(pcm)} bytes")
        await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode("ascii"))

    async def report_playout(self, position: Position) -> None:
        """Tells how far the loudspeaker has played; a server that does not know the event is not bothered with it."""
        if self.extended:
            await self.send(
                "voxfleet.playout.position",
                item_id=position.item_id,
                audio_ms=round(position.audio_ms, 1),
                playing=position.playing,
            )

    async def update(
        self,
        *,
        instructions: str | None = None,
        language: str | None = None,
        voice: str | None = None,
        turn_detection: Mapping[str, object] | None = None,
    ) -> None:
        """Configures the session and waits until the server has; what is None stays as it is.

        Not while another task iterates. Raises RejectedError with the server's reason.
        """
        audio_input: dict[str, object] = {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}}
        audio_output: dict[str, object] = {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}}
        session: dict[str, object] = {"type": "realtime", "audio": {"input": audio_input, "output": audio_output}}
        if instructions is not None:
            session["instructions"] = instructions
        if language is not None:
            audio_input["transcription"] = {"language": language}
        if turn_detection is not None:
            audio_input["turn_detection"] = dict(turn_detection)
        if voice is not None:
            audio_output["voice"] = voice
        event_id = await self.send("session.update", session=session)
        async with self._answer_in_time():
            while True:
                match event := await self._receive():
                    case SessionUpdated(session=configured):
                        self.session = configured
                        return
                    case ErrorEvent(client_event_id=culprit) if culprit in (event_id, None):
                        raise RejectedError(describe_error(event))
                    case _ if len(self._backlog) < _MAX_BACKLOG:
                        self._backlog.append(event)
                    case _:
                        raise ReplyTimeoutError(f"session.update: not answered within {_MAX_BACKLOG} events")

    def __aiter__(self) -> Self:
        """Events in the order they were sent, until the server closes. Raises ConnectionLostError, ProtocolError."""
        return self

    async def __anext__(self) -> ServerEvent:
        if self._backlog:
            return self._backlog.popleft()
        try:
            event = parse_event(await self._connection.recv())
        except ConnectionClosedOK as closed:
            raise StopAsyncIteration from closed
        except ConnectionClosed as closed:
            raise _lost(closed) from closed
        self.extended = self.extended or isinstance(event, PartialTranscript | TurnMarks)
        return event

    @property
    def close_reason(self) -> str:
        """Code and reason with which the connection was closed."""
        return f"{self._connection.close_code} {self._connection.close_reason or ''}".strip()

    async def _await_session(self) -> None:
        async with self._answer_in_time():
            match event := await self._receive():
                case SessionCreated(session=session):
                    self.session = session
                case ErrorEvent():
                    raise RejectedError(describe_error(event))
                case _:
                    raise ProtocolError(f"expected session.created first, got {type(event).__name__}")

    async def _receive(self) -> ServerEvent:
        try:
            return parse_event(await self._connection.recv())
        except ConnectionClosed as closed:
            raise _lost(closed) from closed

    @asynccontextmanager
    async def _answer_in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError as error:
            raise ReplyTimeoutError(f"the server did not answer within {self._timeout_s:g} s") from error


@contextmanager
def one_error() -> Iterator[None]:
    """Around a TaskGroup: both sides of a connection may see it go, but the caller gets one error and no group."""
    try:
        yield
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def blocks(pcm: bytes) -> Iterator[bytes]:
    """Audio in blocks of 20 ms, the last one filled up with silence."""
    for at in range(0, len(pcm), BLOCK_BYTES):
        yield pcm[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")


async def stream(client: RealtimeClient, audio: Iterable[bytes], recorder: TurnRecorder) -> None:
    """Sends blocks of 20 ms as a microphone would: each when its last sample has been spoken. Late ones catch up."""
    clock = asyncio.get_running_loop().time
    start = clock()
    for number, block in enumerate(audio, 1):
        await asyncio.sleep(start + number * BLOCK_S - clock())
        recorder.sent(block, clock())
        await client.send_audio(block)


async def ask(
    client: RealtimeClient,
    pcm: bytes,
    *,
    on_event: Callable[[ServerEvent, TurnRecorder], None] | None = None,
    lead_in_s: float = LEAD_IN_S,
    stall_s: float = STALL_S,
) -> Turn:
    """Speaks a question (PCM s16le 24 kHz mono) in real time, then stays silent until its reply is complete.

    `on_event` sees each event after it is recorded. Raises ReplyTimeoutError where the server sends nothing for
    `stall_s` after the question, ConnectionLostError where it closes before the reply is complete.
    """
    clock = asyncio.get_running_loop().time
    recorder = TurnRecorder()
    lead_in = bytes(round(lead_in_s * SAMPLE_RATE) * 2)

    async def speak() -> None:
        await stream(client, itertools.chain(blocks(lead_in), blocks(pcm)), recorder)
        recorder.question_sent()
        await stream(client, itertools.repeat(bytes(BLOCK_BYTES)), recorder)

    question_ends = clock() + (len(lead_in) + len(pcm)) / 2 / SAMPLE_RATE
    try:
        with one_error():
            async with asyncio.timeout_at(question_ends + stall_s) as limit, asyncio.TaskGroup() as group:
                speaking = group.create_task(speak())
                async for event in client:
                    now = clock()
                    limit.reschedule(max(now, question_ends) + stall_s)
                    recorder.received(event, now)
                    if on_event is not None:
                        on_event(event, recorder)
                    if recorder.finished:
                        break
                speaking.cancel()
    except TimeoutError as error:
        raise ReplyTimeoutError(f"nothing from the server for {stall_s:g} s; {recorder.progress}") from error
    if not recorder.finished:
        raise ConnectionLostError(f"the server closed the connection ({client.close_reason}); {recorder.progress}")
    return recorder.turn()


def _with_extensions(url: str) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query), ("extensions", "voxfleet")])
    return urlunsplit(parts._replace(query=query))


def _lost(closed: ConnectionClosed) -> ConnectionLostError:
    return ConnectionLostError(f"the connection was lost ({closed})")
