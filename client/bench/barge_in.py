"""Interrupts long replies with real speech at random times, in real time: when is it silent, and what is remembered?"""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from client.bench.interruptions import Interruption, Listener
from client.bench.questions import Question
from client.bench.sessions import Connection
from client.errors import ConnectionLostError, RealtimeError, ReplyTimeoutError, UnreachableError, one_error
from client.events import (
    AudioDelta,
    ErrorEvent,
    ItemRetrieved,
    PlayoutPaused,
    PlayoutResumed,
    ReplyTranscriptDelta,
    ReplyTranscriptDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SpeechStarted,
    TranscriptionCompleted,
    describe_error,
)
from client.realtime import RealtimeClient
from client.sound.loudspeaker import SimulatedLoudspeaker
from client.sound.position_reports import PositionReports
from client.speaking import BLOCK_BYTES, BLOCK_S, LEAD_IN_S, blocks
from client.turns import BYTES_PER_SECOND, SAMPLE_RATE, audible_span

TOPICS: Sequence[str] = (
    *("volcanoes", "penguins", "the history of Rome", "the planet Mars", "elephants", "coffee", "the Pacific Ocean"),
    *("steam trains", "the human heart", "thunderstorms", "honey bees", "the pyramids", "chess", "dinosaurs"),
)
OPENINGS: Sequence[str] = tuple(f"Tell me everything you know about {topic}." for topic in TOPICS)
"""Questions that get long answers."""
INTERRUPTIONS: Sequence[str] = tuple(f"No, wait, stop. Tell me about {topic} instead." for topic in TOPICS)
"""What takes the floor from them, and gets the next one."""
INSTRUCTIONS = (
    "You are a voice assistant who loves to talk. Answer every question at great length, in ten long sentences at "
    "least. Use plain words, no lists and no markdown."
)
AT_S = (0.5, 6.0)
"""How much of a reply is heard before it is interrupted, in seconds."""
_IN_TIME_S = 0.2
"""A reply that is sent whole so soon after the start of the speech has nothing left that could be interrupted."""
_MAX_SHORT = 3
"""Replies in a row that may end before it comes to that."""
_SILENCE = bytes(BLOCK_BYTES)

Hear = Callable[[bytes], Awaitable[str]]
"""The words in PCM s16le 24 kHz mono."""


@dataclass(frozen=True, slots=True)
class BargeInPlan:
    """How often a listener interrupts; its loudspeaker plays `delay_s` after the audio came."""

    listener: Listener
    count: int = 20
    delay_s: float = 0.0
    seed: int = 1


async def measure_barge_in(
    connection: Connection,
    plan: BargeInPlan,
    openings: Sequence[Question],
    interruptions: Sequence[Question],
    hear: Hear,
    *,
    on_interruption: Callable[[Interruption], None] = lambda _: None,
) -> list[Interruption]:
    """Interrupts `plan.count` times in one session; after a failure, which is a result too, in a new one.

    Audio is recognised when all is over, so that it takes no processor from the server. Raises UnreachableError.
    """
    dice = random.Random(f"{plan.seed}/{plan.listener.value}")  # noqa: S311 - a plan, not a secret
    speech = zip(_shuffled(openings, dice), _shuffled(interruptions, dice), strict=False)
    found: list[tuple[Interruption, bytes]] = []
    while len(found) < plan.count:
        try:
            async with _Caller.on(connection, plan) as caller:
                while len(found) < plan.count:
                    found.append(await caller.interrupt(speech, lambda: dice.uniform(*AT_S)))
                    on_interruption(found[-1][0])
        except UnreachableError:
            raise
        except RealtimeError as error:
            found.append((Interruption(plan.listener, failure=str(error)), b""))
            on_interruption(found[-1][0])
    return [replace(each, heard=await hear(pcm)) if pcm else each for each, pcm in found]


@dataclass(slots=True)
class _Reply:
    """One response while it comes in."""

    response_id: str
    item_id: str = ""
    sent: str = ""
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # when, bytes
    told_at: float | None = None
    done: ResponseDone | None = None
    done_at: float = 0.0


