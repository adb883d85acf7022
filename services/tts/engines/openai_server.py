"""Text to speech behind any server of OpenAI's speech API that streams: Kokoro-FastAPI, vLLM-Omni, another voxfleet.

One request speaks a sentence or a few. Its silence at both ends is cut and the pauses between requests are set, as with
the engines of this process; which words a stretch of audio speaks is told by proportion.
"""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

import numpy as np

from chassis.audio import Float32, float_to_pcm, ms_to_samples
from chassis.metrics import ENGINE_SECONDS
from chassis.upstream import Upstream, UpstreamRefusalError, malformed
from services.tts.engines.base import Speech
from services.tts.engines.openai_alignment import Pace, TextClock
from services.tts.engines.openai_audio import AudioReader
from services.tts.engines.openai_trimming import StreamTrimmer
from services.tts.engines.openai_voices import ServerVoices, listed_voices, parse_languages, parse_voices
from services.tts.engines.synthesis import CHUNK_MS, CLAUSE_PAUSE_MS, PHRASE_PAUSE_MS, SENTENCE_PAUSE_MS
from services.tts.settings import Settings
from services.tts.text.clean import clean, has_speech
from services.tts.text.split import CLAUSE_MARKS, SENTENCE_MARKS, units
from services.tts.text.spoken import Spoken

log = logging.getLogger(__name__)

PATH, VOICES_PATH = "/audio/speech", "/audio/voices"
UNIT_CHARACTERS = 300
"""Longest text of one request: about 20 s of speech, so that the proportions stay near the truth."""
MAX_UNIT_S = 240.0
"""More audio for one request than a very slow voice makes of it: the server knows no end."""
UNNAMED_VOICE = "default"
"""Stands for the server's voices until it has listed them."""


class OpenAiServerEngine:
    """See `base.Engine`. Where the settings name no voices, `voices` are the server's from the start on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._upstream = Upstream(settings, "VOXFLEET_TTS_")
        self._model = settings.upstream_model
        named = parse_voices(settings.upstream_voices)
        self._asks_for_voices = not named
        # Until the server is asked the settings are taken at their word.
        expected = tuple((name, language) for language, name in settings.default_voices.items())
        self.voices = self._book(named or expected or ((UNNAMED_VOICE, ""),))

    async def start(self) -> None:
        """Waits for the server. Raises ValueError where neither it nor the settings name a model or voices, StageError
        where it refuses the key."""
        listed = await self._upstream.start()
        if not self._model:
            if not listed:
                raise ValueError("VOXFLEET_TTS_UPSTREAM_MODEL: expected a name, because the server lists no models")
            self._model = listed[0]
        if self._asks_for_voices:
            self.voices = self._book(await self._ask_for_voices())

    async def close(self) -> None:
        """See `base.Engine`."""
        await self._upstream.close()

    def readiness(self) -> AsyncGenerator[bool]:
        """See `chassis.server.DependentEngine`."""
        return self._upstream.readiness()

    def session(self, voice: str, language: str, speed: float) -> "OpenAiServerSession":
        """See `base.Engine`. The language is not sent: these servers tell it from the voice or the text."""
        return OpenAiServerSession(self, voice, speed, self._settings.upstream_sample_rate)

    async def speak(self, text: str, voice: str, speed: float) -> AsyncGenerator[Float32]:
        """The speech of `text` as it comes, float32 at the engine's rate. Closing the generator closes the request."""
        settings, started = self._settings, time.perf_counter()
        body = {
            "model": self._model,
            "input": text,
            "voice": voice,
            "response_format": settings.upstream_format,
            "speed": None if speed == 1.0 else speed,
            **settings.upstream_body,
        }
        told = {name: value for name, value in body.items() if value is not None}
        rate, left = settings.upstream_sample_rate, MAX_UNIT_S * settings.upstream_sample_rate
        async with self._upstream.stream(PATH, told) as answer, aclosing(answer.pieces()) as pieces:
            ENGINE_SECONDS.labels("tts", "first_byte").observe(time.perf_counter() - started)
            reader = AudioReader(answer.content_type, rate, rate)
            async for piece in pieces:
                samples = reader.push(piece)
                left -= len(samples)
                if left < 0:
                    raise malformed(f"expected at most {MAX_UNIT_S:g} s of audio for {len(text)} characters")
                yield samples
        yield reader.flush()
        ENGINE_SECONDS.labels("tts", "synthesize").observe(time.perf_counter() - started)

    def _book(self, names: tuple[tuple[str, str], ...]) -> ServerVoices:
        settings = self._settings
        languages = parse_languages(settings.upstream_languages)
        return ServerVoices(names, languages, settings.language, settings.upstream_sample_rate)

    async def _ask_for_voices(self) -> tuple[tuple[str, str], ...]:
        voices: tuple[tuple[str, str], ...] = ()
        try:
            voices = listed_voices(await self._upstream.get_json(VOICES_PATH))
        except UpstreamRefusalError as refusal:
            if refusal.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
                raise
        if not voices:
            raise ValueError("VOXFLEET_TTS_UPSTREAM_VOICES: expected names, because the server lists no voices")
        names = [name for name, _ in voices]
        for language, name in self._settings.default_voices.items():
            if name not in names:
                raise ValueError(f"VOXFLEET_TTS_VOICE_{language.upper()}: expected one of {', '.join(names)}")
        return voices


