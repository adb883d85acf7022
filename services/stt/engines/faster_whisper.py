"""Whisper through CTranslate2, with faster-whisper's features and tokenizer, tuned for short utterances."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import ctranslate2
import numpy as np

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, pcm_to_float
from chassis.errors import StageError
from chassis.weights import open_store
from services.stt.agreement import Agreement
from services.stt.alignment import TimedWord
from services.stt.batcher import Batcher, StaleError
from services.stt.batching import Limits, Priority
from services.stt.engines.base import Partial, SessionConfig, Transcript
from services.stt.language import Belief, Language, is_settled
from services.stt.recognizer import Clip, Heard, Recognizer, Request
from services.stt.settings import Settings
from services.stt.whisper_model import Encoded, Wanted, WhisperModel
from services.stt.windows import (
    COARSE_CONTEXTS_S,
    CONTEXTS_S,
    EARLIEST_CUT,
    LATEST_CUT,
    RETRY_CONTEXT_S,
    WINDOW_SAMPLES,
    quietest_cut,
    short_context,
)

MAX_CLIP_SAMPLES = 28 * SAMPLE_RATE
WARM_UP_TOKENS = 4
JOBS_A_STREAM = 4

CPU_FINALS, CPU_PARTIALS = 4, 1
"""Clips of one batch where each adds to its time: whisper-base takes 120 ms of processor a clip alone, 66 in a batch of
4, 59 in one of 8. A final waits for the batch that runs, and partials are many, so a batch of them would cost finals
what it saves."""
GPU_BATCH = 32
"""Clips of one batch where the next one is nearly free."""

WhisperBatcher: TypeAlias = Batcher[Clip[Encoded], Heard]


@dataclass(slots=True)
class _Interest:
    """Whether somebody still waits for a job. Written by the event loop, read by the job's thread."""

    lost: bool = False

    def wanted(self) -> bool:
        """Whether somebody does."""
        return not self.lost


@dataclass(frozen=True, slots=True)
class _Hearing:
    """What was heard up to sample `end` of the utterance, from where its settled part ends."""

    end: int
    heard: Heard


