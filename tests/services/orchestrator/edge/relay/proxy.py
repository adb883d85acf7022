"""A TCP proxy that a test can cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Proxy:
    """Carries bytes to `target` (`host:port`), which may be set later."""

    address: str = ""
    target: str = ""
    refuses: bool = False
    """New connections are ended at once."""
    accepted: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Ends every connection, without a word of the protocol above."""
        for writer in self._writers:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        self.accepted += 1
        if self.refuses:
            writer.transport.abort()
            return
        host, port = self.target.rsplit(":", 1)
        there, back = await asyncio.open_connection(host, int(port))
        both = {writer, back}
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, back))
                tasks.create_task(_pump(there, writer))
        finally:
            self._writers -= both
            for end in both:
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()
    except ConnectionError:
        # The other half is to end, too.
        writer.transport.abort()


@asynccontextmanager
async def proxied(target: str = "") -> AsyncIterator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy(target=target)
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
