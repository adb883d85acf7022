"""One stream's conversation with its session: audio in, partials at their pace, an answer to every question."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from chassis.audio import SAMPLE_RATE
from services.stt.activity import SoundTracker
from services.stt.engines.base import Partial, Session, Transcript
from services.stt.pace import PartialPace


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
    sound_end: int
    flush_id: int | None
    last: bool = False


MAX_QUESTIONS = 16
"""Flushes that wait for their answer; then the stream is not read on until one is answered."""
FADE = SAMPLE_RATE // 25
"""Samples of silence, 40 ms, after which the speaker may have come to an end. Longer than most stops inside words."""
LONG_FADE = 2 * FADE
"""Samples of silence after which that is worth a look however little was said since the last one."""
WORTH_A_LOOK = 1 / 3
"""Share of the interval between two partials that a shorter silence must have had sound before it."""
LATEST_SOUND = 3 * SAMPLE_RATE // 10
"""Samples after a look in which silence is taken for silence by its level alone."""
DYING_AWAY = SAMPLE_RATE // 25
"""Samples of sound, 40 ms, that may be missing at the end of a look: no word is told by how it dies away."""


class Utterance:
    """Feeds `session` and decides what to transcribe next: questions in their order, else a look at all audio so far.

    Looks follow each other with at least `partial_interval` samples of sound between them, more where `pace` says so;
    their text is the stream's partials (0: there are none). Besides, a speaker who falls silent is looked at at once:
    if that was the end, the text is there when the question comes, 100 ms later, and answers it, as long as there was
    only silence since. Any other look is dropped for a question, whatever it has come to.
    """

    def __init__(self, session: Session, partial_interval: int, pace: PartialPace) -> None:
        self._session = session
        self._interval = partial_interval
        self._pace = pace
        self._sound = SoundTracker()
        self._covered = 0
        self._questions: deque[_Question] = deque()
        self._room = asyncio.Semaphore(MAX_QUESTIONS)
        self._news = asyncio.Event()
        self._look: asyncio.Task[None] | None = None

    async def run(
        self, inputs: AsyncIterator[Audio | Asked], emit: Callable[[Partial | Answer], Awaitable[None]]
    ) -> None:
        """Runs until the inputs have ended and the last answer is emitted. An error of either ends both."""
        self._pace.speakers += 1
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(inputs))
                while not await self._answer(emit):
                    if self._session.overdue or self._due():
                        self._look = group.create_task(self._look_at_all(emit))
                        await asyncio.wait((self._look,))
                        self._look = None
                    else:
                        await self._news.wait()
                    self._news.clear()
        finally:
            self._pace.speakers -= 1

    async def _listen(self, inputs: AsyncIterator[Audio | Asked]) -> None:
        async for item in inputs:
            match item:
                case Audio():
                    self._session.accept_audio(item.pcm)
                    self._sound.accept(item.pcm)
                    self._news.set()
                case Asked():
                    await self._ask(item.flush_id, last=False)
        await self._ask(None, last=True)

    async def _ask(self, flush_id: int | None, *, last: bool) -> None:
        await self._room.acquire()
        self._questions.append(_Question(self._session.samples, self._sound.end, flush_id, last))
        if self._look is not None and not self._is_enough(self._covered, self._questions[0]):
            self._look.cancel()
        self._news.set()

    async def _answer(self, emit: Callable[[Partial | Answer], Awaitable[None]]) -> bool:
        """Answers the questions that wait; True where the last of the utterance was among them."""
        while self._questions:
            question = self._questions.popleft()
            seen = self._session.transcribed
            transcript = await self._session.final(seen if self._is_enough(seen, question) else question.end)
            await emit(Answer(replace(transcript, end=question.end), question.flush_id))
            self._covered = max(self._covered, question.end)
            self._room.release()
            if question.last:
                return True
        return False

    @staticmethod
    def _is_enough(seen: int, question: _Question) -> bool:
        """Whether the first `seen` samples say all that was said before the question."""
        return max(question.sound_end - DYING_AWAY, question.end - LATEST_SOUND) <= seen <= question.end

    def _due(self) -> bool:
        news = self._sound.end - self._covered
        if news <= 0 or self._interval == 0:
            return False
        silence = self._session.samples - self._sound.end
        interval = self._pace.interval_s(self._interval / SAMPLE_RATE) * SAMPLE_RATE
        return news >= interval or silence >= LONG_FADE or (silence >= FADE and news >= interval * WORTH_A_LOOK)

    async def _look_at_all(self, emit: Callable[[Partial | Answer], Awaitable[None]]) -> None:
        await self._session.settle()
        if not self._due():
            return
        self._covered = self._session.samples
        asked_at = time.monotonic()
        partial = await self._session.partial()
        self._pace.took(time.monotonic() - asked_at)
        if partial is None:
            return
        self._covered = max(self._covered, partial.end)
        if not (self._questions and self._is_enough(partial.end, self._questions[0])):
            await emit(partial)
