"""One supervised process: started, watched, restarted, stopped."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

from client.fleet.backoff import GiveUp, Restart, RestartPolicy
from client.fleet.leash import DEFAULT_MODE, LeashMode, leashed_command
from client.fleet.lines import LineSplitter
from client.fleet.plan import ProcessPlan
from client.fleet.probes import Readiness

MAX_LINE_BYTES = 2_000
_TAIL_LINES = 5
_OUTPUT_END_S = 1.0
"""How long the output of a dead process may take to end; only a descendant in a session of its own can hold it open."""


class ProcessState(Enum):
    """Where a process is in its life; `_NEXT` says what may follow what."""

    PENDING = "pending"
    STARTING = "starting"
    WARMING = "warming"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


_END = frozenset({ProcessState.RESTARTING, ProcessState.STOPPING, ProcessState.STOPPED, ProcessState.FAILED})
_NEXT = {
    ProcessState.PENDING: frozenset({ProcessState.STARTING, ProcessState.STOPPED}),
    ProcessState.STARTING: frozenset({ProcessState.WARMING, ProcessState.READY}) | _END,
    ProcessState.WARMING: frozenset({ProcessState.READY}) | _END,
    ProcessState.READY: frozenset({ProcessState.WARMING}) | _END,
    ProcessState.RESTARTING: frozenset({ProcessState.STARTING, ProcessState.STOPPED}),
    ProcessState.STOPPING: frozenset({ProcessState.STOPPED}),
    ProcessState.STOPPED: frozenset[ProcessState](),
    ProcessState.FAILED: frozenset[ProcessState](),
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the fleet's log. `source` is a process' name, or `voxfleet` for what the supervisor itself says."""

    source: str
    text: str


LogSink = Callable[[LogLine], None]
"""Takes one line. Called in the event loop, so it must not block."""

