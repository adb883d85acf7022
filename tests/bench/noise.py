"""What noise does to voice activity and to speech recognition, with and without noise reduction.

Each clip stands in a longer stretch of the same noise. The VAD (with the orchestrator's own silence) hears all of it:
a start is missed where none comes within half a second of the first word, any start elsewhere is extra, an end is held
where none comes within half a second of the last word. Speech recognition is given the clip's own samples, whatever the
VAD said. Noise alone is 30 s at the level that it has beside the average clip.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, Float32, float_to_pcm, ms_to_samples, pcm_to_float
from chassis.weights import open_store
from services.orchestrator.noise_reduction import DELAY, NoiseReducer, NoiseReduction
from services.orchestrator.settings import Settings as OrchestratorSettings
from services.stt.bench import ours
from services.stt.bench_clips import ROOM_LEVEL, Clip, recorded, synthesized
from services.stt.engines.faster_whisper import FasterWhisperEngine
from services.stt.settings import Settings as SttSettings
from services.stt.word_errors import normalized, word_errors
from services.vad.config import StreamConfig
from services.vad.engines.silero import SileroEngine
from services.vad.gate import SpeechStarted
from services.vad.listener import Listener, TurnPaused
from services.vad.settings import Settings as VadSettings
from tests.bench import noises

SNRS_DB = (15.0, 5.0)
NOISES = (*noises.KINDS, "babble")
BEFORE = AFTER = SAMPLE_RATE
"""Samples of noise before and after each clip."""
ALONE = 30 * SAMPLE_RATE
"""Samples of noise without speech."""
DISTANT_DB = 30.0
"""How much weaker the same voice is from the other end of a room."""
DISTANT_NOISE = "pink"
BLOCK_BYTES = ms_to_samples(20) * BYTES_PER_SAMPLE
_NEAR = SAMPLE_RATE // 2
_SEED = 7
_SETTINGS = {"off": None, "near": NoiseReduction.NEAR_FIELD, "far": NoiseReduction.FAR_FIELD}


@dataclass(frozen=True, slots=True)
class Scene:
    """Float32 [samples] at 16 kHz: the clip from `BEFORE` on, speech from `first` to `last`."""

    clip: Clip
    samples: Float32
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What the VAD said of one stream: offsets of starts and stops in samples."""

    starts: Sequence[int]
    stops: Sequence[int]


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of noise at one level (`snr_db` None: a quiet room) with one setting of noise reduction."""

    noise: str
    snr_db: float | None
    distant: bool
    reduction: str
    missed_starts: int
    extra_starts: int
    held_ends: int
    start_ms: float | None
    """Median of the reported start after the first word's; None where none was near."""
    end_ms: float | None
    """Median of the reported end after the last word's."""
    end_p90_ms: float | None
    """Of the distance, either way."""
    false_starts_a_minute: float | None
    """In noise alone; None where there is none."""
    false_speech_percent: float | None
    """Share of noise alone that was called speech."""
    word_error_rate: float | None
    """In percent, of reduced audio; None where it was not measured."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that is measured: over `clips` clips; processor time is in ms for a second of audio."""

    clips: int
    rows: Sequence[Row]
    processor_ms: dict[str, float]
    delay_ms: float


def reduced(samples: Float32, kind: NoiseReduction | None) -> Float32:
    """The whole signal as a session in blocks of 20 ms would have it."""
    if kind is None:
        return samples
    reducer, pcm = NoiseReducer(kind), float_to_pcm(samples)
    out = [reducer.process(pcm[at : at + BLOCK_BYTES]) for at in range(0, len(pcm), BLOCK_BYTES)]
    return pcm_to_float(b"".join((*out, reducer.rest)))


def make_noise(name: str, samples: int, random: noises.Random, voices: Sequence[Float32]) -> Float32:
    """Noise by name; babble is made of `voices`."""
    return noises.babble(samples, random, voices) if name == "babble" else noises.KINDS[name](samples, random)


