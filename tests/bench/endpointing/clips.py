"""The benchmark's audio: sentences spoken by the default text-to-speech engine, with pauses made in two ways, and
recorded people."""

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from chassis.audio import SAMPLE_RATE, Float32, float_to_pcm, ms_to_samples, pcm_to_float, resample
from chassis.weights import open_store
from client import turns
from client.bench.questions import question
from client.sound.speech import read_wav
from services.tts.engines import create
from services.tts.engines.base import Engine
from services.tts.settings import Settings
from tests.bench.endpointing.sentences import Half, Sentence

PAUSE = ms_to_samples(700)
"""Silence made in a clip. What the stages hear of a pause up to their answers is the same however long it is."""
BEFORE, BEHIND = ms_to_samples(500), ms_to_samples(700)
"""Silence around speech."""
RESUMED = ms_to_samples(500)
"""Speech after the pause that is kept: enough to be noticed."""
PHASES = (0, ms_to_samples(15))
"""The questions of `voxfleet bench` are heard at two phases of the VAD's frames, for they are few."""
ROOM_LEVEL = 1e-3
"""Standard deviation of the background noise, of full scale."""
SPEAKERS: Sequence[tuple[str, float]] = (
    *(("", 1.0), ("", 0.9), ("", 1.15), ("", 1.0), ("", 0.85), ("am_michael", 1.0)),
    *(("", 1.0), ("", 0.9), ("", 1.15), ("", 1.0), ("", 0.85), ("bf_emma", 1.0)),
    *(("", 1.0), ("", 0.9), ("", 1.15), ("", 1.0), ("", 0.85), ("bm_george", 1.0)),
)
"""Voice (empty: the default) and pace of English sentences, in turn. Other languages have their default voice."""
RECORDINGS_MODEL = "speech-samples"
_REACH = ms_to_samples(60)
"""How far from the aligned boundary a cut may look for a quieter place."""
_FADE = ms_to_samples(5)
_SHORT = ms_to_samples(10)


class Kind(StrEnum):
    """How a clip came about."""

    COMPLETE = "complete"
    """A complete turn."""
    JOINED = "joined"
    """The half before the pause was spoken apart, so it sounds as final as a synthesiser makes it."""
    CUT = "cut"
    """Spoken whole and cut open at the pause, so it sounds as if it went on."""
    SPEECH = "speech"
    """A person who pauses within a sentence; the last pause ends it."""
    LINES = "lines"
    """A person who pauses after each sentence."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Float32 [samples] at 16 kHz.

    `audible_end` is the sample after the last one that can be heard, before the pause where there is one. `resumed` is
    where speech goes on after a pause that was made (0: nowhere).
    """

    name: str
    half: Half
    kind: Kind
    language: str
    samples: Float32
    audible_end: int
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class _Spoken:
    """Float32 [samples] at 16 kHz, and pairs (sample, character) of the same instant."""

    samples: Float32
    marks: Sequence[tuple[int, int]]


