"""Plans of scripted servers for the tests of the supervisor."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from client.fleet.backoff import RestartLimits
from client.fleet.plan import FleetPlan, ProcessPlan
from client.fleet.ports import PortClaim, free_ports
from client.fleet.probes import GrpcHealth, HttpReady
from client.fleet.processes import LogLine, Pace

QUICK = Pace(warming_s=0.02, ready_s=0.1)
IMPATIENT = RestartLimits(initial_s=0.05, max_s=0.2, stable_s=60, max_failed_starts=3)


def scripted(
    name: str, *args: str, grpc: bool = False, depends_on: tuple[str, ...] = (), drain_s: float = 5.0, **env: str
) -> ProcessPlan:
    """A scripted server on a free port, over HTTP or gRPC."""
    claim = PortClaim("127.0.0.1", free_ports(1)[0], f"VOXFLEET_{name.upper()}_PORT")
    return ProcessPlan(
        name=name,
        module="tests.support.scripted_server",
        args=("--grpc" if grpc else "--http", str(claim.port), *args),
        probe=GrpcHealth(claim.target) if grpc else HttpReady(claim.target),
        claims=(claim,),
        env=env,
        depends_on=frozenset(depends_on),
        drain_s=drain_s,
    )


def fleet_of(*processes: ProcessPlan) -> FleetPlan:
    """A fleet of these processes."""
    return FleetPlan(processes)


class Log:
    """A log sink that keeps every line."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def __call__(self, line: LogLine) -> None:
        self.lines.append(line)

    def of(self, source: str) -> list[str]:
        """What `source` said, in order."""
        return [line.text for line in self.lines if line.source == source]

    def number_after(self, source: str, word: str) -> int:
        """The number that follows `word` in the last line of `source` that has it."""
        line = [text for text in self.of(source) if f"{word} " in text][-1].split()
        return int(line[line.index(word) + 1])


async def eventually(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Waits until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - nothing tells when it does
            await asyncio.sleep(0.01)


async def ended(pid: int, timeout_s: float = 10.0) -> None:
    """Waits until process `pid` is gone, or is a zombie that nobody has reaped yet."""
    async with asyncio.timeout(timeout_s):
        while await asyncio.to_thread(_is_running, pid):  # noqa: ASYNC110 - not a child of this process
            await asyncio.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
