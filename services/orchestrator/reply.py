"""One reply on its way: language model, clauses, voice, playout. Nothing of it leaves before `release`.

It is made while the person still speaks: `prefill` warms the language model with what was said so far, `ask` starts it.

conversation ──► llm ──text──► speakable ──► clauses ──► tts ──audio──► playout ──at playback pace──► client
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from voxfleet.llm.v1 import llm_pb2
from voxfleet.tts.v1 import tts_pb2

from chassis.context import CallContext
from chassis.errors import Code, StageError
from services.orchestrator.clients import LlmCall, Stages, TtsCall
from services.orchestrator.languages import reply_language
from services.orchestrator.marks import Mark, TurnMarks
from services.orchestrator.outcome import Outcome
from services.orchestrator.playout import Playout
from services.orchestrator.sentences import ClauseSplitter
from services.orchestrator.settings import Settings
from services.orchestrator.speakable import SpeakableText

log = logging.getLogger(__name__)

# Clauses that wait for the voice; when full, the language model waits.
_MAX_CLAUSES = 16
# Audio that waits to be played; when there is more, the voice waits.
_MAX_WAITING_S = 20.0

Modality = Literal["audio", "text"]


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What to reply to and how. `text` is what the person said, empty where the history says it all."""

    turn: int
    text: str
    language: str
    modality: Modality = "audio"
    voice: str = ""
    speed: float = 1.0
    metadata: Mapping[str, str] | None = None
    audio_format: str | None = None
    """The last two are the client's own, told back."""


class ReplyListener(Protocol):
    """Who carries the reply to the client. Called in order: ready, text and audio, then one of ended and failed."""

    def on_reply_ready(self) -> None: ...

    def on_reply_outcome(self) -> None:
        """The language model began to say something, or said more of a function call; the outcome has it."""
        ...

    def on_reply_text(self, text: str) -> None: ...

    def on_reply_audio(self, pcm: bytes, rate: int) -> None: ...

    def on_reply_ended(self) -> None: ...

    def on_reply_failed(self, error: StageError) -> None: ...


