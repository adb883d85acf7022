"""Plays a dialogue on a fleet, in real time: a microphone that never stops and a loudspeaker. Decides nothing."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.audio import float_to_pcm
from client.errors import one_error
from client.events import ErrorEvent, SessionUpdated, describe_error
from client.realtime import RealtimeClient
from client.sound.hearing import transcribe
from client.speaking import BLOCK_BYTES, BLOCK_S, blocks
from tests.fleet.dialogue.journal import Journal, Record
from tests.fleet.dialogue.script import Backchannel, Client, Dialogue, Interrupt, Noise, Reply, Say, Silence, Step
from tests.fleet.dialogue.sounds import silence, sound
from tests.fleet.dialogue.speech import speak

LEAD_IN_S = 0.3
"""Silence before the first word: nobody speaks on the first sample, and a voice detector needs a moment."""
AFTERWARDS_S = 1.5
"""Silence after the last step, in which a reply too many would begin."""
PATIENCE_S = 90.0
"""What a busy machine may take for one step before the dialogue counts as stuck."""
_SILENCE = bytes(BLOCK_BYTES)


class StuckError(Exception):
    """A dialogue cannot go on; the text says at which step, and what has happened until then."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the fleet listens: the Realtime protocol's URL, and `host:port` of the stages that make and know speech."""

    realtime_url: str
    tts: str
    stt: str


async def play(dialogue: Dialogue, fleet: Addresses) -> Record:
    """Plays it to the end. Raises StuckError, RealtimeError and SpeechError."""
    spoken = [await _audio(step, fleet) for step in dialogue.script]
    async with RealtimeClient.connect(fleet.realtime_url, extensions=False) as client:
        await _configure(client, dialogue)
        async with _Stage.on(client) as stage:
            for number, (step, pcm) in enumerate(zip(dialogue.script, spoken, strict=True), 1):
                await stage.perform(step, pcm, f"step {number}, {step!r}")
            await stage.end()
        record = stage.journal.record
    for reply in record.replies:
        reply.aloud = await transcribe(reply.pcm, target=fleet.stt, timeout_s=PATIENCE_S)
    return record


async def _configure(client: RealtimeClient, dialogue: Dialogue) -> None:
    await client.send("session.update", session=dialogue.session.update)
    async with asyncio.timeout(PATIENCE_S):
        async for event in client:
            if isinstance(event, ErrorEvent):
                raise StuckError(f"session: {describe_error(event)}")
            if isinstance(event, SessionUpdated):
                return


async def _audio(step: Step, fleet: Addresses) -> bytes:
    """What the microphone hears in a step, PCM s16le 24 kHz mono."""
    match step:
        case Say() | Interrupt() | Backchannel():
            return await speak(step, fleet.tts)
        case Noise(noise=kind, ms=ms, level_dbfs=level_dbfs):
            return await asyncio.to_thread(lambda: float_to_pcm(sound(kind, ms, level_dbfs)))
        case Silence(silence_ms=ms):
            return _quiet(ms)
        case _:
            return b""


def _quiet(ms: int) -> bytes:
    return float_to_pcm(silence(ms))


class _Stage:
    """One open session with its microphone and its loudspeaker."""

    def __init__(self, client: RealtimeClient) -> None:
        self.journal = Journal()
        self._client = client
        self._clock = asyncio.get_running_loop().time
        self._speech: Iterator[bytes] = iter(())
        self._said = asyncio.Event()
        self._awaited = 0

    @classmethod
    @asynccontextmanager
    async def on(cls, client: RealtimeClient) -> "AsyncIterator[_Stage]":
        """Microphone and loudspeaker run inside the block."""
        stage = cls(client)
        with one_error():
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(stage._speak()), group.create_task(stage._listen())]
                await stage._say(_quiet(round(LEAD_IN_S * 1000)))
                yield stage
                for task in running:
                    task.cancel()

    async def perform(self, step: Step, pcm: bytes, where: str) -> None:
        """Does what a step says, to its end."""
        match step:
            case Client():
                await self._client.send(step.event)
            case Reply():
                self._awaited += 1
                await self._until(self._is_heard_out, where)
            case Interrupt(into_reply_ms=ms) | Backchannel(into_reply_ms=ms) | Noise(into_reply_ms=int(ms)):
                await self._until(lambda: self._has_heard(ms, where), where)
                await self._say(pcm)
            case _:
                await self._say(pcm)

    async def end(self) -> None:
        """Listens for what should not come, and asks what the conversation holds now."""
        await self._say(_quiet(round(AFTERWARDS_S * 1000)))
        await self._until(lambda: self.journal.quiet, "the end")
        errors = len(self.journal.record.errors)
        for item_id in self.journal.item_ids:
            await self._client.send("conversation.item.retrieve", item_id=item_id)
        await self._until(
            lambda: self.journal.retrieved or len(self.journal.record.errors) > errors, "what the conversation holds"
        )
        self.journal.listened(self._clock())

    async def _say(self, pcm: bytes) -> None:
        self._said.clear()
        self._speech = blocks(pcm)
        await self._said.wait()

    async def _until(self, condition: Callable[[], bool], where: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110  # time alone makes some of them true
                    await asyncio.sleep(BLOCK_S)
        except TimeoutError as error:
            raise StuckError(f"{where}: not over within {PATIENCE_S:g} s\n{self.journal.record}") from error

    def _is_heard_out(self) -> bool:
        playing = self.journal.listened(self._clock())
        replies = self.journal.record.replies
        return len(replies) >= self._awaited and replies[self._awaited - 1].ended and not playing

    def _has_heard(self, ms: int, where: str) -> bool:
        playing = self.journal.listened(self._clock())
        replies = self.journal.record.replies
        if len(replies) <= self._awaited:
            return False
        reply = replies[self._awaited]
        if reply.ended and not playing and reply.heard_ms < ms:
            raise StuckError(f"{where}: the reply ended before that\n{self.journal.record}")
        return reply.heard_ms >= ms

    async def _speak(self) -> None:
        start = self._clock()
        for number in itertools.count(1):
            await asyncio.sleep(start + number * BLOCK_S - self._clock())
            block = next(self._speech, None)
            if block is None:
                self._said.set()
            await self._client.send_audio(block or _SILENCE)

    async def _listen(self) -> None:
        async for event in self._client:
            self.journal.received(event, self._clock())
        raise StuckError(f"the server closed the connection ({self._client.close_reason})\n{self.journal.record}")