def scenes(clips: Sequence[Clip], noise: str, snr_db: float | None, weaker_db: float = 0.0) -> list[Scene]:
    """Every clip in its stretch of noise; no clip has its own words in its babble. None: the noise of a quiet room."""
    random = np.random.default_rng(_SEED)
    made = []
    for clip in clips:
        mask = np.pad(noises.active(clip.samples), (BEFORE, AFTER))
        speech = np.pad(clip.samples, (BEFORE, AFTER)) * np.float32(10 ** (-weaker_db / 20))
        if snr_db is None:
            samples = speech + np.float32(ROOM_LEVEL) * random.standard_normal(len(speech), np.float32)
        else:
            others = [other.samples for other in clips if other is not clip]
            samples = noises.add(speech, mask, make_noise(noise, len(speech), random, others), snr_db)
        spoken = np.flatnonzero(mask)
        # Louder than full scale it would be clipped, and that is no noise.
        samples /= max(1.0, float(np.abs(samples).max()))
        made.append(Scene(clip, samples, int(spoken[0]), int(spoken[-1]) + 1))
    return made


async def heard(vad: SileroEngine, samples: Float32) -> Heard:
    """What the VAD says of a whole stream, with the settings that a session gives it."""
    defaults = VadSettings()
    config = StreamConfig(
        start_offset=0,
        threshold=defaults.threshold,
        min_speech=ms_to_samples(defaults.min_speech_ms),
        stop_silence=ms_to_samples(OrchestratorSettings().stop_silence_ms),
        frame_probabilities=False,
    )

    async def audio() -> AsyncIterator[bytes]:
        yield float_to_pcm(samples)

    session = vad.open()
    try:
        found = [event async for event in Listener(config, session, vad.frame_samples, None).listen(audio())]
    finally:
        session.close()
    return Heard(
        [event.offset for event in found if isinstance(event, SpeechStarted)],
        [event.stopped.offset for event in found if isinstance(event, TurnPaused)],
    )


class Measurement:
    """The two real engines; a context that starts and closes them."""

    def __init__(self, model: str) -> None:
        self._stt = FasterWhisperEngine(SttSettings(model=model))
        self._vad = SileroEngine(VadSettings())

    async def __aenter__(self) -> Self:
        await self._stt.start()
        await self._vad.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._vad.close()
        await self._stt.close()

    async def row(
        self, around: Sequence[Scene], alone: Float32 | None, row: tuple[str, float | None, bool, str], *, words: bool
    ) -> Row:
        """Everything about one setting; `row` is its name."""
        kind = _SETTINGS[row[3]]
        told: list[tuple[Scene, Heard]] = []
        errors = spoken = 0
        for scene in around:
            samples = reduced(scene.samples, kind)
            told.append((scene, await heard(self._vad, samples)))
            if words:
                said = await ours(self._stt)(samples[BEFORE : len(samples) - AFTER])
                reference = normalized(scene.clip.text)
                errors += word_errors(reference, normalized(said))
                spoken += len(reference)
        starts = [near(each.starts, scene.first) for scene, each in told]
        ends = [near(each.stops, scene.last) for scene, each in told]
        late = [1000 * end / SAMPLE_RATE for end in ends if end is not None]
        false = None if alone is None else await heard(self._vad, reduced(alone, kind))
        return Row(
            *row,
            missed_starts=starts.count(None),
            extra_starts=sum(extra(scene, each) for scene, each in told),
            held_ends=ends.count(None),
            start_ms=_median(1000 * start / SAMPLE_RATE for start in starts if start is not None),
            end_ms=_median(late),
            end_p90_ms=float(np.percentile(np.abs(late), 90)) if late else None,
            false_starts_a_minute=None if false is None else len(false.starts) * 60 * SAMPLE_RATE / ALONE,
            false_speech_percent=None if false is None else 100 * _spoken(false) / ALONE,
            word_error_rate=100 * errors / spoken if words else None,
        )


def near(offsets: Iterable[int], expected: int) -> int | None:
    """How far after `expected` the nearest of `offsets` is, in samples; None where none is within half a second."""
    distances = [offset - expected for offset in offsets if abs(offset - expected) <= _NEAR]
    return min(distances, key=abs, default=None)


def extra(scene: Scene, told: Heard) -> int:
    """Starts before the clip's speech and after it."""
    return sum(not scene.first - _NEAR <= start <= scene.last for start in told.starts)


def _spoken(told: Heard) -> int:
    return sum(stop - start for start, stop in zip(told.starts, told.stops, strict=True))


