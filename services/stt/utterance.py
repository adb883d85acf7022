"""One stream's conversation with its session: audio in, partials at their pace, an answer to every question."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from services.stt.engines.base import Partial, Session, Transcript


@dataclass(frozen=True, slots=True)
class Audio:
    """PCM s16le, whole samples."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A flush: the text of all audio before it is wanted."""

    flush_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The transcript that a flush, or for None the end of the utterance, asked for."""

    transcript: Transcript
    flush_id: int | None


@dataclass(frozen=True, slots=True)
class _Question:
    end: int
    flush_id: int | None
    last: bool = False


MAX_QUESTIONS = 16
"""Flushes that wait for their answer; then the stream is not read on until one is answered."""
HOLD_S = 0.3
"""How long a partial waits where the speaker has just fallen silent."""


class Utterance:
    """Feeds `session` and decides what to transcribe next: questions in their order, else a partial if one is due.

    A question does not wait for a partial: that is dropped, whatever it has come to. Partials follow each other with
    at least `partial_interval` samples between the audio they cover (0: none is sent). Where the speaker has just
    fallen silent a partial waits for `HOLD_S`: a question is likely to follow, and a step of the model cannot be
    interrupted.
    """

    def __init__(self, session: Session, partial_interval: int) -> None:
        self._session = session
        self._interval = partial_interval
        self._covered = 0
        self._questions: deque[_Question] = deque()
        self._room = asyncio.Semaphore(MAX_QUESTIONS)
        self._news = asyncio.Event()
        self._partial: asyncio.Task[None] | None = None
        self._held = False

    async def run(
        self, inputs: AsyncIterator[Audio | Asked], emit: Callable[[Partial | Answer], Awaitable[None]]
    ) -> None:
        """Runs until the inputs have ended and the last answer is emitted. An error of either ends both."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(inputs))
            while True:
                held_long_enough = not await self._wait_for_news()
                while self._questions:
                    question = self._questions.popleft()
                    await emit(Answer(await self._session.final(question.end), question.flush_id))
                    self._covered = max(self._covered, question.end)
                    self._room.release()
                    if question.last:
                        return
                self._held = self._due() and self._session.fades and not held_long_enough
                if self._session.overdue or (self._due() and not self._held):
                    self._partial = group.create_task(self._hypothesise(emit))
                    await asyncio.wait((self._partial,))
                    self._partial = None

    async def _wait_for_news(self) -> bool:
        """Waits for an input; False where a partial was held back and none came in time."""
        try:
            async with asyncio.timeout(HOLD_S if self._held else None):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    async def _listen(self, inputs: AsyncIterator[Audio | Asked]) -> None:
        async for item in inputs:
            match item:
                case Audio():
                    self._session.accept_audio(item.pcm)
                    self._news.set()
                case Asked():
                    await self._ask(item.flush_id, last=False)
        await self._ask(None, last=True)

    async def _ask(self, flush_id: int | None, *, last: bool) -> None:
        await self._room.acquire()
        self._questions.append(_Question(self._session.samples, flush_id, last))
        if self._partial is not None:
            self._partial.cancel()
        self._news.set()

    def _due(self) -> bool:
        return 0 < self._interval <= self._session.samples - self._covered

    async def _hypothesise(self, emit: Callable[[Partial | Answer], Awaitable[None]]) -> None:
        await self._session.settle()
        if not self._due():
            return
        self._covered = self._session.samples
        partial = await self._session.partial()
        if partial is not None:
            self._covered = max(self._covered, partial.end)
            await emit(partial)
