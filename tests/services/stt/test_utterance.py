"""What is transcribed when, with a session whose every step waits for the test's word."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from chassis.audio import SAMPLE_RATE
from chassis.errors import StageError
from services.stt.agreement import Hypothesis
from services.stt.engines.base import Partial, Transcript
from services.stt.pace import PartialPace
from services.stt.utterance import Answer, Asked, Audio, Utterance
from tests.support.audio import silence, tone

QUIET = Audio(silence(0.02, rate=SAMPLE_RATE))
PIECE = Audio(QUIET.pcm + tone(0.08, rate=SAMPLE_RATE))
"""100 ms that end with sound."""
INTERVAL = 3200


class ScriptedSession:
    """Notes every call; partials wait for `go`."""

    def __init__(self, *, overdue_at: int = 1 << 30) -> None:
        self.samples = 0
        self.calls: list[tuple[str, int]] = []
        self.cancelled = 0
        self.transcribed = 0
        self.go = asyncio.Event()
        self._overdue_at = overdue_at

    @property
    def overdue(self) -> bool:
        return self.samples > self._overdue_at

    def accept_audio(self, pcm: bytes) -> None:
        if len(pcm) > 100_000:
            raise StageError.invalid("audio", "less")
        self.samples += len(pcm) // 2

    async def settle(self) -> None:
        if self.overdue:
            self.calls.append(("settle", self.samples))
            self._overdue_at = 1 << 30

    async def partial(self) -> Partial | None:
        self.calls.append(("partial", self.samples))
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.transcribed = self.samples
        return Partial(Hypothesis("", "text"), self.samples)

    async def final(self, end: int) -> Transcript:
        self.calls.append(("final", end))
        self.transcribed = end
        return Transcript("text", None, (), end)


class Conversation:
    """Drives an utterance: `say` hands it an input and lets it do what it can without waiting."""

    def __init__(
        self, session: ScriptedSession, partial_interval: int = INTERVAL, pace: PartialPace | None = None
    ) -> None:
        self.events: list[Partial | Answer] = []
        self._inputs: asyncio.Queue[Audio | Asked | None] = asyncio.Queue()
        utterance = Utterance(session, partial_interval, pace or PartialPace())
        self.task = asyncio.create_task(utterance.run(self._read(), self._emit))

    async def say(self, *items: Audio | Asked | None) -> None:
        for item in items:
            self._inputs.put_nowait(item)
        await settled()

    async def _read(self) -> AsyncIterator[Audio | Asked]:
        while (item := await self._inputs.get()) is not None:
            yield item

    async def _emit(self, event: Partial | Answer) -> None:
        self.events.append(event)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def ends(events: Sequence[Partial | Answer]) -> list[int]:
    return [event.end if isinstance(event, Partial) else event.transcript.end for event in events]


async def test_partials_follow_each_other_at_the_interval() -> None:
    session = ScriptedSession()
    session.go.set()
    conversation = Conversation(session)
    for _ in range(5):
        await conversation.say(PIECE)
    assert ends(conversation.events) == [3200, 6400]
    await conversation.say(None)
    await conversation.task


async def test_a_speaker_who_falls_silent_is_looked_at_at_once_and_not_again_while_silent() -> None:
    session = ScriptedSession()
    session.go.set()
    conversation = Conversation(session)
    await conversation.say(PIECE)
    await conversation.say(QUIET)
    assert session.calls == []
    await conversation.say(QUIET)
    assert session.calls == [("partial", 2240)]
    await conversation.say(*[QUIET] * 50)
    assert session.calls == [("partial", 2240)]
    await conversation.say(None)
    await conversation.task


async def test_a_look_answers_the_question_that_comes_after_mere_silence() -> None:
    session = ScriptedSession()
    session.go.set()
    conversation = Conversation(session)
    await conversation.say(PIECE, QUIET, QUIET)
    await conversation.say(QUIET, QUIET, Asked(1))
    assert session.calls == [("partial", 2240), ("final", 2240)]  # the second costs nothing
    assert ends(conversation.events) == [2240, 2880]
    await conversation.say(None)
    await conversation.task


async def test_a_question_waits_for_the_look_that_will_answer_it() -> None:
    session = ScriptedSession()
    conversation = Conversation(session)
    await conversation.say(PIECE, QUIET, QUIET)
    await conversation.say(QUIET, Asked(1))
    assert session.calls == [("partial", 2240)]
    session.go.set()
    await settled()
    assert session.cancelled == 0
    (answer,) = conversation.events  # which says all that a partial would
    assert isinstance(answer, Answer)
    await conversation.say(None)
    await conversation.task


async def test_what_was_said_after_a_look_is_not_left_out_of_the_answer() -> None:
    session = ScriptedSession()
    session.go.set()
    conversation = Conversation(session)
    await conversation.say(PIECE, QUIET, QUIET)
    await conversation.say(Audio(PIECE.pcm[:1600]), QUIET, Asked(1))
    assert session.calls == [("partial", 2240), ("final", 3360)]
    await conversation.say(None)
    await conversation.task


async def test_silence_is_not_taken_on_trust_for_long() -> None:
    session = ScriptedSession()
    session.go.set()
    conversation = Conversation(session)
    await conversation.say(PIECE, QUIET, QUIET)
    await conversation.say(*[QUIET] * 20, Asked(1))
    assert session.calls == [("partial", 2240), ("final", 8640)]
    await conversation.say(None)
    await conversation.task


async def test_partials_become_rarer_the_more_people_speak() -> None:
    session, pace = ScriptedSession(), PartialPace()
    session.go.set()
    conversation = Conversation(session, pace=pace)
    pace.took(0.1)
    pace.speakers += 1  # somebody else: two looks of 100 ms may take half of a second's time, one each 400 ms
    for _ in range(8):
        await conversation.say(PIECE)
    assert len(conversation.events) == 2
    await conversation.say(None)
    await conversation.task
    assert pace.speakers == 1


async def test_without_an_interval_there_are_no_partials() -> None:
    session = ScriptedSession()
    conversation = Conversation(session, partial_interval=0)
    await conversation.say(*[PIECE] * 5, None)
    await conversation.task
    assert session.calls == [("final", 8000)]


async def test_one_partial_is_under_way_at_a_time_and_the_next_takes_all_audio_since() -> None:
    session = ScriptedSession()
    conversation = Conversation(session)
    await conversation.say(*[PIECE] * 2)
    await conversation.say(*[PIECE] * 6)
    assert session.calls == [("partial", 3200)]
    session.go.set()
    await settled()
    # The first one saw everything there was when it went on; nothing is left for another.
    assert ends(conversation.events) == [12_800]
    await conversation.say(None)
    await conversation.task


async def test_a_flush_drops_the_partial_under_way_and_is_answered_with_its_id() -> None:
    session = ScriptedSession()
    conversation = Conversation(session)
    await conversation.say(PIECE, PIECE)
    await conversation.say(PIECE, Asked(7))
    assert session.cancelled == 1
    (answer,) = conversation.events
    assert isinstance(answer, Answer)
    assert (answer.flush_id, answer.transcript.end) == (7, 4800)
    await conversation.say(None)
    await conversation.task


async def test_the_stream_listens_on_after_a_flush() -> None:
    session = ScriptedSession()
    session.go.set()
    conversation = Conversation(session)
    await conversation.say(PIECE, Asked(1))
    await conversation.say(PIECE, PIECE)
    await conversation.say(None)
    await conversation.task
    assert session.calls == [("final", 1600), ("partial", 4800), ("final", 4800)]


async def test_a_flush_covers_the_audio_before_it_and_no_more() -> None:
    session = ScriptedSession()
    conversation = Conversation(session, partial_interval=0)
    await conversation.say(PIECE, Asked(1), PIECE, Asked(2), PIECE, None)
    await conversation.task
    assert session.calls == [("final", 1600), ("final", 3200), ("final", 4800)]


async def test_what_is_overdue_is_settled_without_partials() -> None:
    session = ScriptedSession(overdue_at=3000)
    conversation = Conversation(session, partial_interval=0)
    await conversation.say(PIECE, PIECE)
    assert session.calls == [("settle", 3200)]
    await conversation.say(None)
    await conversation.task


async def test_the_end_of_an_empty_utterance_is_answered() -> None:
    conversation = Conversation(ScriptedSession())
    await conversation.say(None)
    await conversation.task
    (answer,) = conversation.events
    assert isinstance(answer, Answer)
    assert answer.flush_id is None


async def test_an_error_of_the_session_ends_the_utterance() -> None:
    conversation = Conversation(ScriptedSession())
    await conversation.say(Audio(bytes(200_000)))
    with pytest.raises(ExceptionGroup) as caught:
        await conversation.task
    assert caught.group_contains(StageError)


async def test_cancelling_the_utterance_drops_the_partial_under_way() -> None:
    session = ScriptedSession()
    conversation = Conversation(session)
    await conversation.say(PIECE, PIECE)
    conversation.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await conversation.task
    assert session.cancelled == 1


async def test_many_flushes_hold_the_stream_back_instead_of_piling_up() -> None:
    session = ScriptedSession()
    conversation = Conversation(session, partial_interval=0)
    await conversation.say(*[Asked(n) for n in range(100)], None)
    async with asyncio.timeout(5):
        await conversation.task
    assert [event.flush_id for event in conversation.events if isinstance(event, Answer)] == [*range(100), None]
