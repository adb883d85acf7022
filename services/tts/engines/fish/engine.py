"""Fish Speech (OpenAudio S1-mini): eight languages, voices from a few seconds of recording, streamed as it is spoken.

The code is Apache-2.0; the published weights are CC-BY-NC-SA-4.0 and so not for commercial use.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path

import numpy as np

from chassis.audio import float_to_pcm, ms_to_samples
from chassis.errors import StageError
from services.tts.engines.base import Speech
from services.tts.engines.fish.chunking import ChunkPlan
from services.tts.engines.fish.model import SAMPLE_RATE, FishModel, ModelSettings, Prompt, Quote
from services.tts.engines.fish.runner import Runner, Speaking
from services.tts.engines.fish.sampling import Sampling
from services.tts.engines.openai_alignment import FIRST_PACE_S, Pace, TextClock
from services.tts.engines.synthesis import FIRST_PRIORITY, LATER_PRIORITY
from services.tts.reference_voices import ReferenceLimits, ReferenceVoice, Remembered, read_reference
from services.tts.settings import Settings
from services.tts.text.clean import clean, has_speech
from services.tts.text.split import units
from services.tts.text.spoken import Spoken
from services.tts.voices import Voice, VoiceBook

LANGUAGES = ("en", "zh", "ja", "ko", "fr", "de", "es", "ar")
MADE_UP = "fish"
"""Prefix of the voices without a recording: the model makes one up for each stream."""
FADE_MS = 10.0
"""Long enough that no seam is heard, and all that it costs the first audio."""
UNIT_CHARS, FIRST_UNIT_CHARS = 150, 80
"""A unit is one utterance of the model: about ten seconds."""
_WIDE_UNIT_CHARS, _WIDE_FIRST_UNIT_CHARS = 40, 20
_WIDE = frozenset({"zh", "ja", "ko"})
_SPARE_FRAMES = 40
"""What an utterance may take beyond three times its usual length: a word can be slow, a sentence cannot."""
_QUOTED_FRAMES = 215
"""How much of a made-up voice is quoted for the rest of its stream: ten seconds, as long as a good recording."""
_DOTS: Mapping[str, str] = {"en": "dot", "zh": "点", "ja": "ドット", "fr": "point", "de": "Punkt", "es": "punto"}


class FishSession:
    """One stream's speech; see `base.Session`."""

    def __init__(self, engine: "FishSpeechEngine", reference: ReferenceVoice | None, language: str) -> None:
        self._engine = engine
        self._reference = reference
        self._dot = _DOTS.get(language, ".")
        wide = language in _WIDE
        self._limits = (_WIDE_UNIT_CHARS, _WIDE_FIRST_UNIT_CHARS) if wide else (UNIT_CHARS, FIRST_UNIT_CHARS)
        self._pace = Pace(1.0)
        self._quote: Quote | None = None
        self._offset = 0  # of the next piece
        self._covered = 0  # what speech has been given for
        self._sounded = False

    async def speak(self, text: str) -> AsyncGenerator[Speech]:
        """See `base.Session`. A unit that has begun is made to its end, also ahead of a reader that waits."""
        start = self._offset
        self._offset += len(text)
        longest, first = self._limits
        for unit in units(text, longest, longest if self._sounded else first):
            source = text[unit.start : unit.end]
            words = clean(Spoken.of(source), self._dot).text.strip()
            if not has_speech(words):
                continue
            async with aclosing(self._unit(source, words, start + unit.start)) as pieces:
                async for speech in pieces:
                    yield speech
        if self._covered < self._offset:
            yield Speech(b"", self._covered, self._offset)
            self._covered = self._offset

    async def _unit(self, source: str, words: str, origin: int) -> AsyncGenerator[Speech]:
        if self._quote is None and self._reference is not None:
            self._quote = await self._engine.encoded(self._reference)
        clock = TextClock(source, self._pace)
        priority = LATER_PRIORITY if self._sounded else FIRST_PRIORITY
        # Not from the pace that was learnt: a voice that rambles must not be given ever more time for it.
        speaking = self._engine.begin(words, self._quote, clock.weight * FIRST_PACE_S, priority)
        samples = 0
        async with aclosing(speaking.audio()) as chunks:
            async for chunk in chunks:
                samples += len(chunk.samples)
                spoken = len(source) if chunk.last else clock.reached(samples / SAMPLE_RATE)
                reached = max(self._covered, origin + spoken)
                # Set before the yield: a reader that closes the session does not come back.
                began, self._covered, self._sounded = self._covered, reached, True
                yield Speech(float_to_pcm(chunk.samples), began, reached)
        self._pace.learn(clock, samples / SAMPLE_RATE)
        if self._quote is None and speaking.codes:
            self._quote = Quote(words, np.stack(speaking.codes[:_QUOTED_FRAMES], axis=1))


