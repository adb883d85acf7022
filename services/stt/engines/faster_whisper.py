"""Whisper through CTranslate2, with faster-whisper's features and tokenizer, tuned for short utterances."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

import numpy as np

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, Float32, pcm_to_float
from chassis.errors import StageError
from chassis.weights import open_store
from chassis.workers import Workers
from services.stt.agreement import Agreement
from services.stt.alignment import TimedWord
from services.stt.engines.base import Partial, SessionConfig, Transcript
from services.stt.language import Belief, Language, is_settled
from services.stt.recognizer import Heard, Recognizer, Request
from services.stt.settings import Settings
from services.stt.whisper_model import Encoded, WhisperModel
from services.stt.windows import EARLIEST_CUT, LATEST_CUT, RETRY_CONTEXT_S, WINDOW_SAMPLES, quietest_cut, short_context

T = TypeVar("T")

MAX_CLIP_SAMPLES = 28 * SAMPLE_RATE
WARM_UP_TOKENS = 4
JOBS_A_STREAM = 4


class Priority(IntEnum):
    """Which job a free thread takes first."""

    FINAL = 0
    PARTIAL = 1


class AbandonedError(Exception):
    """Nobody waits for the job any more."""


@dataclass(slots=True)
class _Interest:
    """Whether somebody still waits for a job. Written by the event loop, read by the job's thread."""

    lost: bool = False

    def proceed(self) -> None:
        """Raises AbandonedError where nobody does."""
        if self.lost:
            raise AbandonedError


@dataclass(frozen=True, slots=True)
class _Clip:
    """What was heard up to sample `end` of the utterance, from where its settled part ends."""

    end: int
    heard: Heard