class Reply:
    """Prepares and plays one reply. `run` it as a task; cancelling the task frees both streams.

    `config` is all that the language model is told before the turn itself.
    """

    def __init__(self, config: llm_pb2.ChatConfig, settings: Settings, listener: ReplyListener) -> None:
        self.config = config
        self.request = ReplyRequest(0, "", "")
        self.outcome = Outcome()
        self.marks = TurnMarks()
        self._heard_so_far = ""
        self._asked = asyncio.Event()
        self._settings = settings
        self._listener = listener
        self._playout = Playout(settings.playout_lead_ms / 1000)
        self._clauses: asyncio.Queue[str | None] = asyncio.Queue(_MAX_CLAUSES)
        self._changed = asyncio.Event()
        self._released = asyncio.Event()
        self._playing = asyncio.Event()
        self._playing.set()
        self._voice_done = False
        self._ready = False

    def prefill(self, text: str) -> None:
        """The person has said `text` so far."""
        self._heard_so_far = text
        self._changed.set()

    def ask(self, request: ReplyRequest, marks: TurnMarks) -> None:
        """Starts the reply."""
        self.request, self.marks = request, marks
        self._asked.set()
        self._changed.set()

    def release(self) -> None:
        """Lets the reply be heard."""
        self._released.set()

    def pause(self) -> None:
        """Sends nothing until `resume`."""
        self._playing.clear()

    def resume(self, now: float) -> None:
        """Goes on where `pause` stopped."""
        self._playout.resume(now)
        self._playing.set()

    def report_playout(self, audio_ms: float, now: float, *, playing: bool) -> None:
        """The client's loudspeaker has played `audio_ms` milliseconds, and goes on or stands still."""
        self._playout.report(audio_ms / 1000 * self._playout.rate, now, playing=playing)
        self._changed.set()

    def heard_text(self, now: float) -> str:
        """What the listener has heard or read of the reply."""
        return self._playout.heard_text(now) if self.request.modality == "audio" else self.outcome.written

    @property
    def sent_text(self) -> str:
        """The text that has been sent, or whose audio has begun to be."""
        return self._playout.sent_text if self.request.modality == "audio" else self.outcome.written

    def heard_until(self, audio_ms: int) -> str:
        """What the first `audio_ms` milliseconds of the reply's audio say."""
        return self._playout.text_until(audio_ms * self._playout.rate // 1000)

    @property
    def audio_ms(self) -> int:
        """Milliseconds of audio sent so far."""
        return self._playout.sent_samples * 1000 // self._playout.rate

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that have been synthesised and not sent."""
        return self._playout.waiting_s

    @property
    def tokens(self) -> int:
        """Tokens that the language model has generated; until it has finished, the text deltas received, which are a
        token each or more."""
        return self.outcome.usage.output_tokens or self.outcome.deltas

    async def run(self, stages: Stages, context: CallContext) -> None:
        """Carries the reply to its end. Errors of a stage after `ask` go to the listener."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._think(stages, context))
                await self._asked.wait()
                if self.request.modality == "audio":
                    tasks.create_task(self._speak(stages, context))
                    tasks.create_task(self._play())
        except* StageError as group:
            self._listener.on_reply_failed(StageError.first_of(group))
        else:
            # The end of a paused reply would be missed: nobody expects it.
            await self._playing.wait()
            self._listener.on_reply_ended()

    # -- language model ------------------------------------------------------------------------------------------------

    async def _think(self, stages: Stages, context: CallContext) -> None:
        try:
            await self._answer(stages, context)
        except StageError as error:
            if self._asked.is_set():
                raise
            # Nobody waits for this stream yet. The one that is opened for the answer itself may do better.
            log.warning("llm lost before the answer", extra={"reason": error.reason})
            await self._asked.wait()
            await self._answer(stages, context)

    async def _answer(self, stages: Stages, context: CallContext) -> None:
        async with stages.chat(context) as call:
            await call.send(llm_pb2.ChatRequest(config=self.config))
            await self._warm(call)
            await call.send(llm_pb2.ChatRequest(generate=llm_pb2.Generate(text=self.request.text)))
            self.marks.set(Mark.GENERATE, time.monotonic())
            await call.finish()
            if self.request.modality == "audio":
                await self._cut_into_clauses(self._deltas(call))
            else:
                await self._write(self._deltas(call))

    async def _warm(self, call: LlmCall) -> None:
        sent: str | None = None
        while not self._asked.is_set():
            self._changed.clear()
            if self._heard_so_far != sent:
                sent = self._heard_so_far
                await call.send(llm_pb2.ChatRequest(prefill=llm_pb2.Prefill(text=sent)))
            if not self._asked.is_set():
                await self._changed.wait()

    async def _deltas(self, call: LlmCall) -> AsyncIterator[str]:
        answers = aiter(call)
        try:
            async with asyncio.timeout(self._settings.first_token_timeout_s):
                answer = await anext(answers, None)
        except TimeoutError as error:
            raise _too_late("llm", "first token", self._settings.first_token_timeout_s) from error
        self.marks.set(Mark.FIRST_TOKEN, time.monotonic())
        while answer is not None:
            match answer.WhichOneof("event"):
                case "text_delta":
                    self.outcome.deltas += 1
                    yield answer.text_delta.text
                case "tool_call_delta":
                    self.outcome.go_on_calling(answer.tool_call_delta)
                    self._be_called()
                case "tool_call":
                    self.outcome.complete_call(answer.tool_call)
                    self._be_called()
                case "finished":
                    self.outcome.finish(answer.finished)
            answer = await anext(answers, None)

    def _be_called(self) -> None:
        self._be_ready()
        self._listener.on_reply_outcome()

    def _begin_text(self, text: str) -> None:
        if text.strip() and not self.outcome.has_text:
            self.outcome.begin_text()
            self._listener.on_reply_outcome()

    async def _cut_into_clauses(self, deltas: AsyncIterator[str]) -> None:
        speakable, splitter = SpeakableText(), ClauseSplitter()
        async for delta in deltas:
            text = speakable.push(delta)
            self._begin_text(text)
            for clause in splitter.push(text):
                await self._clauses.put(clause)
        text = speakable.flush()
        self._begin_text(text)
        for clause in (*splitter.push(text), *splitter.flush()):
            await self._clauses.put(clause)
        await self._clauses.put(None)

    async def _write(self, deltas: AsyncIterator[str]) -> None:
        text = ""
        async for delta in deltas:
            # What is blank before a function call is no message.
            text += delta
            if not text.strip() and not self.outcome.has_text:
                continue
            self._begin_text(text)
            self._be_ready()
            await self._released.wait()
            self.outcome.written += text
            self._listener.on_reply_text(text)
            text = ""
        await self._released.wait()

    def _be_ready(self) -> None:
        if not self._ready:
            self._ready = True
            self._listener.on_reply_ready()

    # -- voice ---------------------------------------------------------------------------------------------------------

    async def _speak(self, stages: Stages, context: CallContext) -> None:
        first = await self._clauses.get()
        if first is not None:
            self.marks.set(Mark.FIRST_CLAUSE, time.monotonic())
            config = tts_pb2.SynthesizeConfig(
                voice=self.request.voice,
                language="" if self.request.voice else reply_language(first, self.request.language),
                speed=self.request.speed,
            )
            async with stages.synthesize(context) as call, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_clauses(call, config, first))
                await self._receive_audio(call)
        self._voice_done = True
        self._changed.set()

    async def _send_clauses(self, call: TtsCall, config: tts_pb2.SynthesizeConfig, first: str) -> None:
        await call.send(tts_pb2.SynthesizeRequest(config=config))
        clause: str | None = first
        while clause is not None:
            self._playout.text += clause
            await call.send(tts_pb2.SynthesizeRequest(text=clause))
            clause = await self._clauses.get()
        await call.finish()

    async def _receive_audio(self, call: TtsCall) -> None:
        answers = aiter(call)
        try:
            async with asyncio.timeout(self._settings.first_audio_timeout_s):
                answer = await anext(answers, None)
                while answer is not None and answer.WhichOneof("event") != "audio":
                    self._playout.rate = answer.format.sample_rate_hz
                    answer = await anext(answers, None)
        except TimeoutError as error:
            raise _too_late("tts", "first audio", self._settings.first_audio_timeout_s) from error
        self.marks.set(Mark.FIRST_AUDIO, time.monotonic())
        while answer is not None:
            self._playout.append(answer.audio.pcm, answer.audio.text_start, answer.audio.text_end)
            self._be_ready()
            self._changed.set()
            while self._playout.waiting_s > _MAX_WAITING_S:  # noqa: ASYNC110  # it drains with time, not with an event
                await asyncio.sleep(self._playout.waiting_s - _MAX_WAITING_S)
            answer = await anext(answers, None)

    # -- playout -------------------------------------------------------------------------------------------------------

    async def _play(self) -> None:
        await self._released.wait()
        while True:
            await self._playing.wait()
            self._changed.clear()
            now = time.monotonic()
            due_s = self._playout.next_due_s(now)
            if due_s is None and self._voice_done:
                # A reply can be interrupted for as long as much of it is still to be heard.
                due_s = self._playout.lag_s(now)
                if not due_s:
                    return
            if due_s is None:
                await self._changed.wait()
            elif due_s > 0:
                await self._changed_within(due_s)
            else:
                self._send_due(now)

    async def _changed_within(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            timer.cancel()

    def _send_due(self, now: float) -> None:
        outgoing = self._playout.take(now)
        if outgoing is None:
            return
        self.marks.set(Mark.AUDIO_SENT, now)
        if outgoing.text:
            self._listener.on_reply_text(outgoing.text)
        self._listener.on_reply_audio(outgoing.pcm, self._playout.rate)


def _too_late(stage: str, what: str, limit_s: float) -> StageError:
    return StageError(Code.DEADLINE_EXCEEDED, "TOO_LATE", f"{stage}: no {what} within {limit_s:g} s", stage=stage)
