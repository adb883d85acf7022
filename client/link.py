"""What a conversation hangs on: one connection after the other, as the policy for reconnecting says."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from client.connection import Connection
from client.errors import ConnectionLostError, RealtimeError, ReplyTimeoutError
from client.events import JsonObject, Reconnected, ServerEvent
from client.reconnecting import ReconnectPolicy
from client.restoring import Restored, greeting


class Link:
    """An open session, kept open. `open` it, then `receive` in one task and `send` in any.

    `restore` brings a new session to where the lost one was.
    """

    def __init__(
        self,
        dial: Callable[[], Awaitable[Connection]],
        restore: Callable[[Connection], Awaitable[Restored]],
        policy: ReconnectPolicy | None,
        timeout_s: float,
    ) -> None:
        self._dial = dial
        self._restore = restore
        self._policy = policy
        self._timeout_s = timeout_s
        self._connection: Connection
        self._online = asyncio.Event()
        self.session: JsonObject = {}
        """The configuration that the session began with, or was brought to."""
        self.ended: RealtimeError | None = None
        """Why there will be no other connection."""

    @property
    def online(self) -> bool:
        """Whether a connection is there, as far as is known."""
        return self._online.is_set()

    @property
    def close_reason(self) -> str:
        """Code and reason with which the connection was closed."""
        return self._connection.close_reason

    async def open(self) -> None:
        """Opens the first session. Raises RealtimeError."""
        self._connection = await self._greeted()
        self._online.set()

    async def send(self, message: JsonObject, *, patient: bool = True) -> None:
        """Sends one event, where need be after the connection was opened again; a caller that is not `patient` gets an
        error instead. Raises ConnectionLostError.
        """
        while True:
            await self._online.wait()
            if self.ended is not None:
                raise self.ended
            connection = self._connection
            try:
                await connection.send(message)
            except ConnectionLostError:
                # Whoever receives notices as well, after what there still is to read, and opens the next connection.
                if self._policy is None or not patient:
                    raise
                if connection is self._connection and self.ended is None:
                    self._online.clear()
            else:
                return

    async def receive(self) -> ServerEvent:
        """The next event; `Reconnected` where it comes from another connection. Raises RealtimeError at the end."""
        while True:
            if self.ended is not None:
                raise self.ended
            try:
                return await self._connection.receive()
            except ConnectionLostError as lost:
                return await self._open_again(lost)

    def end(self, error: RealtimeError) -> None:
        """There will be no other connection: wakes who waits for one."""
        if self.ended is None:
            self.ended = error
            self._online.set()

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.close()

    @asynccontextmanager
    async def answer_in_time(self) -> AsyncIterator[None]:
        """Around a request: ReplyTimeoutError where the server takes too long."""
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError as error:
            raise ReplyTimeoutError(f"the server did not answer within {self._timeout_s:g} s") from error

    async def _greeted(self) -> Connection:
        connection = await self._dial()
        try:
            async with self.answer_in_time():
                self.session = await greeting(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _open_again(self, lost: ConnectionLostError) -> Reconnected:
        self._online.clear()
        clock = asyncio.get_running_loop().time
        began = clock()
        error: RealtimeError = lost
        for failures in itertools.count():
            delay_s = self._policy.delay_s(failures, clock() - began, error) if self._policy else None
            if delay_s is None:
                break
            await asyncio.sleep(delay_s)
            try:
                connection = await self._greeted()
                restored = await self._restored(connection)
            except RealtimeError as again:
                error = again
                continue
            self.session = restored.session or self.session
            self._connection = connection
            self._online.set()
            return Reconnected(str(lost), clock() - began, restored.items, restored.unanswered)
        if error is not lost:
            lost = ConnectionLostError(f"{lost}; it could not be opened again: {error}")
        self.end(lost)
        raise lost

    async def _restored(self, connection: Connection) -> Restored:
        try:
            async with self.answer_in_time():
                return await self._restore(connection)
        except BaseException:
            await connection.close()
            raise