def _median(values: Iterable[float]) -> float | None:
    listed = list(values)
    return statistics.median(listed) if listed else None


def processor_ms(kind: NoiseReduction) -> float:
    """Processor time in ms for a second of audio, in blocks of 20 ms."""
    signal = float_to_pcm(0.1 * noises.pink(10 * SAMPLE_RATE, np.random.default_rng(_SEED)))
    reducer = NoiseReducer(kind)
    began = time.process_time()
    for at in range(0, len(signal), BLOCK_BYTES):
        reducer.process(signal[at : at + BLOCK_BYTES])
    return (time.process_time() - began) * 1000 / 10


async def bench(clips: Sequence[Clip], model: str) -> Report:
    """Runs everything."""
    speech = statistics.mean(noises.level(clip.samples[noises.active(clip.samples)]) for clip in clips)
    voices = [clip.samples for clip in clips]
    rows: list[Row] = []
    async with Measurement(model) as measurement:
        for noise, snr_db in (("quiet", None), *((noise, snr_db) for snr_db in SNRS_DB for noise in NOISES)):
            alone = None
            if snr_db is not None:
                alone = make_noise(noise, ALONE, np.random.default_rng(_SEED), voices)
                alone *= np.float32(speech / noises.level(alone) / 10 ** (snr_db / 20))
            around = scenes(clips, noise, snr_db)
            for setting in ("off", "near"):
                row = noise, snr_db, False, setting
                rows.append(await measurement.row(around, alone, row, words=True))
        for snr_db in (None, *SNRS_DB):
            around = scenes(clips, DISTANT_NOISE, snr_db, DISTANT_DB)
            for setting in _SETTINGS:
                row = "quiet" if snr_db is None else DISTANT_NOISE, snr_db, True, setting
                rows.append(await measurement.row(around, None, row, words=False))
    costs = {kind.value: processor_ms(kind) for kind in NoiseReduction}
    return Report(len(clips), rows, costs, 1000 * DELAY / SAMPLE_RATE)


def render(report: Report) -> str:
    """The report as text."""
    lines = [
        f"{report.clips} clips; WER of the reduced audio, which a session does not send to speech recognition",
        f"{'noise':<16} {'reduction':<9} {'WER':>7} {'missed':>6} {'extra':>5} {'held':>4} {'start':>7} {'end':>7}"
        f" {'end p90':>8} {'false/min':>9} {'false speech':>12}",
    ]
    for row in report.rows:
        name = row.noise if row.snr_db is None else f"{row.noise} {row.snr_db:.0f} dB"
        name = f"{name} far" if row.distant else name
        lines.append(
            f"{name:<16} {row.reduction:<9} {_shown(row.word_error_rate, '.1f', '%'):>7} {row.missed_starts:>6}"
            f" {row.extra_starts:>5} {row.held_ends:>4} {_shown(row.start_ms, '.0f', 'ms'):>7}"
            f" {_shown(row.end_ms, '.0f', 'ms'):>7} {_shown(row.end_p90_ms, '.0f', 'ms'):>8}"
            f" {_shown(row.false_starts_a_minute, '.0f'):>9} {_shown(row.false_speech_percent, '.0f', '%'):>12}"
        )
    costs = ", ".join(f"{kind} {cost:.1f} ms" for kind, cost in report.processor_ms.items())
    lines += [
        "",
        f"processor time a second of audio: {costs}",
        f"delay: {report.delay_ms:.0f} ms, up to 10 more for a frame",
    ]
    return "\n".join(lines) + "\n"


def _shown(value: float | None, digits: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{digits}} {unit}".rstrip()


def main() -> None:
    """`python -m tests.bench.noise [--json] [--all] [--model NAME]`."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.noise", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--all", action="store_true", help="every synthesized clip, not every second one")
    parser.add_argument("--model", default="whisper-base", help="speech recognition model (default whisper-base)")
    arguments = parser.parse_args()
    store = open_store()
    spoken = synthesized(store)
    report = asyncio.run(bench([*(spoken if arguments.all else spoken[::2]), *recorded(store)], arguments.model))
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n" if arguments.json else render(report))


if __name__ == "__main__":
    main()
