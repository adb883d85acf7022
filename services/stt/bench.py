"""Final latency and word error rate of the engine against stock faster-whisper, on the same clips in the same run.

Latency is from "all audio is there" to "the text is there", each clip alone, the language not told. Stock is
`WhisperModel.transcribe` with the same weights, arithmetic and threads: once with its defaults (beam 5, timestamps),
once greedy without timestamps. Contestants take turns at each clip; a clip's latency and processor time are medians
over the rounds. Processor time counts all threads and suffers less than latency where other programs share the cores.
Word errors are counted on lower-case text without punctuation, numbers below 100 spelt out.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import faster_whisper

from chassis.audio import SAMPLE_RATE, Float32, float_to_pcm
from chassis.weights import open_store
from services.stt import bench_streams
from services.stt.bench_clips import Clip, recorded, synthesized
from services.stt.engines.base import SessionConfig
from services.stt.engines.faster_whisper import FasterWhisperEngine
from services.stt.settings import Settings
from services.stt.word_errors import normalized, word_errors

Transcriber = Callable[[Float32], Awaitable[str]]

BASELINE = "stock faster-whisper"


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant over all clips: latencies and total processor time in milliseconds, word error rate in percent."""

    contestant: str
    median_ms: float
    worst_ms: float
    total_ms: float
    processor_ms: float
    times_faster: float
    """Total of the baseline with the same model, divided by this total."""
    word_error_rate: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A contestant's latency and processor time in milliseconds and its word errors, clip by clip."""

    latencies_ms: list[float]
    processor_ms: list[float]
    errors: list[int]


async def measure(contestants: dict[str, Transcriber], clips: Sequence[Clip], rounds: int) -> dict[str, Measured]:
    """Lets every contestant transcribe every clip `rounds` times, in turns."""
    times: dict[str, list[list[tuple[float, float]]]] = {name: [[] for _ in clips] for name in contestants}
    texts: dict[str, list[str]] = {name: ["" for _ in clips] for name in contestants}
    for transcribe in contestants.values():
        await transcribe(clips[0].samples)
    for _ in range(rounds):
        for index, clip in enumerate(clips):
            for name, transcribe in contestants.items():
                processor, started = time.process_time(), time.perf_counter()
                texts[name][index] = await transcribe(clip.samples)
                elapsed = time.perf_counter() - started, time.process_time() - processor
                times[name][index].append((elapsed[0] * 1000, elapsed[1] * 1000))
    references = [normalized(clip.text) for clip in clips]
    return {
        name: Measured(
            [statistics.median(latency for latency, _ in each) for each in times[name]],
            [statistics.median(processor for _, processor in each) for each in times[name]],
            [word_errors(said, normalized(text)) for said, text in zip(references, texts[name], strict=True)],
        )
        for name in contestants
    }


def ours(engine: FasterWhisperEngine) -> Transcriber:
    """The engine as a stream uses it: all audio, then the final."""

    async def transcribe(samples: Float32) -> str:
        session = engine.open(SessionConfig())
        session.accept_audio(float_to_pcm(samples))
        return (await session.final(session.samples)).text

    return transcribe


def stock(model: Any, **options: object) -> Transcriber:
    """`WhisperModel.transcribe` with `options`, its segments joined."""

    async def transcribe(samples: Float32) -> str:
        def job() -> str:
            segments, _ = model.transcribe(samples, **options)
            return "".join(segment.text for segment in segments)

        return await asyncio.to_thread(job)

    return transcribe


