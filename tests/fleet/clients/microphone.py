"""A microphone for a client in the test's own loop: silence at the pace of time, and words when it is told some."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

_BLOCK_S = 0.02
_BLOCK_BYTES = 960


class Microphone:
    """PCM s16le 24 kHz mono in blocks of 20 ms."""

    def __init__(self) -> None:
        self._words = b""

    def say(self, pcm: bytes) -> None:
        """Says `pcm` from the next block on."""
        self._words = pcm

    async def capture(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Sends block by block until it is cancelled."""
        clock = asyncio.get_running_loop().time
        start = clock()
        for number in itertools.count(1):
            await asyncio.sleep(start + number * _BLOCK_S - clock())
            block, self._words = self._words[:_BLOCK_BYTES], self._words[_BLOCK_BYTES:]
            await send(block.ljust(_BLOCK_BYTES, b"\0"))
