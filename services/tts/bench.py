"""`python -m services.tts.bench`: first audio and real-time factor over real gRPC, against speaking whole texts."""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import grpc.aio
import numpy as np
from voxfleet.tts.v1 import tts_pb2, tts_pb2_grpc

from chassis.audio import pcm_to_float
from chassis.server import StageServer
from chassis.weights import open_store
from services.tts.edges import LEAD_IN_MS, speech_bounds
from services.tts.engines.hibari import HibariModel
from services.tts.engines.kokoro import VOICES, WEIGHTS, KokoroModel
from services.tts.engines.synthesis import Utterance
from services.tts.g2p.english import EnglishPhonemizer
from services.tts.settings import Settings
from services.tts.stage import build

PIECES = {
    "en": ("Sure, I can help you with that.", " First, open the door, then walk to the kitchen."),
    "zh": ("当然可以，我来帮你。", "首先打开门，然后走到厨房里去。"),
}
"""A short reply as the orchestrator sends it: by sentences."""
ENGINES = {"en": "hibari", "zh": "kokoro"}


@dataclass(frozen=True, slots=True)
class Row:
    """Medians for one language. Times in milliseconds.

    `first_audio` runs from the first piece sent to the first audio message; the `audible` ones to the first sample that
    is heard: ours, and that of a server which speaks the whole text before it sends any and leaves its silence in.
    """

    language: str
    engine: str
    first_audio_ms: float
    first_audible_ms: float
    baseline_first_audible_ms: float
    real_time_factor: float


@dataclass(frozen=True, slots=True)
class _Run:
    first_audio_s: float
    first_audible_s: float
    real_time_factor: float


async def bench(rounds: int = 7, languages: Sequence[str] = ("en", "zh")) -> list[Row]:
    """One row a language; product and baseline take turns."""
    settings = Settings(port=0, metrics_port=0, engine="embedded")
    server = StageServer(await build(settings), settings)
    try:
        await server.start()
        baselines = await asyncio.to_thread(_baselines, settings.model_threads)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            return [await _measure(channel, language, baselines[language], rounds) for language in languages]
    finally:
        await server.stop(0)


async def _measure(channel: grpc.aio.Channel, language: str, baseline: Callable[[], float], rounds: int) -> Row:
    runs: list[_Run] = []
    whole: list[float] = []
    for _ in range(rounds):
        runs.append(await _speak(channel, language))
        whole.append(await asyncio.to_thread(baseline))
    return Row(
        language,
        ENGINES[language],
        1000 * statistics.median(run.first_audio_s for run in runs),
        1000 * statistics.median(run.first_audible_s for run in runs),
        1000 * statistics.median(whole),
        statistics.median(run.real_time_factor for run in runs),
    )


async def _speak(channel: grpc.aio.Channel, language: str) -> _Run:
    call = tts_pb2_grpc.TextToSpeechServiceStub(channel).Synthesize()
    await call.write(tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(language=language)))
    declared = await call.read()
    assert isinstance(declared, tts_pb2.SynthesizeResponse)
    rate = declared.format.sample_rate_hz
    started = time.perf_counter()
    for piece in PIECES[language]:
        await call.write(tts_pb2.SynthesizeRequest(text=piece))
    await call.done_writing()
    first_s, pcm = 0.0, b""
    while isinstance(response := await call.read(), tts_pb2.SynthesizeResponse):
        first_s = first_s or time.perf_counter() - started
        pcm += response.audio.pcm
    wall_s = time.perf_counter() - started
    samples = pcm_to_float(pcm)
    return _Run(first_s, first_s + _silence_s(samples, rate), wall_s / (len(samples) / rate))


def _baselines(threads: int) -> dict[str, Callable[[], float]]:
    """By language: speaks the whole text and returns the seconds until its first audible sample could be heard."""
    english = EnglishPhonemizer()
    hibari = HibariModel(threads)
    kokoro = KokoroModel(open_store().ensure(WEIGHTS), threads, english)
    speed = np.ones(1, np.float32)

    def whole(language: str, speak: Callable[[str], Utterance]) -> Callable[[], float]:
        def baseline() -> float:
            started = time.perf_counter()
            utterance = speak("".join(PIECES[language]))
            return time.perf_counter() - started + _silence_s(utterance.samples, 24_000)

        baseline()
        return baseline

    return {
        "en": whole("en", lambda text: hibari.speak(english(text), speed)),
        "zh": whole("zh", lambda text: kokoro.speak(kokoro.phonemizers["zh"](text), VOICES["zh"][0], speed)),
    }


def _silence_s(samples: np.ndarray, rate: int) -> float:
    """Seconds of silence before the first sample that is heard."""
    start = speech_bounds(samples, rate)[0] / rate
    return start + LEAD_IN_MS / 1000 if start else 0.0


def main() -> None:
    """Prints the figures as a table, or with `--json` as JSON."""
    parser = argparse.ArgumentParser(prog="python -m services.tts.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each; medians are shown")
    options = parser.parse_args()
    rows = asyncio.run(bench(options.rounds))
    if options.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        return
    heads = ("language", "engine", "first audio", "first audible", "whole text, untrimmed", "gain", "real-time factor")
    lines = [heads] + [
        (
            row.language,
            row.engine,
            f"{row.first_audio_ms:.0f} ms",
            f"{row.first_audible_ms:.0f} ms",
            f"{row.baseline_first_audible_ms:.0f} ms",
            f"{row.baseline_first_audible_ms / row.first_audible_ms:.1f}x",
            f"{row.real_time_factor:.3f}",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


if __name__ == "__main__":
    main()
