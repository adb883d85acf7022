"""How long finals take where many speak at once: batches against one clip at a time, in turns in the same run.

Talking: every stream says one clip after another at the pace of speech, with pauses between them, and takes partials as
the orchestrator does; the latency of a final is from the last audio to the text. At once: every stream asks for the
final of a clip at the same moment, all audio being there, which is the worst that can come. The contestants get the
same clips at the same times; who begins changes from round to round.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from prometheus_client import REGISTRY

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, float_to_pcm, ms_to_samples
from services.stt.bench_clips import Clip
from services.stt.engines.base import Partial, SessionConfig
from services.stt.engines.faster_whisper import FasterWhisperEngine
from services.stt.pace import PartialPace
from services.stt.settings import Settings
from services.stt.utterance import Answer, Asked, Audio, Utterance
from services.stt.word_errors import normalized, word_errors

CHUNK_MS = 100
PARTIAL_INTERVAL_MS = 300
TALK_S = 20.0
"""Length of one round of talking."""
PAUSES_S = (3.0, 9.0)
"""Shortest and longest time between two clips of a stream: somebody else speaks, or thinks."""

TALKING, AT_ONCE = "talking", "at once"


@dataclass(slots=True)
class Tally:
    """What one contestant did in one scene: words said and words wrong, batches that ran and the clips in them."""

    latencies_s: list[float] = field(default_factory=list)
    processor_s: float = 0.0
    partials: int = 0
    words: int = 0
    errors: int = 0
    batches: float = 0.0
    clips: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant in one scene: latencies of finals in milliseconds, processor time of the whole scene in seconds,
    word error rate in percent."""

    scene: str
    streams: int
    contestant: str
    finals: int
    p50_ms: float
    p95_ms: float
    worst_ms: float
    partials: int
    mean_batch: float
    processor_s: float
    word_error_rate: float


async def _talk(engine: FasterWhisperEngine, clips: Sequence[Clip], streams: int, seed: int, tally: Tally) -> None:
    pace = PartialPace(engine.partials_together)
    until = time.monotonic() + TALK_S
    async with asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(_speak(engine, pace, clips, np.random.default_rng((seed, number)), until, tally))


async def _speak(
    engine: FasterWhisperEngine,
    pace: PartialPace,
    clips: Sequence[Clip],
    chance: np.random.Generator,
    until: float,
    tally: Tally,
) -> None:
    next_at = time.monotonic() + chance.uniform(0, PAUSES_S[1])
    while next_at < until:
        clip = clips[int(chance.integers(len(clips)))]
        await asyncio.sleep(next_at - time.monotonic())
        next_at += len(clip.samples) / SAMPLE_RATE + chance.uniform(*PAUSES_S)
        await _utter(engine, pace, clip, tally)


async def _utter(engine: FasterWhisperEngine, pace: PartialPace, clip: Clip, tally: Tally) -> None:
    ended = 0.0

    async def audio() -> AsyncIterator[Audio | Asked]:
        nonlocal ended
        pcm, started = float_to_pcm(clip.samples), time.monotonic()
        step = ms_to_samples(CHUNK_MS) * BYTES_PER_SAMPLE
        for at in range(0, len(pcm), step):
            chunk = pcm[at : at + step]
            spoken = (at + len(chunk)) / BYTES_PER_SAMPLE / SAMPLE_RATE
            await asyncio.sleep(started + spoken - time.monotonic())
            yield Audio(chunk)
        ended = time.perf_counter()

    async def emit(event: Partial | Answer) -> None:
        match event:
            case Partial():
                tally.partials += 1
            case Answer(transcript):
                _count(tally, clip, transcript.text, time.perf_counter() - ended)

    session = engine.open(SessionConfig())
    await Utterance(session, ms_to_samples(PARTIAL_INTERVAL_MS), pace).run(audio(), emit)


async def _ask_at_once(
    engine: FasterWhisperEngine, clips: Sequence[Clip], streams: int, seed: int, tally: Tally
) -> None:
    chance = np.random.default_rng(seed)

    async def ask(clip: Clip) -> None:
        session = engine.open(SessionConfig())
        session.accept_audio(float_to_pcm(clip.samples))
        started = time.perf_counter()
        transcript = await session.final(session.samples)
        _count(tally, clip, transcript.text, time.perf_counter() - started)

    async with asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(ask(clips[int(chance.integers(len(clips)))]))


def _count(tally: Tally, clip: Clip, text: str, latency_s: float) -> None:
    said = normalized(clip.text)
    tally.latencies_s.append(latency_s)
    tally.words += len(said)
    tally.errors += word_errors(said, normalized(text))


SCENES = {TALKING: _talk, AT_ONCE: _ask_at_once}


async def bench(
    model: str, clips: Sequence[Clip], streams: Sequence[int], rounds: int, batched: dict[str, int]
) -> list[Row]:
    """Runs the contest. `batched` are settings of the contestant with batches that differ from the defaults."""
    contestants = {
        "one at a time": FasterWhisperEngine(Settings(model=model, max_batch=1, max_partial_batch=1)),
        "batched": FasterWhisperEngine(Settings(model=model, **batched)),  # type: ignore[arg-type]
    }
    rows: list[Row] = []
    try:
        for engine in contestants.values():
            await engine.start()
        for count in streams:
            for scene, run in SCENES.items():
                tallies = {name: Tally() for name in contestants}
                for number in range(rounds):
                    order = list(contestants) if number % 2 == 0 else list(reversed(contestants))
                    for name in order:
                        before, processor = _batches(), time.process_time()
                        await run(contestants[name], clips, count, number, tallies[name])
                        after = _batches()
                        tallies[name].processor_s += time.process_time() - processor
                        tallies[name].batches += after[0] - before[0]
                        tallies[name].clips += after[1] - before[1]
                rows += [_row(scene, count, name, tally) for name, tally in tallies.items()]
    finally:
        for engine in contestants.values():
            await engine.close()
    return rows


def _batches() -> tuple[float, float]:
    labels = {"stage": "stt"}
    samples = (REGISTRY.get_sample_value(f"voxfleet_batch_size_{name}", labels) for name in ("count", "sum"))
    count, total = (sample or 0.0 for sample in samples)
    return count, total


def _row(scene: str, streams: int, contestant: str, tally: Tally) -> Row:
    latencies = sorted(latency * 1000 for latency in tally.latencies_s)
    return Row(
        scene=scene,
        streams=streams,
        contestant=contestant,
        finals=len(latencies),
        p50_ms=statistics.median(latencies),
        p95_ms=statistics.quantiles(latencies, n=20, method="inclusive")[-1],
        worst_ms=latencies[-1],
        partials=tally.partials,
        mean_batch=tally.clips / tally.batches,
        processor_s=tally.processor_s,
        word_error_rate=100 * tally.errors / tally.words,
    )


def report(rows: Sequence[Row], *, as_json: bool) -> None:
    """Prints the rows."""
    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        return
    sys.stdout.write(
        f"{'':<28} {'finals':>7} {'p50':>8} {'p95':>8} {'worst':>8} {'partials':>9} {'batch':>6}"
        f" {'processor':>9} {'WER':>7}\n"
    )
    for row in rows:
        sys.stdout.write(
            f"{row.streams:>3} {row.scene:<9} {row.contestant:<14} {row.finals:>7} {row.p50_ms:>5.0f} ms"
            f" {row.p95_ms:>5.0f} ms {row.worst_ms:>5.0f} ms {row.partials:>9} {row.mean_batch:>6.1f}"
            f" {row.processor_s:>7.1f} s {row.word_error_rate:>5.2f} %\n"
        )
