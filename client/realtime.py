"""Async client of `/v1/realtime`: the OpenAI Realtime protocol (GA names) over a WebSocket.

async with RealtimeClient.connect("ws://localhost:8000/v1/realtime") as client:
    await client.update(voice="en_f1")
    await client.send_text("What is the capital of France?")
    async for event in client:
        ...
"""

import asyncio
import base64
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, Self

from client.connection import Connection
from client.conversation import Conversation
from client.errors import ConnectionLostError, RealtimeError, RejectedError, one_error
from client.events import (
    AudioDelta,
    ErrorEvent,
    FunctionCall,
    JsonObject,
    PartialTranscript,
    Reconnected,
    ResponseDone,
    ServerEvent,
    SessionUpdated,
    TurnMarks,
    describe_error,
)
from client.items import Item
from client.link import Link
from client.reconnecting import ReconnectPolicy
from client.restoring import Restored, restore
from client.session_update import merged, session_update
from client.sound.loudspeaker import Position
from client.tools import Tools
from client.turns import BYTES_PER_SECOND

DEFAULT_URL = "ws://localhost:8000/v1/realtime"
_MAX_UNREAD = 256
_REMEMBERED_REPLIES = 8
_SAID_GOODBYE = (1000, 1001)
log = logging.getLogger(__name__)