class OpenAiServerSession:
    """See `base.Session`."""

    def __init__(self, engine: OpenAiServerEngine, voice: str, speed: float, sample_rate: int) -> None:
        self._engine = engine
        self._voice = voice
        self._speed = speed
        self._rate = sample_rate
        self._pace = Pace(speed)
        self._offset = 0  # of the next piece
        self._covered = 0  # what speech has been given for
        self._pause_ms = 0.0
        self._sounded = False

    async def speak(self, text: str) -> AsyncGenerator[Speech]:
        """See `base.Session`; raises StageError as `chassis.upstream` does."""
        start = self._offset
        self._offset += len(text)
        for unit in units(text, UNIT_CHARACTERS, UNIT_CHARACTERS):
            source = text[unit.start : unit.end]
            words = clean(Spoken.of(source), ".").text.strip()
            if not has_speech(words):
                continue
            async with aclosing(self._unit(words, source, start + unit.start)) as found:
                async for speech in found:
                    yield speech
            if self._sounded:
                self._pause_ms = _pause_after(source)
        if self._covered < self._offset:
            yield Speech(b"", self._covered, self._offset)
            self._covered = self._offset

    async def _unit(self, words: str, source: str, origin: int) -> AsyncGenerator[Speech]:
        """The speech of `source`, which is said as `words` and begins at `origin` of all text."""
        trimmer, clock = StreamTrimmer(self._rate), TextClock(source, self._pace)
        shortest = ms_to_samples(CHUNK_MS, self._rate)
        waiting: Float32 = np.zeros(0, np.float32)
        spoken = 0
        async with aclosing(self._engine.speak(words, self._voice, self._speed)) as audio:
            async for samples in audio:
                waiting = np.concatenate((waiting, trimmer.push(samples)))
                if len(waiting) < shortest:
                    continue
                for speech in self._pause():
                    yield speech
                spoken += len(waiting)
                yield self._speech(waiting, origin + clock.reached(spoken / self._rate))
                waiting = waiting[:0]
        waiting = np.concatenate((waiting, trimmer.flush()))
        if not spoken and not len(waiting):
            return
        for speech in self._pause():
            yield speech
        spoken += len(waiting)
        self._pace.learn(clock, spoken / self._rate)
        yield self._speech(waiting, origin + len(source))

    def _pause(self) -> list[Speech]:
        """The silence before the next sound, once."""
        samples = ms_to_samples(self._pause_ms / self._speed, self._rate)
        self._pause_ms = 0.0
        return [Speech(bytes(2 * samples), self._covered, self._covered)] if samples else []

    def _speech(self, samples: Float32, reached: int) -> Speech:
        start, self._covered = self._covered, max(self._covered, reached)
        self._sounded = True
        return Speech(float_to_pcm(samples), start, self._covered)


def _pause_after(text: str) -> float:
    for char in reversed(text):
        if char in SENTENCE_MARKS or char == "\n":
            return SENTENCE_PAUSE_MS
        if char in CLAUSE_MARKS:
            return CLAUSE_PAUSE_MS
        if char.isalnum():
            break
    return PHRASE_PAUSE_MS