class FasterWhisperEngine:
    """One model and the batches that it runs; see `services.stt.engines.base.Engine`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        auto = settings.device == "auto"
        self._on_gpu = settings.device == "cuda" or (auto and ctranslate2.get_cuda_device_count() > 0)
        self._finals = settings.max_batch or (GPU_BATCH if self._on_gpu else CPU_FINALS)
        self._partials = settings.max_partial_batch or (GPU_BATCH if self._on_gpu else CPU_PARTIALS)
        self._model: WhisperModel | None = None
        self._batcher: WhisperBatcher | None = None
        self._batching: asyncio.Task[None] | None = None

    @property
    def languages(self) -> frozenset[str]:
        return self._loaded().languages

    @property
    def partials_together(self) -> int:
        return self._partials

    @property
    def contexts(self) -> Sequence[int]:
        """The encoder contexts that it takes, in seconds."""
        return COARSE_CONTEXTS_S if self._on_gpu else CONTEXTS_S

    @property
    def batcher(self) -> WhisperBatcher:
        """Runs the clips of all sessions."""
        assert self._batcher is not None, "the engine was not started"
        return self._batcher

    async def start(self) -> None:
        settings = self._settings
        self._model = await asyncio.to_thread(self._load)
        self._batcher = Batcher(
            Recognizer(self._model).transcribe,
            # A stream waits for one job at a time; jobs it gave up may still stand in the queue.
            Limits(self._finals, self._partials, JOBS_A_STREAM * settings.max_streams),
            threads=settings.workers,
            max_wait_s=settings.batch_wait_ms / 1000,
        )
        self._batching = asyncio.create_task(self._batcher.run())

    async def close(self) -> None:
        if self._batching is not None:
            self._batching.cancel()
            await asyncio.wait((self._batching,))
        if self._batcher is not None:
            await self._batcher.close()
        if self._model is not None:
            self._model.close()

    def open(self, config: SessionConfig) -> "WhisperSession":
        model = self._loaded()
        told = config.language if model.multilingual else next(iter(model.languages))
        language = Language(told, 1.0) if told is not None else None
        max_samples = int(self._settings.max_utterance_s * SAMPLE_RATE)
        return WhisperSession(
            self.batcher,
            self.contexts,
            Request(language, Belief.expecting(config.expected_language), config.hint, config.words),
            max_samples=max_samples,
        )

    def _loaded(self) -> WhisperModel:
        assert self._model is not None, "the engine was not started"
        return self._model

    def _load(self) -> WhisperModel:
        settings = self._settings
        most = max(self._finals, self._partials)
        model = WhisperModel(
            settings.model_path or open_store().ensure(settings.model),
            device=settings.device,
            device_index=settings.device_index,
            compute_type=settings.compute_type,
            cpu_threads=settings.cpu_threads,
            workers=settings.workers,
            max_batch=most,
        )
        # A GPU's memory is taken by the largest batch, and what is missing is missed now and not in a call.
        contexts = self.contexts if self._on_gpu else (short_context(1), RETRY_CONTEXT_S)
        clips = [np.zeros(SAMPLE_RATE, np.float32)] * (most if self._on_gpu else 1)
        for context_s in contexts:
            encoded = model.encode(clips, context_s)
            model.decode(encoded, [Wanted("en", "", WARM_UP_TOKENS)] * len(clips))
        return model


class WhisperSession:
    """One utterance; see `services.stt.engines.base.Session`.

    Its audio is transcribed anew each time, from where the settled part ends. Where that becomes long, it is cut at a
    pause and what comes before is settled.
    """

    def __init__(self, batcher: WhisperBatcher, contexts: Sequence[int], request: Request, *, max_samples: int) -> None:
        self._batcher = batcher
        self._contexts = contexts
        self._request = request
        self._max_samples = max_samples
        self._agreement = Agreement()
        self._language = request.language
        self._belief = request.belief
        self._text = ""
        self._words: list[TimedWord] = []
        self._settled = 0
        self._pending = bytearray()
        self._latest: _Hearing | None = None

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
            # Where a final took its place in a full queue it asks again, and hears how full it is.
            with suppress(StaleError):
                await self._settle_window(Priority.PARTIAL)

    async def partial(self) -> Partial | None:
        await self.settle()
        try:
            hearing = await self._hear(None, Priority.PARTIAL, words=False)
        except StaleError:
            return None
        if hearing.heard.fault is not None or not (self._text or hearing.heard.text):
            return None
        return Partial(self._agreement.update(hearing.heard.text), hearing.end)

    async def final(self, end: int) -> Transcript:
        while end - self._settled > WINDOW_SAMPLES:
            await self._settle_window(Priority.FINAL)
        hearing = self._latest
        if hearing is None or hearing.end != end or self._words_missing(hearing.heard):
            hearing = await self._hear(end, Priority.FINAL, words=self._request.words)
        words = (*self._words, *self._placed(hearing.heard))
        return Transcript(
            (self._text + hearing.heard.text).strip(), self._language or hearing.heard.language, words, end
        )

    def _words_missing(self, heard: Heard) -> bool:
        return self._request.words and bool(heard.text) and not heard.words

    async def _hear(self, end: int | None, priority: Priority, *, words: bool) -> _Hearing:
        """Transcribes the pending audio up to `end`, or all there is when a thread becomes free."""
        request = replace(self._request, language=self._language, belief=self._belief, words=words)
        hearing = await self._transcribe(priority.name.lower(), request, priority, end)
        self._latest, self._belief = hearing, hearing.heard.belief
        if hearing.heard.language is not None and is_settled(hearing.heard.language, hearing.heard.speech_s):
            self._language = hearing.heard.language
        return hearing

    async def _settle_window(self, priority: Priority) -> None:
        """Transcribes the pending audio up to a pause, for good, and leaves it behind."""
        request = replace(self._request, language=self._language, belief=self._belief)
        cut = await asyncio.to_thread(_cut, bytes(self._pending[: WINDOW_SAMPLES * BYTES_PER_SAMPLE]))
        hearing = await self._transcribe("window", request, priority, self._settled + cut)
        self._words += self._placed(hearing.heard)
        self._text += hearing.heard.text
        self._agreement.settle(hearing.heard.text)
        self._language = self._language or hearing.heard.language
        del self._pending[: (hearing.end - self._settled) * BYTES_PER_SAMPLE]
        self._settled = hearing.end
        self._latest = None

    async def _transcribe(self, operation: str, request: Request, priority: Priority, end: int | None) -> _Hearing:
        settled, interest, taken = self._settled, _Interest(), 0

        def samples() -> int:
            assert settled == self._settled, "calls overlap"
            return min((self.samples if end is None else end) - settled, MAX_CLIP_SAMPLES)

        def context_s() -> int:
            return short_context(samples() / SAMPLE_RATE, self._contexts)

        def clip() -> Clip[Encoded]:
            nonlocal taken
            taken = samples()
            pcm = bytes(self._pending[: taken * BYTES_PER_SAMPLE])
            return Clip(pcm, request, context_s(), interest.wanted)

        try:
            heard = await self._batcher.submit(operation, clip, context_s, priority=priority, stream=self)
        finally:
            interest.lost = True
        return _Hearing(settled + taken, heard)

    def _placed(self, heard: Heard) -> list[TimedWord]:
        return [replace(word, start=word.start + self._settled, end=word.end + self._settled) for word in heard.words]


def _cut(pcm: bytes) -> int:
    return quietest_cut(pcm_to_float(pcm), EARLIEST_CUT, LATEST_CUT)
