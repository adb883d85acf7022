"""One person's side of one connection, in real time: a microphone that never stops and an ideal loudspeaker.

The microphone sends blocks of 20 ms, speech or silence, whatever the server does meanwhile.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from client.bench.questions import Question
from client.errors import ConnectionLostError, ReplyTimeoutError, one_error
from client.events import AudioDelta
from client.realtime import RealtimeClient
from client.speaking import BLOCK_BYTES, BLOCK_S, blocks
from client.turns import BYTES_PER_SECOND, Turn, TurnRecorder

_SILENCE = bytes(BLOCK_BYTES)


class Conversation:
    """Turns over one open client, one after the other: `async with Conversation.on(client) as talk: talk.ask(...)`."""

    def __init__(self, client: RealtimeClient, stall_s: float) -> None:
        self.blocks = 0
        """Blocks of audio sent."""
        self.late_blocks = 0
        """Those of them that were sent when the next one was due: the machine does not keep up with its sessions."""
        self.began_early = False
        """Whether a reply of the present turn began while its question was still being asked."""
        self._client = client
        self._stall_s = stall_s
        self._clock = asyncio.get_running_loop().time
        self._speech: Iterator[bytes] = iter(())
        self._asking = False
        self._recorder = TurnRecorder()
        self._news = asyncio.Event()
        self._last_news = self._clock()
        self._played_at = self._clock()

    @classmethod
    @asynccontextmanager
    async def on(cls, client: RealtimeClient, stall_s: float) -> "AsyncIterator[Conversation]":
        """Microphone and loudspeaker run inside the block. Raises ConnectionLostError or ProtocolError there."""
        talk = cls(client, stall_s)
        with one_error():
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(talk._speak()), group.create_task(talk._listen())]
                yield talk
                for task in running:
                    task.cancel()

    @property
    def turn_so_far(self) -> Turn:
        """The present turn, whether it is over or not."""
        return self._recorder.turn()

    async def ask(self, question: Question, pause_s: float) -> Turn:
        """Asks, hears the reply to its end and is silent for `pause_s` more; what comes then still tells of this turn.

        Raises ReplyTimeoutError where the server sends nothing for `stall_s` after the question.
        """
        recorder = self._recorder = TurnRecorder()
        self.began_early = False
        self._speech, self._asking = blocks(question.pcm), True
        while True:
            if recorder.finished:
                deadline = max(self._played_at, self._last_news) + pause_s
                if self._clock() >= deadline:
                    return recorder.turn()
            else:
                deadline = self._last_news + self._stall_s
            self._news.clear()
            try:
                async with asyncio.timeout_at(None if self._asking else deadline):
                    await self._news.wait()
            except TimeoutError as error:
                if not recorder.finished:
                    raise ReplyTimeoutError(
                        f"nothing from the server for {self._stall_s:g} s; {recorder.progress}"
                    ) from error

    async def _speak(self) -> None:
        start = self._clock()
        for number in itertools.count(1):
            due = start + number * BLOCK_S
            await asyncio.sleep(due - self._clock())
            block = next(self._speech, None)
            if block is None and self._asking:
                self._asking = False
                self._recorder.question_sent()
                self._tell()
            now = self._clock()
            self.blocks += 1
            self.late_blocks += now - due >= BLOCK_S
            self._recorder.sent(block or _SILENCE, now)
            await self._client.send_audio(block or _SILENCE)

    async def _listen(self) -> None:
        async for event in self._client:
            now = self._clock()
            if isinstance(event, AudioDelta):
                self.began_early = self.began_early or self._asking
                self._played_at = max(self._played_at, now) + len(event.pcm) / BYTES_PER_SECOND
            self._recorder.received(event, now)
            self._tell()
        raise ConnectionLostError(f"the server closed the connection ({self._client.close_reason})")

    def _tell(self) -> None:
        self._last_news = self._clock()
        self._news.set()