class Synthesiser:
    """Makes clips, the same to the sample each time. An async context."""

    def __init__(self, settings: Settings) -> None:
        self._engine: Engine = create(settings)

    async def __aenter__(self) -> "Synthesiser":
        await self._engine.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.close()

    async def clips(self, sentence: Sentence, number: int) -> list[Clip]:
        """Every clip of a sentence; `number` chooses who says it."""
        whole = await self._speak(sentence.text, sentence, number)
        if not sentence.after:
            return _asked(sentence, whole.samples) if sentence.half is Half.BENCH else [_complete(sentence, whole)]
        aligned = min(whole.marks, key=lambda mark: abs(mark[1] - len(sentence.before)))[0]
        at = _quietest(whole.samples, aligned)
        before, after = whole.samples[:at], whole.samples[at : at + RESUMED]
        apart = await self._speak(sentence.before, sentence, number)
        return [_paused(sentence, Kind.JOINED, apart.samples, after), _paused(sentence, Kind.CUT, before, after)]

    async def _speak(self, text: str, sentence: Sentence, number: int) -> _Spoken:
        varied = sentence.language == "en" and sentence.half is not Half.BENCH
        name, speed = SPEAKERS[number % len(SPEAKERS)] if varied else ("", 1.0)
        voice, language = self._engine.voices.choose(name, sentence.language, sentence.language, {})
        session = self._engine.session(voice.name, language, speed)
        pcm, marks = b"", []
        async for speech in session.speak(text):
            pcm += speech.pcm
            marks.append((len(pcm) // 2 * SAMPLE_RATE // voice.sample_rate_hz, speech.text_end))
        samples = await asyncio.to_thread(resample, pcm_to_float(pcm), voice.sample_rate_hz, SAMPLE_RATE)
        return _Spoken(samples, marks)


def recorded() -> list[Clip]:
    """People's voices."""
    directory = open_store().ensure(RECORDINGS_MODEL)
    clips = []
    for name, kind in (("jfk.wav", Kind.SPEECH), ("beckett.wav", Kind.LINES)):
        samples = resample(pcm_to_float(read_wav(directory / name)), turns.SAMPLE_RATE, SAMPLE_RATE)
        signal = np.concatenate((samples, np.zeros(BEHIND, np.float32)))
        clips.append(Clip(name, Half.TEST, kind, "en", signal, _audible_end(samples)))
    return clips


def _complete(sentence: Sentence, spoken: _Spoken) -> Clip:
    return _in_a_room(sentence, Kind.COMPLETE, [np.zeros(BEFORE, np.float32), spoken.samples], BEHIND)


def _paused(sentence: Sentence, kind: Kind, before: Float32, after: Float32) -> Clip:
    return _in_a_room(sentence, kind, [np.zeros(BEFORE, np.float32), _faded(before)], PAUSE, _faded(after))


def _in_a_room(
    sentence: Sentence, kind: Kind, parts: list[Float32], silence: int, after: Float32 | None = None
) -> Clip:
    heard = np.concatenate(parts)
    resumed = 0 if after is None else len(heard) + silence
    rest = np.zeros(silence, np.float32)
    signal = np.concatenate((heard, rest) if after is None else (heard, rest, after))
    random = np.random.default_rng(zlib.crc32(f"{kind} {sentence.text}".encode()))
    signal += np.float32(ROOM_LEVEL) * random.standard_normal(len(signal), np.float32)
    return Clip(sentence.text, sentence.half, kind, sentence.language, signal, _audible_end(heard), resumed)


def _asked(sentence: Sentence, samples: Float32) -> list[Clip]:
    """As `voxfleet bench` asks: nothing after the last audible sample, and digital silence around."""
    pcm = float_to_pcm(resample(samples, SAMPLE_RATE, turns.SAMPLE_RATE))
    speech = resample(pcm_to_float(question("", None, pcm).pcm), turns.SAMPLE_RATE, SAMPLE_RATE)
    clips = []
    for phase in PHASES:
        before = np.zeros(BEFORE + phase, np.float32)
        signal = np.concatenate((before, speech, np.zeros(BEHIND, np.float32)))
        end = len(before) + len(speech)
        clips.append(Clip(sentence.text, sentence.half, Kind.COMPLETE, sentence.language, signal, end))
    return clips


def _audible_end(samples: Float32) -> int:
    span = turns.audible_span(float_to_pcm(resample(samples, SAMPLE_RATE, turns.SAMPLE_RATE)))
    assert span is not None, "nothing can be heard"
    return span[1] * SAMPLE_RATE // turns.SAMPLE_RATE


def _faded(samples: Float32) -> Float32:
    """Without clicks at its ends."""
    length = min(_FADE, len(samples) // 2)
    smooth = samples.copy()
    ramp = np.linspace(0, 1, length, endpoint=False, dtype=np.float32)
    smooth[:length] *= ramp
    smooth[len(smooth) - length :] *= ramp[::-1]
    return smooth


def _quietest(samples: Float32, at: int) -> int:
    """The middle of the quietest 10 ms near `at`."""
    start = max(0, at - _REACH)
    power = np.convolve(np.square(samples[start : at + _REACH], dtype=np.float64), np.ones(_SHORT), "valid")
    return start + int(np.argmin(power)) + _SHORT // 2
