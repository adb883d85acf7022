"""One connection's speech, cut into utterances by the VAD stage and transcribed one after the other by the STT stage.

        ┌─► vad ──started, stopped──► spans ──┐ one at a time
tape ───┤                                     ▼
        └───────────────────────────► utterance ──► stt ──► partials and finals
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from voxfleet.stt.v1 import stt_pb2
from voxfleet.vad.v1 import vad_pb2

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from chassis.context import CallContext
from chassis.errors import Code, StageError
from chassis.formats import fleet_format
from services.orchestrator.clients import Stages, VadCall
from services.orchestrator.detection import VAD_FRAME
from services.orchestrator.settings import Settings
from services.orchestrator.tape import Tape
from services.orchestrator.utterance import Utterance

log = logging.getLogger(__name__)

LONGEST_SPAN = 60 * SAMPLE_RATE
"""Samples after which speech without any pause is cut: an utterance has an end in the STT stage, too."""
_ROOM = 10 * SAMPLE_RATE  # of the tape's 40 s; the rest is for what the stages take their time with
_PIECE_BYTES = SAMPLE_RATE // 2 * BYTES_PER_SAMPLE
_PREFIX = 3 * SAMPLE_RATE // 10  # speech begins before the VAD is sure of it
_MIN_STOP_SILENCE_MS = 32


@dataclass(frozen=True, slots=True)
class Options:
    """How to transcribe: `language` ISO 639-1 or empty (detected), `prompt` words that are likely, whether to tell
    partials."""

    language: str = ""
    prompt: str = ""
    partials: bool = True


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was understood. A partial replaces the one before, a final the last partial. Times are in milliseconds of
    the audio received; those of a partial's end are not known."""

    text: str
    is_final: bool
    language: str = ""
    start_ms: int = 0
    end_ms: int = 0


@dataclass(slots=True, eq=False)
class _Span:
    """A stretch of speech, in samples of the tape; `end` is set together with `ended`."""

    start: int
    end: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self, end: int) -> None:
        self.end = end
        self.ended.set()


class _Heard:
    """What the STT stage has said of one span; only the newest partial is kept."""

    def __init__(self) -> None:
        self.partial = ""
        self.final: tuple[str, str] | None = None
        self.failure: StageError | None = None
        self.changed = asyncio.Event()

    def on_partial(self, utterance: int, stable: str, unstable: str) -> None:
        self.partial = stable + unstable
        self.changed.set()

    def on_text(self, utterance: int, flush: int, text: str, language: str) -> None:
        self.final = (text, language)
        self.changed.set()

    def on_transcription_failed(self, utterance: int, error: StageError) -> None:
        self.failure = error
        self.changed.set()