SUPERVISOR = "voxfleet"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a process is asked whether it is ready, in seconds between checks."""

    warming_s: float = 0.25
    ready_s: float = 2.0


def describe_exit(returncode: int) -> str:
    """`exited with status 1`, `was killed by SIGKILL`."""
    if returncode >= 0:
        return f"exited with status {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


class ManagedProcess:
    """A process and its restarts. `run` is its whole life; the other methods are called while it runs."""

    def __init__(
        self,
        plan: ProcessPlan,
        policy: RestartPolicy,
        *,
        log: LogSink,
        on_change: Callable[[], None],
        pace: Pace,
        leash: LeashMode = DEFAULT_MODE,
    ) -> None:
        self.plan = plan
        self.state = ProcessState.PENDING
        self.pid: int | None = None
        """Process id of the present life; None between lives."""
        self.restarts = 0
        self.failure: str | None = None
        """Why the process will not be started again: a sentence."""
        self.since = time.monotonic()
        """When the present life began, or the last one ended (monotonic seconds)."""
        self._policy = policy
        self._log = log
        self._on_change = on_change
        self._pace = pace
        self._leash = leash
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._life_over = asyncio.Event()

    async def run(self) -> None:
        """Starts the process, again and again as the policy says, until `stop` or until the policy gives up."""
        try:
            while not self._stopping.is_set():
                self._tail.clear()
                returncode = await self._live()
                if self._stopping.is_set():
                    break
                match self._policy.exited(time.monotonic(), returncode):
                    case GiveUp(reason):
                        self._fail(f"{self.plan.name} {describe_exit(returncode)}: {reason}")
                        return
                    case Restart(delay_s):
                        self.restarts += 1
                        self._say(f"{self.plan.name} {describe_exit(returncode)}; starting it again in {delay_s:g} s")
                        self._move(ProcessState.RESTARTING)
                        self._life_over.set()
                        await self._pause(delay_s)
            self._move(ProcessState.STOPPED)
        finally:
            self._life_over.set()
            self._ended.set()

    async def stop(self) -> None:
        """SIGTERM, then, where `plan.drain_s` was not enough, SIGKILL. Returns when the process is gone for good."""
        self._stopping.set()
        try:
            if self.pid is not None:
                self._terminate(self.pid)
            async with asyncio.timeout(self.plan.drain_s):
                await self._ended.wait()
        except TimeoutError:
            self._say(f"{self.plan.name} did not end within {self.plan.drain_s:g} s of SIGTERM; killing it")
        finally:
            self.kill()
        await self._ended.wait()

    def kill(self) -> None:
        """SIGKILL to the process and its descendants at once; without `stop` before it, a crash like any other."""
        if self.pid is not None:
            _kill_group(self.pid)

    async def crash(self) -> None:
        """`kill`, and waits until the supervisor has seen it."""
        life_over = self._life_over
        if self.pid is not None:
            self.kill()
            await life_over.wait()

    async def check(self) -> Readiness:
        """Asks the process now; the state follows the answer."""
        life = self.pid
        readiness = await self.plan.probe.check()
        # An answer that comes after the end of the life it was asked of says nothing about the next one.
        if life is not None and life == self.pid and not self._stopping.is_set():
            self._heard(readiness)
        return readiness

    async def _live(self) -> int:
        self._life_over = asyncio.Event()
        output_end, output = os.pipe()
        leash_end, leash = os.pipe()
        reader = asyncio.StreamReader()
        transport = await _read_pipe(reader, os.fdopen(output_end, "rb", buffering=0))
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    *leashed_command(self.plan.module, self.plan.args, self._leash),
                    stdin=leash_end,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **self.plan.env},
                    # Ctrl-C in the terminal is for the supervisor, which stops the fleet in order.
                    start_new_session=True,
                )
            finally:
                os.close(output)
                os.close(leash_end)
            async with asyncio.TaskGroup() as tasks:
                pump = tasks.create_task(self._pump(reader))
                watch = tasks.create_task(self._watch())
                try:
                    self._begin(process.pid)
                    await process.wait()
                finally:
                    # Also the end of descendants that would otherwise keep ports, memory and the output pipe.
                    _kill_group(process.pid)
                    returncode = await process.wait()
                    self.pid = None
                    self.since = time.monotonic()
                    watch.cancel()
                    await asyncio.wait({pump}, timeout=_OUTPUT_END_S)
                    pump.cancel()
            return returncode
        finally:
            os.close(leash)
            transport.close()

    def _begin(self, pid: int) -> None:
        self.pid = pid
        self.since = time.monotonic()
        self._move(ProcessState.STARTING)
        if self._stopping.is_set():
            self._terminate(pid)

    def _terminate(self, pid: int) -> None:
        if self.state is not ProcessState.STOPPING:
            self._move(ProcessState.STOPPING)
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return  # it has just ended by itself, which is what was wanted

    async def _watch(self) -> None:
        while True:
            await self.check()
            await asyncio.sleep(self._pace.ready_s if self.state is ProcessState.READY else self._pace.warming_s)

    def _heard(self, readiness: Readiness) -> None:
        match readiness, self.state:
            case Readiness.READY, ProcessState.STARTING | ProcessState.WARMING:
                self._policy.ready(time.monotonic())
                self._move(ProcessState.READY)
                self._say(f"{self.plan.name} is ready after {time.monotonic() - self.since:.1f} s")
            case Readiness.WARMING, ProcessState.STARTING:
                self._move(ProcessState.WARMING)
            case ((Readiness.WARMING | Readiness.UNREACHABLE), ProcessState.READY):
                self._move(ProcessState.WARMING)
                self._say(f"{self.plan.name} is not ready any more ({readiness.value})")
            case _:
                return

    async def _pump(self, reader: asyncio.StreamReader) -> None:
        splitter = LineSplitter(MAX_LINE_BYTES)
        while data := await reader.read(1 << 16):
            self._emit(splitter.push(data))
        self._emit(splitter.flush())

    def _emit(self, lines: list[str]) -> None:
        for line in lines:
            self._tail.append(line)
            self._log(LogLine(self.plan.name, line))

    def _fail(self, reason: str) -> None:
        self.failure = "\n  ".join((reason, *self._tail))
        self._say(reason)
        self._move(ProcessState.FAILED)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return  # nobody asked to stop

    def _say(self, text: str) -> None:
        self._log(LogLine(SUPERVISOR, text))

    def _move(self, state: ProcessState) -> None:
        if state not in _NEXT[self.state]:
            raise RuntimeError(f"{self.plan.name} cannot go from {self.state.value} to {state.value}")
        self.state = state
        self._on_change()


async def _read_pipe(reader: asyncio.StreamReader, pipe: BinaryIO) -> asyncio.BaseTransport:
    # Pipes of our own, because `Process.wait` does not return before asyncio's pipes end, and a descendant of the
    # process can hold those open.
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return transport


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody is left in the group, which is what was wanted