class FasterWhisperEngine:
    """One model and the threads that run it; see `services.stt.engines.base.Engine`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers: Workers | None = None
        self._model: WhisperModel | None = None

    @property
    def languages(self) -> frozenset[str]:
        return self._loaded().languages

    async def start(self) -> None:
        # A stream waits for one job at a time; jobs it gave up may still stand in the queue.
        self._workers = Workers("stt", self._settings.workers, max_pending=JOBS_A_STREAM * self._settings.max_streams)
        self._model = await self._workers.run("load", self._load)

    async def close(self) -> None:
        if self._workers is not None:
            await self._workers.close()
        if self._model is not None:
            self._model.close()

    def open(self, config: SessionConfig) -> "WhisperSession":
        model = self._loaded()
        told = config.language if model.multilingual else next(iter(model.languages))
        language = Language(told, 1.0) if told is not None else None
        max_samples = int(self._settings.max_utterance_s * SAMPLE_RATE)
        return WhisperSession(
            self,
            Recognizer(model),
            Request(language, Belief.expecting(config.expected_language), config.hint, config.words),
            max_samples=max_samples,
        )

    async def run(self, operation: str, job: Callable[[Callable[[], None]], T], priority: Priority) -> T:
        """Runs `job` in a thread, with a function to call between its steps: it raises once the caller is cancelled."""
        assert self._workers is not None, "the engine was not started"
        interest = _Interest()
        try:
            return await self._workers.run(operation, lambda: job(interest.proceed), priority=priority)
        finally:
            interest.lost = True

    def _loaded(self) -> WhisperModel:
        assert self._model is not None, "the engine was not started"
        return self._model

    def _load(self) -> WhisperModel:
        settings = self._settings
        model = WhisperModel(
            open_store().ensure(settings.model),
            device=settings.device,
            device_index=settings.device_index,
            compute_type=settings.compute_type,
            cpu_threads=settings.cpu_threads,
            workers=settings.workers,
        )
        for context_s in (short_context(1), RETRY_CONTEXT_S):
            encoded: Encoded = model.encode(np.zeros(SAMPLE_RATE, np.float32), context_s)
            model.decode(encoded, "en", "", WARM_UP_TOKENS)
        return model


class WhisperSession:
    """One utterance; see `services.stt.engines.base.Session`.

    Its audio is transcribed anew each time, from where the settled part ends. Where that becomes long, it is cut at a
    pause and what comes before is settled.
    """

    def __init__(
        self, engine: FasterWhisperEngine, recognizer: Recognizer[Encoded], request: Request, *, max_samples: int
    ) -> None:
        self._engine = engine
        self._recognizer = recognizer
        self._request = request
        self._max_samples = max_samples
        self._agreement = Agreement()
        self._language = request.language
        self._belief = request.belief
        self._text = ""
        self._words: list[TimedWord] = []
        self._settled = 0
        self._pending = bytearray()  # only ever read whole from the threads, which is atomic
        self._latest: _Clip | None = None

    @property
    def samples(self) -> int:
        return self._settled + len(self._pending) // BYTES_PER_SAMPLE

    @property
    def overdue(self) -> bool:
        return self.samples - self._settled > WINDOW_SAMPLES

    @property
    def transcribed(self) -> int:
        return 0 if self._latest is None else self._latest.end

    def accept_audio(self, pcm: bytes) -> None:
        if self.samples + len(pcm) // BYTES_PER_SAMPLE > self._max_samples:
            limit = f"at most {self._max_samples / SAMPLE_RATE:g} s in one utterance, got more"
            raise StageError.invalid("audio", limit, reason="AUDIO_TOO_LONG")
        self._pending += pcm

    async def settle(self) -> None:
        while self.overdue:
            await self._settle_window(Priority.PARTIAL)

    async def partial(self) -> Partial | None:
        await self.settle()
        clip = await self._hear(None, Priority.PARTIAL, words=False)
        if clip.heard.fault is not None or not (self._text or clip.heard.text):
            return None
        return Partial(self._agreement.update(clip.heard.text), clip.end)

    async def final(self, end: int) -> Transcript:
        while end - self._settled > WINDOW_SAMPLES:
            await self._settle_window(Priority.FINAL)
        clip = self._latest
        if clip is None or clip.end != end or (self._request.words and clip.heard.text and not clip.heard.words):
            clip = await self._hear(end, Priority.FINAL, words=self._request.words)
        words = (*self._words, *self._placed(clip.heard))
        return Transcript((self._text + clip.heard.text).strip(), self._language or clip.heard.language, words, end)

    async def _hear(self, end: int | None, priority: Priority, *, words: bool) -> _Clip:
        """Transcribes the pending audio up to `end`, or all of it."""
        request = replace(self._request, language=self._language, belief=self._belief, words=words)
        settled = self._settled

        def job(proceed: Callable[[], None]) -> _Clip:
            proceed()
            samples = self._samples_from(settled)[: None if end is None else end - settled][:MAX_CLIP_SAMPLES]
            return _Clip(settled + len(samples), self._recognizer.transcribe(samples, request, proceed))

        clip = await self._engine.run(priority.name.lower(), job, priority)
        self._latest, self._belief = clip, clip.heard.belief
        if clip.heard.language is not None and is_settled(clip.heard.language, clip.heard.speech_s):
            self._language = clip.heard.language
        return clip

    async def _settle_window(self, priority: Priority) -> None:
        """Transcribes the pending audio up to a pause, for good, and leaves it behind."""
        request = replace(self._request, language=self._language, belief=self._belief)
        settled = self._settled

        def job(proceed: Callable[[], None]) -> _Clip:
            proceed()
            samples = self._samples_from(settled)
            cut = quietest_cut(samples, EARLIEST_CUT, LATEST_CUT)
            return _Clip(settled + cut, self._recognizer.transcribe(samples[:cut], request, proceed))

        clip = await self._engine.run("window", job, priority)
        self._words += self._placed(clip.heard)
        self._text += clip.heard.text
        self._agreement.settle(clip.heard.text)
        self._language = self._language or clip.heard.language
        del self._pending[: (clip.end - settled) * BYTES_PER_SAMPLE]
        self._settled = clip.end
        self._latest = None

    def _samples_from(self, settled: int) -> Float32:
        assert settled == self._settled, "calls overlap"
        return pcm_to_float(bytes(self._pending))

    def _placed(self, heard: Heard) -> list[TimedWord]:
        return [replace(word, start=word.start + self._settled, end=word.end + self._settled) for word in heard.words]