class FishSpeechEngine:
    """See `base.Engine` and `base.Cloner`."""

    def __init__(self, settings: Settings) -> None:
        if settings.fish_weights is None:
            raise ValueError("VOXFLEET_TTS_FISH_WEIGHTS: expected the directory of the weights, got nothing")
        self._limits = ReferenceLimits(settings.reference_max_s, settings.reference_max_bytes)
        self._references = _recorded_voices(settings.fish_voices, self._limits)
        named = [Voice(name, language, SAMPLE_RATE) for name, (language, _) in self._references.items()]
        made_up = [Voice(f"{MADE_UP}-{language}", language, SAMPLE_RATE) for language in LANGUAGES]
        self.voices = VoiceBook([*named, *made_up], LANGUAGES)
        self._quotes: Remembered[Quote] = Remembered(settings.reference_cache)
        self._plan = ChunkPlan(
            settings.fish_first_chunk,
            settings.fish_chunk,
            settings.fish_left_context,
            ms_to_samples(FADE_MS, SAMPLE_RATE),
        )
        model = ModelSettings(
            settings.fish_weights,
            settings.fish_device,
            settings.fish_rows,
            settings.fish_positions,
            settings.model_threads,
            settings.fish_acceleration,
            Sampling(settings.fish_temperature, settings.fish_top_p, settings.fish_repetition_penalty),
        )
        # The other half is for the prompt.
        self._most_frames = settings.fish_positions // 2
        self._frame_samples = 0
        self._runner: Runner[Prompt, FishModel] = Runner(lambda: FishModel(model), self._plan, settings.max_pending)

    @property
    def remembered(self) -> int:
        """Recordings whose codes are kept."""
        return len(self._quotes)

    @property
    def running(self) -> int:
        """Utterances that are being spoken."""
        return self._runner.running

    async def start(self) -> None:
        """See `base.Engine`."""
        plan = self._plan

        def warm(model: FishModel) -> None:
            model.warm((plan.first, plan.context + plan.longest))
            self._frame_samples = model.frame_samples

        await self._runner.start(warm)
        for _, reference in self._references.values():
            await self.encoded(reference)

    async def close(self) -> None:
        """See `base.Engine`."""
        await self._runner.close()

    def session(self, voice: str, language: str, speed: float) -> FishSession:
        """See `base.Engine`. Raises StageError where `speed` is not 1."""
        known = self._references.get(voice)
        return self._session(known[1] if known else None, language, speed)

    def clone(self, wav: bytes, text: str, language: str, speed: float) -> FishSession:
        """See `base.Cloner`."""
        return self._session(read_reference(wav, text, self._limits), language, speed)

    def _session(self, reference: ReferenceVoice | None, language: str, speed: float) -> FishSession:
        if speed != 1.0:
            raise StageError.invalid("speed", f"1, because Fish Speech only speaks at its own pace; got {speed:g}")
        return FishSession(self, reference, language)

    async def encoded(self, reference: ReferenceVoice) -> Quote:
        """The codes of a recording, made once while it is remembered."""
        return await self._runner.call(
            "encode", lambda model: self._quotes.get(reference.key, partial(model.encode, reference))
        )

    def begin(self, words: str, quote: Quote | None, usual_s: float, priority: int) -> Speaking[Prompt]:
        """An utterance of `words` that usually takes `usual_s` seconds. Raises StageError QUEUE_FULL."""
        wanted = int(3 * usual_s * SAMPLE_RATE / self._frame_samples) + _SPARE_FRAMES
        max_frames = min(wanted, self._most_frames)
        return self._runner.speak(Prompt(words, quote, max_frames), max_frames, priority)


def _recorded_voices(directory: Path | None, limits: ReferenceLimits) -> Mapping[str, tuple[str, ReferenceVoice]]:
    """Language and recording of each voice NAME, from LANGUAGE/NAME.wav and the words in LANGUAGE/NAME.txt.

    Raises ValueError, which names the file.
    """
    found: dict[str, tuple[str, ReferenceVoice]] = {}
    for path in sorted(directory.glob("*/*.wav")) if directory else []:
        language, name = path.parent.name, path.stem
        if language not in LANGUAGES:
            raise ValueError(f"VOXFLEET_TTS_FISH_VOICES: {path}: expected a folder of {', '.join(LANGUAGES)}")
        if name in found or name.startswith(f"{MADE_UP}-"):
            raise ValueError(f"VOXFLEET_TTS_FISH_VOICES: {path}: the name {name} is taken")
        words = path.with_suffix(".txt")
        if not words.is_file():
            raise ValueError(f"VOXFLEET_TTS_FISH_VOICES: {path}: expected its words in {words.name}")
        try:
            found[name] = language, read_reference(path.read_bytes(), words.read_text(encoding="utf-8"), limits)
        except StageError as error:
            raise ValueError(f"VOXFLEET_TTS_FISH_VOICES: {path}: {error.message}") from error
    return found