async def bench(model: str, clips: Sequence[Clip], rounds: int) -> tuple[list[Row], dict[str, Measured]]:
    """Runs the contest for one model of the weights store."""
    settings = Settings(model=model)
    engine = FasterWhisperEngine(settings)
    await engine.start()
    try:
        whisper = await asyncio.to_thread(
            faster_whisper.WhisperModel,
            str(open_store().directory(model)),
            device=settings.device,
            compute_type=settings.compute_type,
            cpu_threads=settings.cpu_threads,
        )
        contestants = {
            f"voxfleet, {model}": ours(engine),
            f"{BASELINE}, {model}": stock(whisper),
            f"{BASELINE}, {model}, greedy": stock(whisper, beam_size=1, without_timestamps=True),
        }
        measured = await measure(contestants, clips, rounds)
    finally:
        await engine.close()
    baseline = sum(measured[f"{BASELINE}, {model}"].latencies_ms)
    words = sum(len(normalized(clip.text)) for clip in clips)
    rows = [
        Row(
            contestant=name,
            median_ms=statistics.median(each.latencies_ms),
            worst_ms=max(each.latencies_ms),
            total_ms=sum(each.latencies_ms),
            processor_ms=sum(each.processor_ms),
            times_faster=baseline / sum(each.latencies_ms),
            word_error_rate=100 * sum(each.errors) / words,
        )
        for name, each in measured.items()
    ]
    return rows, measured


def table(rows: Sequence[Row]) -> str:
    """The rows for a terminal."""
    head = f"{'':<44} {'median':>8} {'worst':>8} {'total':>9} {'processor':>9} {'faster':>7} {'WER':>7}"
    lines = [
        f"{row.contestant:<44} {row.median_ms:>5.0f} ms {row.worst_ms:>5.0f} ms {row.total_ms:>6.0f} ms"
        f" {row.processor_ms:>6.0f} ms {row.times_faster:>6.2f}x {row.word_error_rate:>5.2f} %"
        for row in rows
    ]
    return "\n".join((head, *lines, ""))


def clip_table(clips: Sequence[Clip], measured: dict[str, Measured]) -> str:
    """Latency and word errors clip by clip, contestants side by side."""
    lines = [f"clip by clip, latency (word errors): {' | '.join(measured)}"]
    for index, clip in enumerate(clips):
        cells = (f"{each.latencies_ms[index]:>6.0f} ms ({each.errors[index]})" for each in measured.values())
        lines.append(f"  {clip.voice:<12} {len(clip.samples) / SAMPLE_RATE:>5.1f} s {' '.join(cells)}")
    return "\n".join((*lines, ""))


def main() -> None:
    """`python -m services.stt.bench [--json] [--rounds N] [--model NAME …] [--streams N,…]`."""
    parser = argparse.ArgumentParser(
        prog="python -m services.stt.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=2, help="times each clip is transcribed (default 2)")
    parser.add_argument(
        "--model", action="append", help="model of the weights store (default: whisper-base and whisper-tiny-en)"
    )
    parser.add_argument(
        "--streams",
        type=lambda text: [int(each) for each in text.split(",")],
        help="so many streams at once, in batches and one at a time, instead of clips one by one; such as 8,32",
    )
    parser.add_argument("--max-batch", type=int, help="with --streams: most finals in one batch")
    parser.add_argument("--max-partial-batch", type=int, help="with --streams: most partials in one batch")
    arguments = parser.parse_args()
    store = open_store()
    people = recorded(store)
    clips = [*synthesized(store), *people]
    if arguments.streams:
        sizes = {"max_batch": arguments.max_batch, "max_partial_batch": arguments.max_partial_batch}
        model = (arguments.model or ["whisper-base"])[0]
        streams = bench_streams.bench(
            model, clips, arguments.streams, arguments.rounds, {name: size for name, size in sizes.items() if size}
        )
        bench_streams.report(asyncio.run(streams), as_json=arguments.json)
        return
    rows: list[Row] = []
    details: dict[str, Measured] = {}
    for model in arguments.model or ("whisper-base", "whisper-tiny-en"):
        more_rows, more_details = asyncio.run(bench(model, clips, arguments.rounds))
        rows += more_rows
        details |= more_details
        if not arguments.json:
            sys.stdout.write(clip_table(clips, more_details))
    if arguments.json:
        report = {
            "clips": [{"voice": clip.voice, "seconds": len(clip.samples) / SAMPLE_RATE} for clip in clips],
            "rows": [asdict(row) for row in rows],
            "measured": {name: asdict(each) for name, each in details.items()},
        }
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stdout.write(f"\n{len(clips)} clips, {len(people)} of them recorded people; {arguments.rounds} rounds\n")
        sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