class RealtimeClient:
    """One conversation. Made by `connect`; iterate it for events, from one task at a time, and send from any.

    At most 256 events wait unread; then the server has to.
    """

    def __init__(
        self,
        dial: Callable[[], Awaitable[Connection]],
        timeout_s: float,
        reconnect: ReconnectPolicy | None,
        tools: Tools | None,
    ) -> None:
        self._link = Link(dial, self._restore, reconnect, timeout_s)
        self._tools = tools
        self._tasks: asyncio.TaskGroup
        self._answering: set[asyncio.Task[None]] = set()
        self._unread: asyncio.Queue[ServerEvent | None] = asyncio.Queue(_MAX_UNREAD)
        self._event_ids = itertools.count(1)
        self._updates: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._configuration: JsonObject = {}
        self._calls: list[FunctionCall] = []
        self._spoken: deque[str] = deque(maxlen=_REMEMBERED_REPLIES)  # items with audio
        self._gone: frozenset[str] = frozenset()  # those of them that the session before this one spoke
        self.conversation = Conversation()
        """What was said so far, as the server tells it."""
        self.session: Mapping[str, object] = {}
        """The session's configuration as the server last told it."""
        self.extended = False
        """Whether the server has sent an event of voxfleet's own, so that it takes such events too."""
        self.lost_audio_s = 0.0
        """Input audio, in seconds, that was not sent because there was no connection."""

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        reconnect: ReconnectPolicy | None = None,
        tools: Tools | None = None,
        extensions: bool = True,
        timeout_s: float = 10.0,
    ) -> AsyncIterator[Self]:
        """Opens a session and closes it at the end of the block.

        `reconnect` decides what happens when the connection is lost: without it iteration and sending raise
        ConnectionLostError. With it a new session is opened, configured and told the conversation so far, and a
        `Reconnected` event says so. `tools` are offered to the model, and their calls are answered in the background.
        `extensions` asks for voxfleet's own events; `timeout_s` bounds the handshake and each request. Raises
        UnreachableError, RejectedError, ReplyTimeoutError, ProtocolError.
        """
        dial = partial(Connection.open, url, api_key=api_key, extensions=extensions, timeout_s=timeout_s)
        client = cls(dial, timeout_s, reconnect, tools)
        await client._link.open()
        client.session = client._link.session
        with one_error():
            try:
                async with asyncio.TaskGroup() as client._tasks:
                    reading = client._tasks.create_task(client._read())
                    try:
                        if tools is not None:
                            await client.update(tools=tools)
                        yield client
                    finally:
                        client._link.end(ConnectionLostError("the session was closed"))
                        for task in (reading, *client._answering):
                            task.cancel()
            finally:
                await client._link.close()

    async def send(self, kind: str, **fields: object) -> str:
        """Sends one client event of type `kind`; returns the event id it was given.

        Where the connection is being opened again, it waits for that. Raises ConnectionLostError.
        """
        return await self._send(self._event_id(), kind, fields)

    async def send_audio(self, pcm: bytes) -> None:
        """Appends input audio, PCM s16le 24 kHz mono. Where the connection is being opened again it is left out.

        Raises ValueError where it ends inside a sample, ConnectionLostError.
        """
        if len(pcm) % 2:
            raise ValueError(f"pcm: expected whole samples of 2 bytes, got {len(pcm)} bytes")
        if self._link.online:
            await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode("ascii"))
        else:
            self.lost_audio_s += len(pcm) / BYTES_PER_SECOND

    async def commit_audio(self) -> None:
        """Push to talk: the person is done; the audio so far is the item that `respond` answers."""
        await self.send("input_audio_buffer.commit")

    async def clear_audio(self) -> None:
        """Push to talk: forgets the audio since the last commit."""
        await self.send("input_audio_buffer.clear")

    async def create_item(self, item: Item) -> None:
        """Adds an item at the end of the conversation. What is wrong with it comes as an ErrorEvent."""
        await self.send("conversation.item.create", item=item.as_json())

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Says something in writing, and asks for the reply to it unless told otherwise."""
        await self.create_item(Item(id="", type="message", role="user", text=text))
        if respond:
            await self.respond()

    async def send_tool_output(self, call_id: str, output: str) -> None:
        """What a function answered; `respond` lets the model go on with it."""
        await self.create_item(Item(id="", type="function_call_output", call_id=call_id, text=output))

    async def respond(self, **response: object) -> None:
        """Asks for a reply; `response` are fields of `response.create`, for this reply only."""
        await self.send("response.create", **({"response": response} if response else {}))

    async def cancel_response(self) -> None:
        """Stops the reply in progress."""
        await self.send("response.cancel")

    async def report_playout(self, position: Position) -> None:
        """Tells how far the loudspeaker has played; a server that does not know the event is not bothered with it.

        Nor is one that knows nothing of the item, because it was spoken before the connection was lost.
        """
        if self.extended and self._link.online and position.item_id not in self._gone:
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
        push_to_talk: bool = False,
        modality: Literal["audio", "text"] | None = None,
        tools: Tools | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        """Configures the session and waits until the server has; what is None stays as it is.

        `language` is spoken, ISO 639-1; with `push_to_talk` turns end at `commit_audio` and not by themselves;
        `modality` is that of replies; `tools` replace those there were; `more` are further fields of the protocol's
        session. Raises RejectedError with the server's reason, ReplyTimeoutError, ConnectionLostError.
        """
        if tools is not None:
            self._tools = tools
        session = session_update(
            instructions=instructions,
            language=language,
            voice=voice,
            turn_detection=turn_detection,
            push_to_talk=push_to_talk,
            modality=modality,
            tools=tools,
            more=more,
        )
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        event_id = self._event_id()
        update = (event_id, told)
        self._updates.append(update)
        try:
            async with self._link.answer_in_time():
                await self._send(event_id, "session.update", {"session": session})
                await told
        finally:
            if update in self._updates:
                self._updates.remove(update)
        self._configuration = merged(self._configuration, session)

    def __aiter__(self) -> Self:
        """Events in the order they were sent, until the server closes. Raises ConnectionLostError, ProtocolError."""
        return self

    async def __anext__(self) -> ServerEvent:
        if self._link.ended is None or not self._unread.empty():
            event = await self._unread.get()
            if event is not None:
                return event
        assert self._link.ended is not None
        if isinstance(self._link.ended, ConnectionLostError) and self._link.ended.code in _SAID_GOODBYE:
            raise StopAsyncIteration
        raise self._link.ended

    @property
    def online(self) -> bool:
        """Whether a connection is there, as far as is known."""
        return self._link.online and self._link.ended is None

    @property
    def close_reason(self) -> str:
        """Code and reason with which the connection was closed."""
        return self._link.close_reason

    def _event_id(self) -> str:
        return f"event_{next(self._event_ids)}"

    async def _send(self, event_id: str, kind: str, fields: JsonObject) -> str:
        # Whoever waits for the next connection must not be the one who keeps the reader from opening it.
        await self._link.send({"type": kind, "event_id": event_id, **fields}, patient=not self._unread.full())
        return event_id

    async def _restore(self, connection: Connection) -> Restored:
        self._calls.clear()
        self._gone = frozenset(self._spoken)
        return await restore(connection, self._configuration, self.conversation)

    async def _read(self) -> None:
        """Reads events until the connection ends for good."""
        try:
            while True:
                event = await self._link.receive()
                if not self._observe(event):
                    await self._unread.put(event)
        except RealtimeError as error:
            self._link.end(error)
        for _, told in self._updates:
            if not told.done() and self._link.ended is not None:
                told.set_exception(self._link.ended)
        await self._unread.put(None)

    def _observe(self, event: ServerEvent) -> bool:
        """Keeps the client's own books; returns whether that is all the event was for."""
        self.conversation.received(event)
        match event:
            case SessionUpdated(session):
                self.session = session
                if self._updates:
                    _, told = self._updates.popleft()
                    if not told.done():
                        told.set_result(None)
                    return True
            case Reconnected():
                self.session = self._link.session
            case ErrorEvent(client_event_id=culprit):
                for update in self._updates:
                    event_id, told = update
                    if culprit in (event_id, None) and not told.done():
                        self._updates.remove(update)
                        told.set_exception(RejectedError(describe_error(event)))
                        return True
            case PartialTranscript() | TurnMarks():
                self.extended = True
            case AudioDelta(item_id=item_id) if item_id not in self._spoken:
                self._spoken.append(item_id)
            case FunctionCall():
                self._calls.append(event)
            case ResponseDone(status=status):
                calls, self._calls = self._calls, []
                if calls and status == "completed" and self._tools is not None:
                    answering = self._tasks.create_task(self._answer_calls(self._tools, calls))
                    self._answering.add(answering)
                    answering.add_done_callback(self._answering.discard)
        return False

    async def _answer_calls(self, tools: Tools, calls: Sequence[FunctionCall]) -> None:
        outputs = await asyncio.gather(*(tools.call(call.name, call.arguments) for call in calls))
        try:
            for call, output in zip(calls, outputs, strict=True):
                await self.send_tool_output(call.call_id, output)
            await self.respond()
        except ConnectionLostError:
            # Whoever iterates is told.
            log.info("a function's answer came after the end of the connection")


connect = RealtimeClient.connect
"""Opens a session: see `RealtimeClient.connect`."""
