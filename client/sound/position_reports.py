"""Tells the server where the loudspeaker is, a few times a second, so that the history holds what was heard."""

import asyncio
from collections.abc import Callable

from client.realtime import RealtimeClient
from client.sound.loudspeaker import Position

INTERVAL_S = 0.2


class PositionReports:
    """Reports what `position` says, while it says anything. `run` it as a task for as long as the client is open."""

    def __init__(self, client: RealtimeClient, position: Callable[[], Position | None]) -> None:
        self._client = client
        self._position = position
        self._due = asyncio.Event()

    def now(self) -> None:
        """The position has changed otherwise than by playing on: the next report does not wait for its turn."""
        self._due.set()

    async def run(self) -> None:
        """Reports until cancelled. Raises ConnectionLostError."""
        loop = asyncio.get_running_loop()
        while True:
            timer = loop.call_later(INTERVAL_S, self._due.set)
            try:
                await self._due.wait()
            finally:
                timer.cancel()
            self._due.clear()
            if (position := self._position()) is not None:
                await self._client.report_playout(position)
