"""Measures the voice activity stage: `python -m services.vad.bench [--json]`.

Batched across sessions is compared with the usual way, the per-frame loop: one onnxruntime call and one hop to a thread
for each frame of each session. Both run in this process, in turn; CPU time is that of all its threads, so "streams a
core" does not depend on how many cores there are.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc.aio
import numpy as np
import onnxruntime
from voxfleet.vad.v1 import vad_pb2, vad_pb2_grpc

from chassis.audio import SAMPLE_RATE, Float32, float_to_pcm, ms_to_samples, pcm_to_float
from chassis.formats import fleet_format
from chassis.server import StageServer
from chassis.weights import open_store
from services.vad.engines import silero, smart_turn
from services.vad.engines.base import Session
from services.vad.engines.onnx import load_onnx
from services.vad.settings import Settings
from services.vad.stage import build

SESSIONS = (1, 8, 32, 64)
FRAME_S = silero.FRAME_SAMPLES / SAMPLE_RATE
MESSAGE_MS = 20
ROUNDS = 3
FRAMES_A_ROUND = 4_000
LIVE_S = 3.0
STREAMING_S = 6.0

Judge = Callable[[Sequence[bytes]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Streams one core can serve: saturated (as fast as it goes) and live (frames come when they are spoken)."""

    sessions: int
    batched: float
    per_frame: float
    ratio: float
    live_batched: float
    live_per_frame: float
    live_ratio: float
    live_batched_p50_ms: float
    live_per_frame_p50_ms: float


@dataclass(frozen=True, slots=True)
class Streaming:
    """The server as a whole, over gRPC with messages of 20 ms: CPU time a frame and the share of a core a session."""

    sessions: int
    us_a_frame: float
    core_percent_a_session: float


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """Smart Turn on one thread, medians."""

    features_ms: float
    model_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """All that the benchmark measures."""

    comparisons: Sequence[Comparison]
    streaming: Sequence[Streaming]
    end_of_turn: EndOfTurn


class PerFrameSession:
    """The baseline: a stream that calls the model for each of its frames alone, through an executor."""

    def __init__(self, model: onnxruntime.InferenceSession, executor: ThreadPoolExecutor) -> None:
        self._model = model
        self._executor = executor
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._context: Float32 = np.zeros(silero.CONTEXT_SAMPLES, np.float32)
        self._state: Float32 = np.zeros((silero.STATE_LAYERS, 1, silero.STATE_SIZE), np.float32)

    async def judge(self, frames: Sequence[bytes]) -> Sequence[float]:
        """See `services.vad.engines.base.Session.judge`."""
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self._executor, self._probability, frame) for frame in frames]

    def _probability(self, frame: bytes) -> float:
        samples = pcm_to_float(frame)
        inputs = np.concatenate((self._context, samples))[np.newaxis]
        found, self._state = self._model.run(None, {"input": inputs, "state": self._state, "sr": self._rate})
        self._context = samples[-silero.CONTEXT_SAMPLES :]
        return float(found[0, 0])


def room_noise(samples: int) -> bytes:
    """PCM s16le of a quiet room, the same each time."""
    noise = np.random.default_rng(0).standard_normal(samples) * 0.002
    return float_to_pcm(noise.astype(np.float32))


async def saturate(judges: Sequence[Judge]) -> float:
    """CPU seconds a frame when each session sends its next frame as soon as the last one is judged."""
    frame = room_noise(silero.FRAME_SAMPLES)
    frames = max(20, FRAMES_A_ROUND // len(judges))

    async def session(judge: Judge) -> None:
        for _ in range(frames):
            await judge([frame])

    started = time.process_time()
    await asyncio.gather(*(session(judge) for judge in judges))
    return (time.process_time() - started) / (frames * len(judges))


async def live(judges: Sequence[Judge]) -> tuple[float, float]:
    """CPU seconds a frame, and median seconds to judge one, when frames come at the pace of speech, out of step."""
    frame = room_noise(silero.FRAME_SAMPLES)
    frames = int(LIVE_S / FRAME_S)
    loop = asyncio.get_running_loop()
    waits: list[float] = []

    async def session(judge: Judge, phase: float) -> None:
        begin = loop.time() + phase
        for number in range(frames):
            await asyncio.sleep(max(0.0, begin + number * FRAME_S - loop.time()))
            sent = loop.time()
            await judge([frame])
            waits.append(loop.time() - sent)

    phases = np.random.default_rng(0).random(len(judges)) * FRAME_S
    started = time.process_time()
    await asyncio.gather(*(session(judge, phase) for judge, phase in zip(judges, phases, strict=True)))
    return (time.process_time() - started) / len(waits), statistics.median(waits)


async def _nothing(frames: Sequence[bytes]) -> None:
    """Judges nothing: what the driver of `live` itself costs."""


async def compare(engine: silero.SileroEngine, model: onnxruntime.InferenceSession, sessions: int) -> Comparison:
    """Batched against per frame at `sessions` sessions, in alternating rounds; medians."""
    with ThreadPoolExecutor(1) as executor, _opened(engine, sessions) as batched:
        sides: tuple[list[Judge], list[Judge]] = (
            [session.judge for session in batched],
            [PerFrameSession(model, executor).judge for _ in range(sessions)],
        )
        saturated: tuple[list[float], list[float]] = ([], [])
        lively: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
        driver: list[float] = []
        for _ in range(ROUNDS):
            driver.append((await live([_nothing] * sessions))[0])
            for side, judges in enumerate(sides):
                saturated[side].append(await saturate(judges))
                lively[side].append(await live(judges))
    fast, slow = (FRAME_S / statistics.median(costs) for costs in saturated)
    overhead = statistics.median(driver)
    live_fast, live_slow = (FRAME_S / (statistics.median(cpu for cpu, _ in costs) - overhead) for costs in lively)
    fast_p50, slow_p50 = (statistics.median(wait for _, wait in costs) * 1000 for costs in lively)
    return Comparison(
        sessions, fast, slow, fast / slow, live_fast, live_slow, live_fast / live_slow, fast_p50, slow_p50
    )


@contextmanager
def _opened(engine: silero.SileroEngine, count: int) -> Iterator[list[Session]]:
    sessions = [engine.open() for _ in range(count)]
    try:
        yield sessions
    finally:
        for session in sessions:
            session.close()


async def stream_over_grpc(sessions: int) -> Streaming:
    """The CPU time of a whole server whose clients, in another process, send a quiet room in messages of 20 ms."""
    settings = Settings(port=0, max_streams=max(SESSIONS))
    async with _server(settings) as port:
        command = ("-m", "services.vad.bench", "--client", str(port), "--sessions", str(sessions))
        client = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert client.stdout is not None
        await client.stdout.readline()
        # Streams open and warm up before the clock starts.
        await asyncio.sleep(1.0)
        began, cpu_began = time.monotonic(), time.process_time()
        await asyncio.sleep(STREAMING_S)
        cpu_s, wall_s = time.process_time() - cpu_began, time.monotonic() - began
        client.terminate()
        await client.communicate()
    return Streaming(sessions, cpu_s / (wall_s / FRAME_S * sessions) * 1e6, cpu_s / wall_s / sessions * 100)


@asynccontextmanager
async def _server(settings: Settings) -> AsyncIterator[int]:
    server = StageServer(await build(settings), settings)
    try:
        await server.start()
        yield server.port
    finally:
        await server.stop(0)


async def run_clients(port: int, sessions: int) -> None:
    """The client process of `stream_over_grpc`; runs until it is terminated."""
    message = room_noise(ms_to_samples(MESSAGE_MS))
    loop = asyncio.get_running_loop()

    async def requests(phase: float) -> AsyncIterator[vad_pb2.DetectRequest]:
        yield vad_pb2.DetectRequest(config=vad_pb2.DetectConfig(format=fleet_format()))
        due = loop.time() + phase
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            yield vad_pb2.DetectRequest(audio=message)
            due += MESSAGE_MS / 1000

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(channel)

        async def session(number: int) -> None:
            async for _ in stub.Detect(requests(number * MESSAGE_MS / 1000 / sessions)):
                pass

        sys.stdout.write("streaming\n")
        sys.stdout.flush()
        await asyncio.gather(*(session(number) for number in range(sessions)))


def time_end_of_turn(settings: Settings, directory: Path) -> EndOfTurn:
    """Features and network of Smart Turn for a turn of 4 s; blocks."""
    model = smart_turn.SmartTurnModel(load_onnx(directory / "model.onnx", settings.end_of_turn_threads))
    turn = room_noise(4 * SAMPLE_RATE)
    features_s, model_s = [], []
    for _ in range(20):
        started = time.perf_counter()
        inputs = smart_turn.features(turn)
        extracted = time.perf_counter()
        model.probability(inputs)
        features_s.append(extracted - started)
        model_s.append(time.perf_counter() - extracted)
    return EndOfTurn(statistics.median(features_s) * 1000, statistics.median(model_s) * 1000)


async def bench() -> Report:
    """Runs everything; two to three minutes."""
    settings = Settings(max_streams=max(SESSIONS))
    store = open_store()
    directory = await asyncio.to_thread(store.ensure, silero.WEIGHTS)
    model = await asyncio.to_thread(load_onnx, directory / "model.onnx", settings.threads)
    engine = silero.SileroEngine(settings)
    try:
        await engine.start()
        comparisons = [await compare(engine, model, sessions) for sessions in SESSIONS]
    finally:
        await engine.close()
    streaming = [await stream_over_grpc(sessions) for sessions in SESSIONS]
    turn_directory = await asyncio.to_thread(store.ensure, smart_turn.WEIGHTS)
    return Report(comparisons, streaming, await asyncio.to_thread(time_end_of_turn, settings, turn_directory))


def render(report: Report) -> str:
    """The report as text."""
    lines = [
        "Silero VAD: streams a core, frames of all sessions in batches against a call for each frame",
        "sessions  saturated: batched  per frame  ratio  live: batched  per frame  ratio  p50 ms: batched  per frame",
    ]
    lines += [
        f"{c.sessions:>8}{c.batched:>20.0f}{c.per_frame:>11.0f}{c.ratio:>6.1f}x{c.live_batched:>15.0f}"
        f"{c.live_per_frame:>11.0f}{c.live_ratio:>6.1f}x{c.live_batched_p50_ms:>17.2f}{c.live_per_frame_p50_ms:>11.2f}"
        for c in report.comparisons
    ]
    lines += [
        "",
        f"The server over gRPC, messages of {MESSAGE_MS} ms, idle sessions",
        "sessions   µs a frame   % of a core",
    ]
    lines += [f"{s.sessions:>8} {s.us_a_frame:>12.0f} {s.core_percent_a_session:>13.2f}" for s in report.streaming]
    turn = report.end_of_turn
    lines += ["", f"Smart Turn: features {turn.features_ms:.1f} ms, network {turn.model_ms:.1f} ms"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the report, or streams as the client process of the gRPC measurement."""
    parser = argparse.ArgumentParser(prog="python -m services.vad.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--client", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--sessions", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client is not None:
        asyncio.run(run_clients(arguments.client, arguments.sessions))
        return
    report = asyncio.run(bench())
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n" if arguments.json else render(report))


if __name__ == "__main__":
    main()
