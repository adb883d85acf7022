"""A conversation whose orchestrator goes and comes back, over the real edge and scripted stages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from voxfleet.llm.v1 import llm_pb2

from client import RealtimeClient, Reconnect, connect
from client.events import Reconnected, ReplyTranscriptDone, ResponseDone
from tests.support.edge import serving_edge
from tests.support.scripted import Script, scripted_fleet


class Gateway:
    """An address that stays while the server behind it changes."""

    def __init__(self) -> None:
        self.target = ""
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Forwards inside the block; gives the URL."""
        async with await asyncio.start_server(self._forward, "127.0.0.1", 0) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/realtime"
            self.cut()

    def cut(self) -> None:
        """Every connection breaks."""
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.partition(":")
        try:
            back_reader, back_writer = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError):
            writer.transport.abort()
            return
        self._writers |= {writer, back_writer}
        try:
            await asyncio.gather(_pipe(reader, back_writer), _pipe(back_reader, writer))
        except OSError:
            self._writers -= {writer, back_writer}


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def reply(client: RealtimeClient) -> str:
    """The words of the next reply."""
    words = ""
    async with asyncio.timeout(10):
        async for event in client:
            if isinstance(event, ReplyTranscriptDone):
                words = event.transcript
            if isinstance(event, ResponseDone):
                return words
    raise AssertionError("the server closed the connection")


async def test_a_conversation_goes_on_with_the_next_orchestrator() -> None:
    script = Script(replies=["It is noon.", "As I said, noon."])
    gateway = Gateway()
    policy = Reconnect(initial_s=0.05, jitter=0.0)
    session = AsyncExitStack()
    async with scripted_fleet(script) as settings, gateway.serving() as url:
        async with AsyncExitStack() as orchestrator:
            gateway.target = await orchestrator.enter_async_context(serving_edge(settings))
            client = await session.enter_async_context(connect(url, reconnect=policy))
            await client.update(instructions="Be brief.")
            await client.send_text("What time is it?")
            assert await reply(client) == "It is noon."
            gateway.target = ""
            gateway.cut()
        async with serving_edge(settings) as gateway.target, session:
            event = await anext(client)
            assert isinstance(event, Reconnected)
            assert (event.items, event.unanswered) == (2, False)
            await client.send_text("Once more?")
            assert await reply(client) == "As I said, noon."
    config = script.chats[-1]
    assert config.instructions.startswith("Be brief.")
    assert [(message.role, message.text) for message in config.history[:2]] == [
        (llm_pb2.ROLE_USER, "What time is it?"),
        (llm_pb2.ROLE_ASSISTANT, "It is noon."),
    ]
