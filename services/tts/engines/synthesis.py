"""From pieces of text to aligned speech, with any model that tells how long each phoneme lasts."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from chassis.audio import Float32, float_to_pcm, ms_to_samples
from chassis.workers import Workers
from services.tts.alignment import Mark, align, chunks, cut, settle
from services.tts.edges import faded, silences, speech_bounds
from services.tts.engines.base import Speech
from services.tts.g2p.base import Phonemizer, Segment, fit
from services.tts.text.clean import has_speech
from services.tts.text.split import CLAUSE_MARKS, SENTENCE_MARKS, Unit, units

T = TypeVar("T")

CHUNK_MS = 50.0
"""Shortest chunk: below it the cost of a message outweighs what its earlier arrival wins."""
SENTENCE_PAUSE_MS = 250.0
"""Between sentences, where people breathe; the models' own silence there is 700 ms and more."""
CLAUSE_PAUSE_MS = 100.0
"""Where a sentence was cut at a comma: about what the models make of a comma inside a sentence."""
PHRASE_PAUSE_MS = 20.0
"""Where text was cut in the middle of a phrase: no pause is meant."""
EARLY_MS = 50.0
"""How much sooner a phoneme sounds than the models' durations say: two steps, measured at the onset of sentences."""
REACH_MS = 150.0
"""How far before the end of a word the silence of the pause after it may begin."""
FIRST_PRIORITY, LATER_PRIORITY = 0, 1
"""A stream's first unit goes before every other stream's later ones: nobody hears anything of it yet."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Float32 samples [n] in [-1, 1]; how many of them each segment takes, and how many come before the first."""

    samples: Float32
    durations: Sequence[int]
    lead: int


def utterance(samples: Float32, steps: Float32, step_samples: int, lengths: Sequence[int]) -> Utterance:
    """What a model spoke of segments of `lengths` tokens.

    `steps`, [tokens + 2], is what it gave each token and the pads around them, in units of `step_samples`.
    """
    ends = np.concatenate(([0], np.cumsum(np.rint(steps).astype(np.int64)))) * step_samples
    borders = ends[np.concatenate(([1], 1 + np.cumsum(lengths, dtype=np.int64)))]
    return Utterance(samples, np.diff(borders).tolist(), int(borders[0]))


@dataclass(frozen=True, slots=True)
class Limits:
    """Most characters of a unit, of a stream's first unit, and most phonemes that the model takes at once."""

    unit: int
    first_unit: int
    phonemes: int

    def at(self, speed: float) -> "Limits":
        """The same limits in seconds of speech where it is slower than its own pace."""
        slow = min(speed, 1.0)
        return Limits(int(self.unit * slow), int(self.first_unit * slow), int(self.phonemes * slow))


class Speaker(Protocol):
    """A model with a voice and a pace chosen. Blocking; may be called from several threads at once."""

    sample_rate_hz: int

    def __call__(self, segments: Sequence[Segment]) -> Utterance:
        """Speaks segments of at least one and at most the model's limit of phonemes."""
        ...


class SynthesisSession:
    """One stream's speech; see `base.Session`."""

    def __init__(
        self, workers: Workers, phonemizer: Phonemizer, speaker: Speaker, limits: Limits, speed: float
    ) -> None:
        self._workers = workers
        self._phonemizer = phonemizer
        self._speaker = speaker
        self._limits = limits
        self._speed = speed
        self._offset = 0  # of the next piece
        self._covered = 0  # what speech has been given for
        self._pause_ms = 0.0
        self._sounded = False

    async def speak(self, text: str) -> AsyncGenerator[Speech]:
        """See `base.Session`."""
        start = self._offset
        self._offset += len(text)
        first_limit = self._limits.unit if self._sounded else self._limits.first_unit
        for unit in units(text, self._limits.unit, first_limit):
            source = text[unit.start : unit.end]
            if not has_speech(source):
                continue
            for phrase in await self._phrases(source):
                utterance = await self._run("synthesize", partial(self._speaker, phrase))
                for speech in self._speech(utterance, phrase, start, unit):
                    yield speech
            if self._sounded:
                self._pause_ms = _pause_after(source)
        if self._covered < self._offset:
            yield Speech(b"", self._covered, self._offset)
            self._covered = self._offset

    async def _phrases(self, source: str) -> list[list[Segment]]:
        segments: list[Segment] = await self._run("phonemize", partial(self._phonemizer, source))
        phrases = fit(segments, self._limits.phonemes)
        return [phrase for phrase in phrases if not all(segment.is_pause for segment in phrase)]

    async def _run(self, operation: str, call: "Callable[[], T]") -> T:
        priority = LATER_PRIORITY if self._sounded else FIRST_PRIORITY
        return await self._workers.run(operation, call, priority=priority)

    def _speech(self, utterance: Utterance, phrase: Sequence[Segment], piece: int, unit: Unit) -> list[Speech]:
        rate = self._speaker.sample_rate_hz
        first, last = speech_bounds(utterance.samples, rate)
        if first == last:
            return []
        found: list[Speech] = []
        pause = ms_to_samples(self._pause_ms / self._speed, rate)
        if self._sounded and pause:
            found.append(Speech(bytes(2 * pause), self._covered, self._covered))
        origin = piece + unit.start
        aligned = settle(
            align(phrase, utterance.durations, utterance.lead),
            silences(utterance.samples, rate),
            early=ms_to_samples(EARLY_MS, rate),
            reach=ms_to_samples(REACH_MS, rate),
        )
        marks = [Mark(mark.sample, mark.text + origin, mark.pause) for mark in cut(aligned, first, last)]
        text_end = marks[-1].text
        pcm = float_to_pcm(faded(utterance.samples[first:last], rate))
        found += [
            Speech(pcm[2 * chunk.start : 2 * chunk.stop], chunk.text_start, chunk.text_end)
            for chunk in chunks(marks, last - first, self._covered, text_end, ms_to_samples(CHUNK_MS, rate))
        ]
        self._covered = text_end
        self._sounded = True
        self._pause_ms = PHRASE_PAUSE_MS
        return found


def _pause_after(text: str) -> float:
    for char in reversed(text):
        if char in SENTENCE_MARKS or char == "\n":
            return SENTENCE_PAUSE_MS
        if char in CLAUSE_MARKS:
            return CLAUSE_PAUSE_MS
        if char.isalnum():
            break
    return PHRASE_PAUSE_MS