class _Caller:
    """One person on one connection, with a microphone that never stops and two loudspeakers: one that does as it is
    told, and one that plays whatever it gets."""

    def __init__(self, client: RealtimeClient, plan: BargeInPlan, stall_s: float) -> None:
        self._client = client
        self._plan = plan
        self._stall_s = stall_s
        self._clock = asyncio.get_running_loop().time
        self._loudspeaker = SimulatedLoudspeaker(plan.delay_s)
        self._deaf = SimulatedLoudspeaker(plan.delay_s)
        self._reports = PositionReports(client, lambda: self._loudspeaker.position(self._clock()))
        self._speech: Iterator[bytes] | None = None
        self._first_audible = 0
        self._speech_at = 0.0
        self._replies: dict[str, _Reply] = {}
        self._understood = ""
        self._retrieved: ItemRetrieved | ErrorEvent | None = None
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def on(cls, connection: Connection, plan: BargeInPlan) -> "AsyncIterator[_Caller]":
        """Connects, and talks inside the block. Raises RealtimeError."""
        reporting = plan.listener is Listener.REPORTING
        async with RealtimeClient.connect(connection.url, api_key=connection.api_key, extensions=reporting) as client:
            await client.update(
                instructions=INSTRUCTIONS,
                language=connection.language,
                voice=connection.voice,
                turn_detection=connection.turn_detection,
            )
            caller = cls(client, plan, connection.stall_s)
            with one_error():
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(caller._speak()), group.create_task(caller._listen())]
                    if reporting:
                        running.append(group.create_task(caller._reports.run()))
                    await asyncio.sleep(LEAD_IN_S)
                    yield caller
                    for task in running:
                        task.cancel()

    async def interrupt(
        self, speech: Iterator[tuple[Question, Question]], at_s: Callable[[], float]
    ) -> tuple[Interruption, bytes]:
        """Interrupts the reply that is being spoken, or one that it asks for; and the audio that was heard of it.

        Raises ReplyTimeoutError where there is no reply in time, or only short ones.
        """
        for _ in range(_MAX_SHORT):
            opening, interruption = next(speech)
            reply = self._latest
            if reply is None or reply.done is not None:
                await self._say(opening)
                await self._until(lambda before=reply: self._is_heard_after(before), "no reply")  # type: ignore[misc]
                reply = self._latest
            assert reply is not None
            if await self._heard(reply, at_s()) and (found := await self._cut_off(reply, interruption)) is not None:
                return found
        raise ReplyTimeoutError(f"{_MAX_SHORT} replies in a row were over before they could be interrupted")

    async def _cut_off(self, reply: _Reply, speech: Question) -> tuple[Interruption, bytes] | None:
        """Says `speech` while the reply is heard; None where that was over before it could be stopped."""
        at_ms = self._heard_s(reply) * 1000
        self._understood = ""
        reply.told_at = None
        await self._say(speech)
        began = self._speech_at
        await self._until(lambda: reply.done is not None, "the reply that was interrupted did not end")
        assert reply.done is not None
        recognised = reply.done.status == "cancelled"
        late = not recognised and reply.done_at <= began + _IN_TIME_S
        if recognised or late:
            await self._until(lambda: self._is_heard_after(reply), "no reply to the interruption")
        if late:
            return None
        history = await self._retrieve(reply.item_id)
        now = self._clock()
        pcm = self._loudspeaker.heard(reply.item_id, now)
        received = [(at, size) for at, size in reply.arrivals if at > began]
        return Interruption(
            self._plan.listener,
            at_ms=at_ms,
            recognised=recognised,
            last_received_ms=_ms_after(began, received[-1][0] if received else None),
            received_ms=sum(size for _, size in received) / BYTES_PER_SECOND * 1000,
            silent_ms=_ms_after(began, self._loudspeaker.silent_since(reply.item_id, now)),
            unstopped_ms=_ms_after(began, self._deaf.silent_since(reply.item_id, now)),
            told_ms=None if reply.told_at is None else _ms_after(began, reply.told_at),
            played_ms=len(pcm) / BYTES_PER_SECOND * 1000,
            understood=self._understood,
            sent=reply.sent,
            history=history,
        ), pcm

    async def _say(self, speech: Question) -> None:
        """Says it to its end; `_speech_at` is when its first audible sample was spoken."""
        span = audible_span(speech.pcm)
        assert span is not None, "a question that can be heard"
        self._first_audible = span[0]
        self._speech = blocks(speech.pcm)
        await self._until(lambda: self._speech is None, "the microphone stopped", len(speech.pcm) / BYTES_PER_SECOND)

    async def _heard(self, reply: _Reply, seconds: float) -> bool:
        """Waits until so much of the reply was heard; False where it ended before."""
        while (left := seconds - self._heard_s(reply)) > 0:
            if reply.done is not None:
                return False
            await asyncio.sleep(max(BLOCK_S, left))
        return reply.done is None

    async def _retrieve(self, item_id: str) -> str | None:
        self._retrieved = None
        await self._client.send("conversation.item.retrieve", item_id=item_id)
        await self._until(lambda: self._retrieved is not None, "the history was not told")
        return self._retrieved.text if isinstance(self._retrieved, ItemRetrieved) else None

    async def _until(self, holds: Callable[[], bool], failure: str, more_s: float = 0.0) -> None:
        try:
            async with asyncio.timeout(self._stall_s + more_s):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise ReplyTimeoutError(f"{failure} within {self._stall_s:g} s") from error

    @property
    def _latest(self) -> _Reply | None:
        return next(reversed(self._replies.values()), None)

    def _is_heard_after(self, before: _Reply | None) -> bool:
        return (reply := self._latest) is not None and reply is not before and bool(reply.arrivals)

    def _heard_s(self, reply: _Reply) -> float:
        return len(self._loudspeaker.heard(reply.item_id, self._clock())) / BYTES_PER_SECOND

    async def _speak(self) -> None:
        start, sent = self._clock(), 0
        for number in itertools.count(1):
            await asyncio.sleep(start + number * BLOCK_S - self._clock())
            block = next(self._speech, None) if self._speech is not None else None
            sent = sent + len(block) // 2 if block is not None else 0
            if block is None and self._speech is not None:
                self._speech = None
                self._news.set()
            if block is not None and sent - len(block) // 2 <= self._first_audible < sent:
                self._speech_at = self._clock() - (sent - self._first_audible) / SAMPLE_RATE
            await self._client.send_audio(block or _SILENCE)

    async def _listen(self) -> None:
        async for event in self._client:
            await self._received(event, self._clock())
            self._news.set()
        raise ConnectionLostError(f"the server closed the connection ({self._client.close_reason})")

    async def _received(self, event: ServerEvent, now: float) -> None:
        match event:
            case ResponseCreated(response_id):
                self._reply(response_id)
            case AudioDelta(response_id, pcm, item_id):
                reply = self._reply(response_id)
                reply.item_id = item_id
                reply.arrivals.append((now, len(pcm)))
                for loudspeaker in (self._loudspeaker, self._deaf):
                    loudspeaker.push(item_id, pcm, now)
            case ReplyTranscriptDelta(response_id, delta):
                self._reply(response_id).sent += delta
            case ReplyTranscriptDone(response_id, transcript):
                self._reply(response_id).sent = transcript
            case PlayoutPaused(response_id):
                self._tell(self._reply(response_id), now)
                self._loudspeaker.hold(now)
                self._reports.now()
            case PlayoutResumed(response_id):
                self._reply(response_id).told_at = None
                self._loudspeaker.resume(now)
                self._reports.now()
            case SpeechStarted():
                self._tell(self._latest, now)
                await self._stop(now)
            case ResponseDone(response_id, status):
                reply = self._reply(response_id)
                reply.done, reply.done_at = event, now
                if status == "cancelled":
                    self._tell(reply, now)
                    await self._stop(now)
            case TranscriptionCompleted(_, transcript):
                self._understood = f"{self._understood} {transcript}".strip()
            case ItemRetrieved():
                self._retrieved = event
            case ErrorEvent(code="item_not_found"):
                self._retrieved = event
            case ErrorEvent():
                raise ReplyTimeoutError(describe_error(event))
            case _:
                pass

    async def _stop(self, now: float) -> None:
        position = self._loudspeaker.position(now)
        self._loudspeaker.flush(now)
        if position is not None and self._plan.listener is Listener.TRUNCATING:
            where = {"item_id": position.item_id, "content_index": 0, "audio_end_ms": int(position.audio_ms)}
            await self._client.send("conversation.item.truncate", **where)

    def _tell(self, reply: _Reply | None, now: float) -> None:
        if reply is not None and reply.told_at is None:
            reply.told_at = now

    def _reply(self, response_id: str) -> _Reply:
        return self._replies.setdefault(response_id, _Reply(response_id))


def _shuffled(speech: Sequence[Question], dice: random.Random) -> Iterator[Question]:
    while True:
        yield from dice.sample(speech, len(speech))


def _ms_after(began: float, at: float | None) -> float:
    return 0.0 if at is None else max(0.0, at - began) * 1000