class Recognition:
    """Audio in by `write`, transcriptions out by `tell`, failures of an utterance by `tell_failure`.

    `run` it as a task; it ends after `end`, once everything is told. Raises StageError where the VAD stage is lost.
    """

    def __init__(
        self,
        stages: Stages,
        settings: Settings,
        context: CallContext,
        options: Options,
        tell: Callable[[Transcription], Awaitable[None]],
        tell_failure: Callable[[StageError], Awaitable[None]],
    ) -> None:
        self._stages = stages
        self._settings = settings
        self._context = context
        self._options = options
        self._tell = tell
        self._tell_failure = tell_failure
        self._tape = Tape()
        self._reader = self._tape.follow(0, VAD_FRAME)
        self._spans: deque[_Span] = deque()  # not begun; the room on the tape bounds them
        self._open: _Span | None = None
        self._last_end = 0
        self._ended = False
        self._heard_all = False
        self._moved = asyncio.Event()
        self._news = asyncio.Event()

    async def write(self, pcm: bytes) -> None:
        """Takes PCM s16le mono at 16 kHz, whole samples, any size. Waits while the stages are behind."""
        for start in range(0, len(pcm), _PIECE_BYTES):
            while self._tape.end - self._needed > _ROOM:
                self._moved.clear()
                await self._moved.wait()
            self._tape.write(pcm[start : start + _PIECE_BYTES], time.monotonic())
            if self._open is not None and self._tape.end - self._open.start >= LONGEST_SPAN:
                self.flush()

    def flush(self) -> None:
        """Ends the utterance that is spoken now; what follows is another one. Nothing where nobody speaks."""
        if self._open is not None and self._tape.end > self._open.start:
            self._close_span(self._tape.end)
            self._begin_span(self._tape.end)

    def end(self) -> None:
        """There is no more audio."""
        self._ended = True
        self._reader.stop_at(self._tape.end)

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended

    async def run(self) -> None:
        """Listens until the end of the audio, or until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._transcribe_all())
            await self._detect_all()
            self._heard_all = True
            self._news.set()

    @property
    def _needed(self) -> int:
        """The oldest sample that a stage has yet to see. The utterance that is transcribed reads ahead by itself."""
        return min(self._reader.position, self._spans[0].start) if self._spans else self._reader.position

    # -- voice activity ------------------------------------------------------------------------------------------------

    async def _detect_all(self) -> None:
        while not (self._ended and self._reader.position >= self._tape.end):
            try:
                await self._detect()
            except* StageError as group:
                # A client may be silent for longer than the stage waits.
                if StageError.first_of(group).reason != "IDLE_TIMEOUT":
                    raise
            # Nobody will say any more when this speech ended.
            self._close_span(self._tape.end)
            self._reader.seek(max(self._reader.position, self._tape.start))

    async def _detect(self) -> None:
        config = vad_pb2.DetectConfig(
            format=fleet_format(),
            start_offset=self._reader.position,
            stop_silence_ms=max(self._settings.silence_ms, _MIN_STOP_SILENCE_MS),
        )
        async with self._stages.detect(self._context) as call, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed(call, config))
            async for response in call:
                match response.WhichOneof("event"):
                    case "speech_started":
                        self._begin_span(max(response.speech_started.offset - _PREFIX, self._last_end))
                    case "speech_stopped":
                        self._close_span(response.speech_stopped.decided_offset)
            if not self._ended:
                raise StageError(Code.UNAVAILABLE, "STREAM_BROKEN", "vad ended the stream", stage="vad")

    async def _feed(self, call: VadCall, config: vad_pb2.DetectConfig) -> None:
        await call.send(vad_pb2.DetectRequest(config=config))
        async for pcm in self._reader:
            await call.send(vad_pb2.DetectRequest(audio=pcm))
            self._moved.set()
        await call.finish()

    def _begin_span(self, start: int) -> None:
        self._open = _Span(start)
        self._spans.append(self._open)
        self._news.set()

    def _close_span(self, end: int) -> None:
        if self._open is not None:
            self._last_end = max(end, self._open.start)
            self._open.close(self._last_end)
            self._open = None

    # -- transcription -------------------------------------------------------------------------------------------------

    async def _transcribe_all(self) -> None:
        number = 0
        while True:
            while not self._spans:
                if self._heard_all:
                    return
                self._news.clear()
                await self._news.wait()
            span = self._spans.popleft()
            self._moved.set()
            number += 1
            try:
                await self._transcribe(number, span)
            except* StageError as group:
                await self._tell_failure(StageError.first_of(group))

    async def _transcribe(self, number: int, span: _Span) -> None:
        heard = _Heard()
        utterance = Utterance(number, span.start, self._tape, heard)
        told = ""
        limit_s = self._settings.transcript_timeout_s
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
                running = tasks.create_task(self._run(utterance, heard))
                ending = tasks.create_task(_flush_at_end(utterance, span, limit, limit_s))
                while heard.final is None and heard.failure is None:
                    await heard.changed.wait()
                    heard.changed.clear()
                    if heard.final is None and heard.partial != told:
                        told = heard.partial
                        await self._tell(Transcription(told, is_final=False, start_ms=_ms(span.start)))
                running.cancel()
                ending.cancel()
        except TimeoutError as late:
            message = f"stt: no text within {limit_s:g} s"
            raise StageError(Code.DEADLINE_EXCEEDED, "TOO_LATE", message, stage="stt") from late
        if heard.failure is not None:
            raise heard.failure
        assert heard.final is not None
        text, language = heard.final
        if text or told:
            await self._tell(Transcription(text, True, language, _ms(span.start), _ms(span.end)))

    async def _run(self, utterance: Utterance, heard: _Heard) -> None:
        await utterance.run(self._stages, self._context, self._config)
        if heard.final is None and heard.failure is None:
            broken = StageError(Code.UNAVAILABLE, "STREAM_BROKEN", "stt ended the stream", stage="stt")
            heard.on_transcription_failed(utterance.number, broken)

    def _config(self) -> stt_pb2.TranscribeConfig:
        interval = self._settings.partial_interval_ms if self._options.partials else 0
        return stt_pb2.TranscribeConfig(
            language=self._options.language, hint=self._options.prompt, partial_interval_ms=interval
        )


async def _flush_at_end(utterance: Utterance, span: _Span, limit: asyncio.Timeout, limit_s: float) -> None:
    await span.ended.wait()
    utterance.flush(1, span.end)
    limit.reschedule(asyncio.get_running_loop().time() + limit_s)


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE
