"""The orchestrator's own share of a turn: `python -m tests.bench.overhead`, or `make bench STAGE=overhead`.

Only the orchestrator is real. The stages are scripted processes that answer after fixed times; this process speaks for
all sessions, in real time. Overhead is the latency measured here, from the last block of speech sent to the first audio
received, less those times and the silence that ends a turn.
"""

import argparse
import asyncio
import base64
import itertools
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text
from websockets.asyncio.client import ClientConnection, connect

from client.bench.processes import ProcessSample, cpu_spent, sample_all
from client.bench.report import LATE_SHARE, SHOWN_MARKS, UNKNOWN, late_warning, make_console, new_table, titled
from client.bench.script import PAUSE_S, STAGGER_S
from client.bench.statistics import Spread, median_marks, spread
from client.fleet.local import ORCHESTRATOR, STAGES, local_fleet
from client.fleet.plan import FleetPlan, ProcessPlan
from client.fleet.ports import PortClaim, free_ports
from client.fleet.probes import GrpcHealth
from client.fleet.processes import Pace
from client.fleet.supervisor import Supervisor
from client.speaking import BLOCK_S
from client.turns import SAMPLE_RATE
from tests.bench.stages import Delays
from tests.support.scripted import silence, speech

QUESTION_S = 1.6
STALL_S = 30.0
READY_S = 60.0
_GOALS = (10.0, 25.0, 4.0)
"""Overhead p50 and p99 in ms at 50 sessions; CPU in ms for each second of a session."""


@dataclass(slots=True)
class Turn:
    """One turn: instants of the loop's clock, and the server's marks."""

    spoken_at: float = 0.0
    heard_at: float = 0.0
    draft_kept: bool = False
    marks: Mapping[str, float] = field(default_factory=dict)

    @property
    def latency_ms(self) -> float:
        """Last block of speech sent to first audio received."""
        return (self.heard_at - self.spoken_at) * 1000


@dataclass(frozen=True, slots=True)
class Row:
    """So many sessions side by side. Overhead in ms; CPU in seconds for each second that a session was connected."""

    sessions: int
    turns: int
    failed: int
    overhead: Spread | None
    voice_to_voice: Spread | None
    marks_ms: Mapping[str, float]
    """Medians of the server's marks."""
    drafts_kept: int
    cpu_s: Mapping[str, float]
    client_cpu_s: float
    late_blocks: float
    cores_used: float
    """CPU seconds of all processes for each second of the run."""


class Caller:
    """One session that speaks blocks made beforehand, so that 200 of them fit on one core."""

    def __init__(self, socket: ClientConnection) -> None:
        self.answered: list[Turn] = []
        self.blocks = self.late_blocks = 0
        self._socket = socket
        self._clock = asyncio.get_running_loop().time
        self._left = 0
        self._turn = Turn()
        self._done = asyncio.Event()

    async def converse(self, pauses: Sequence[float]) -> None:
        """Asks once after each pause, in seconds. Raises TimeoutError where a reply does not come."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._speak()), group.create_task(self._listen())]
            for pause_s in pauses:
                await asyncio.sleep(pause_s)
                self._turn = Turn()
                self._done.clear()
                self._left = round(QUESTION_S / BLOCK_S)
                async with asyncio.timeout(STALL_S):
                    await self._done.wait()
                if self._turn.heard_at:
                    self.answered.append(self._turn)
            for task in running:
                task.cancel()

    async def _speak(self) -> None:
        start = self._clock()
        for number in itertools.count(1):
            due = start + number * BLOCK_S
            await asyncio.sleep(due - self._clock())
            now = self._clock()
            self.blocks += 1
            self.late_blocks += now - due >= BLOCK_S
            if self._left:
                self._left -= 1
                self._turn.spoken_at = now
                await self._socket.send(_SPEECH)
            else:
                await self._socket.send(_SILENCE)

    async def _listen(self) -> None:
        async for message in self._socket:
            now = self._clock()
            event = json.loads(message)
            match event["type"]:
                case "response.output_audio.delta" if not self._turn.heard_at:
                    self._turn.heard_at = now
                case "voxfleet.turn.marks":
                    self._turn.draft_kept = event["draft"] == "kept"
                    self._turn.marks = event["marks"]
                case "response.done":
                    self._done.set()


def _append(pcm: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})


_SPEECH = _append(speech(BLOCK_S, SAMPLE_RATE))
_SILENCE = _append(silence(BLOCK_S, SAMPLE_RATE))


def plan(delays: Delays, *, drafts: bool, sessions: int) -> FleetPlan:
    """Four scripted stages and the real orchestrator, with room for `sessions`."""
    ports = dict(zip(STAGES, free_ports(len(STAGES)), strict=True))
    stages = [_stage(name, port, delays) for name, port in ports.items()]
    settings = {
        "MAX_SESSIONS": sessions,
        "TURN_DETECTION": "server_vad",
        "SILENCE_MS": round(delays.silence),
        "STOP_SILENCE_MS": round(delays.stop),
        "DRAFTS": drafts,
        "LOG_LEVEL": "warning",
    } | {f"{name}_TARGET": f"127.0.0.1:{port}" for name, port in ports.items()}
    env = {f"VOXFLEET_ORCHESTRATOR_{key}".upper(): str(value) for key, value in settings.items()}
    (orchestrator,) = local_fleet([ORCHESTRATOR], any_port=True, env={ORCHESTRATOR: env}).processes
    return FleetPlan((*stages, replace(orchestrator, depends_on=frozenset(STAGES))))


def _stage(name: str, port: int, delays: Delays) -> ProcessPlan:
    target = f"127.0.0.1:{port}"
    return ProcessPlan(
        name=name,
        module="tests.bench.stages",
        args=(name, str(port), json.dumps(asdict(delays))),
        probe=GrpcHealth(target),
        env={"OMP_NUM_THREADS": "1"},
        claims=(PortClaim("127.0.0.1", port, f"VOXFLEET_{name.upper()}_PORT"),),
    )


async def measure(fleet: Supervisor, delays: Delays, sessions: int, turns: int) -> Row:
    """Runs `sessions` sessions of one warm-up turn and `turns` more."""
    url = f"ws://{fleet.plan.processes[-1].claims[0].target}/v1/realtime?extensions=voxfleet"
    clock = asyncio.get_running_loop().time
    before, client_before, started = await _sample(fleet), time.process_time(), clock()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_call(url, number, sessions, turns + 1)) for number in range(sessions)]
    after, client_after, ended = await _sample(fleet), time.process_time(), clock()
    callers, seconds = zip(*(task.result() for task in tasks), strict=True)
    turns_heard = [turn for caller in callers for turn in caller.answered[1:]]
    spent = cpu_spent(before, after)
    client_spent = client_after - client_before
    return Row(
        sessions=sessions,
        turns=len(turns_heard),
        failed=sessions * turns - len(turns_heard),
        overhead=spread(each.latency_ms - delays.expected_ms(draft_kept=each.draft_kept) for each in turns_heard),
        voice_to_voice=spread(each.latency_ms for each in turns_heard),
        marks_ms=median_marks(each.marks for each in turns_heard),
        drafts_kept=sum(each.draft_kept for each in turns_heard),
        cpu_s={name: cpu / sum(seconds) for name, cpu in spent.items()},
        client_cpu_s=client_spent / sum(seconds),
        late_blocks=sum(caller.late_blocks for caller in callers) / sum(caller.blocks for caller in callers),
        cores_used=(sum(spent.values()) + client_spent) / (ended - started),
    )


async def _call(url: str, number: int, sessions: int, turns: int) -> tuple[Caller, float]:
    """One session; its answers and how long it was connected. One that stalls or is lost ends early."""
    dice = random.Random(f"{sessions}/{number}")
    clock = asyncio.get_running_loop().time
    await asyncio.sleep((number + dice.random()) * STAGGER_S / sessions)
    async with connect(url, compression=None, max_size=None, proxy=None) as socket:
        caller, started = Caller(socket), clock()
        try:
            await caller.converse([dice.uniform(*PAUSE_S) for _ in range(turns)])
        except* (TimeoutError, OSError) as lost:
            sys.stderr.write(f"session {number + 1}: {lost.exceptions[0]!r}\n")
        return caller, clock() - started


async def _sample(fleet: Supervisor) -> dict[str, ProcessSample]:
    pids = {name: process.pid for name, process in fleet.processes.items() if process.pid is not None}
    return await asyncio.to_thread(sample_all, pids)


async def run(counts: Sequence[int], turns: int, delays: Delays, *, drafts: bool) -> list[Row]:
    """All numbers of sessions against one orchestrator, the fewest first."""
    # Readiness checks would fall into the measurement.
    pace = Pace(ready_s=600.0)
    async with Supervisor(plan(delays, drafts=drafts, sessions=2 * max(counts)), pace=pace) as fleet:
        await fleet.ready(READY_S)
        rows = []
        for sessions in sorted(counts):
            sys.stderr.write(f"{sessions} sessions, {turns} turns each\n")
            rows.append(await measure(fleet, delays, sessions, turns))
        return rows


def tables(rows: Sequence[Row]) -> list[RenderableType]:
    """Overhead and CPU by number of sessions, and whether the machine was the limit."""
    heads = ("sessions", "p50", "p90", "p99", "max", "turns", "failed", "drafts\nkept")
    table = new_table(*heads, "CPU", "CPU of\nstages", "CPU of\nclient", "cores\nused")
    for row in rows:
        found = row.overhead
        latencies = (found.p50, found.p90, found.p99, found.max) if found is not None else ()
        own = row.cpu_s.get(ORCHESTRATOR, 0.0)
        table.add_row(
            str(row.sessions),
            *([f"{value:.1f}" for value in latencies] or [UNKNOWN] * 4),
            *map(str, (row.turns, row.failed, row.drafts_kept)),
            *(f"{cost * 1000:.2f}" for cost in (own, sum(row.cpu_s.values()) - own, row.client_cpu_s)),
            f"{row.cores_used:.2f}",
        )
    p50, p99, cpu = _GOALS
    goals = f"Goals at 50 sessions: p50 {p50:g} ms, p99 {p99:g} ms, CPU {cpu:g} ms."
    title = "The orchestrator's own time in a turn, ms, and CPU, ms for each second of a session"
    late = [
        Text(f"{row.sessions} sessions: {late_warning(row.late_blocks)}", "yellow")
        for row in rows
        if row.late_blocks > LATE_SHARE
    ]
    return [titled(title, table, goals), _marks(rows), *late]


def _marks(rows: Sequence[Row]) -> RenderableType:
    table = new_table("sessions", *SHOWN_MARKS.values(), "heard")
    for row in rows:
        marks = [f"{row.marks_ms[name]:.1f}" if name in row.marks_ms else UNKNOWN for name in SHOWN_MARKS]
        heard = f"{row.voice_to_voice.p50:.1f}" if row.voice_to_voice is not None else UNKNOWN
        table.add_row(str(row.sessions), *marks, heard)
    return titled(
        "Medians of the server's marks, ms after it got the last speech sample",
        table,
        "Heard: after it was sent. The difference to the mark is the way in and the way out.",
    )


def main() -> None:
    """Prints the table; `--json FILE` saves the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overhead", description=__doc__)
    parser.add_argument("--sessions", default="1,10,50,100,200", help="numbers of sessions, separated by commas")
    parser.add_argument("--turns", type=int, default=5, help="turns of each session behind a warm-up turn")
    parser.add_argument("--drafts", action="store_true", help="let replies be prepared while silence is counted")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the figures")
    for name, value in asdict(Delays()).items():
        parser.add_argument(f"--{name}-ms", type=float, default=value, help=f"[{value:g}]")
    options = parser.parse_args()
    delays = Delays(**{name: getattr(options, f"{name}_ms") for name in asdict(Delays())})
    counts = [int(part) for part in options.sessions.split(",")]
    rows = asyncio.run(run(counts, options.turns, delays, drafts=options.drafts))
    console = make_console()
    for part in tables(rows):
        console.print(part)
        console.print()
    if options.json is not None:
        figures = {"delays_ms": asdict(delays), "drafts": options.drafts, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
