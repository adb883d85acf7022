"""Runs a fleet of processes as children: `async with Supervisor(plan) as fleet: await fleet.ready()`.

All processes start at once; each is restarted when it dies (`backoff`). On the way out they get SIGTERM in the
order of `plan.stop_order`: the orchestrator ends its sessions first, while the stages it calls still serve, then
the stages, together. Whoever has not ended after its `drain_s` gets SIGKILL. A supervisor that is itself killed takes
its children with it (`leash`).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from client.fleet.backoff import RestartLimits, RestartPolicy
from client.fleet.leash import DEFAULT_MODE, LeashMode
from client.fleet.plan import FleetPlan, stop_order
from client.fleet.probes import Readiness
from client.fleet.processes import LogLine, LogSink, ManagedProcess, Pace, ProcessState

log = logging.getLogger(__name__)


class FleetError(Exception):
    """The fleet cannot run; the message says which process, why, and what it wrote last."""


class PortInUseError(FleetError):
    """Ports that the fleet needs cannot be listened on; the message has a line for each."""


class NotReadyError(FleetError):
    """The fleet did not become ready in time; the message says in which state each process is."""


def _to_logging(line: LogLine) -> None:
    log.info("%s | %s", line.source, line.text)


class Supervisor:
    """A running fleet. Entering starts it, leaving stops it; both belong in one task.

    `log` gets every line that the processes write and every line about them. Raises PortInUseError on entering, before
    anything is started. The children are tied to the thread that entered: they die when it ends.
    """

    def __init__(
        self,
        plan: FleetPlan,
        *,
        log: LogSink = _to_logging,
        limits: RestartLimits | None = None,
        pace: Pace | None = None,
        leash: LeashMode = DEFAULT_MODE,
    ) -> None:
        self.plan = plan
        limits, pace = limits or RestartLimits(), pace or Pace()
        self._changed = asyncio.Event()
        self._processes = {
            each.name: ManagedProcess(
                each, RestartPolicy(limits), log=log, on_change=self._wake, pace=pace, leash=leash
            )
            for each in plan.processes
        }
        self._tasks = asyncio.TaskGroup()
        self._started_at = 0.0

    @property
    def processes(self) -> Mapping[str, ManagedProcess]:
        """The processes by name: `pid`, `state`, `restarts` of each."""
        return self._processes

    @property
    def all_ready(self) -> bool:
        """Whether each process said READY when it was last asked."""
        return all(process.state is ProcessState.READY for process in self._processes.values())

    async def __aenter__(self) -> Self:
        problems = [
            f"{process.name}: {problem}"
            for process in self.plan.processes
            for claim in process.claims
            if (problem := claim.problem()) is not None
        ]
        if problems:
            raise PortInUseError("\n".join(problems))
        self._started_at = time.monotonic()
        await self._tasks.__aenter__()
        for process in self._processes.values():
            self._tasks.create_task(process.run(), name=f"supervise {process.plan.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            self.kill_all()
            # The body's own error passes as it is; only a failure of the supervision comes as a group.
            await self._tasks.__aexit__(None, None, None)

    async def ready(self, timeout_s: float | None = None) -> float:
        """Waits until every process is ready, asking each once more; returns the seconds since the start.

        Raises FleetError where one will not be started again, NotReadyError after `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    changed = self._changed
                    self._raise_failure()
                    if not self.all_ready:
                        await changed.wait()
                    elif await self._confirm():
                        return time.monotonic() - self._started_at
        except TimeoutError as error:
            states = ", ".join(f"{name} {process.state.value}" for name, process in self._processes.items())
            raise NotReadyError(f"the fleet is not ready after {timeout_s:g} s: {states}") from error

    async def watch(self) -> None:
        """Returns never; raises FleetError when a process will not be started again."""
        while True:
            changed = self._changed
            self._raise_failure()
            await changed.wait()

    async def kill(self, name: str) -> None:
        """Kills the process `name` with SIGKILL and waits for its end; it is restarted like after any crash."""
        await self._processes[name].crash()

    async def stop(self) -> None:
        """Stops every process in order. Leaving the context does the same."""
        for group in stop_order(self.plan.processes):
            async with asyncio.TaskGroup() as stops:
                for name in group:
                    stops.create_task(self._processes[name].stop())

    def kill_all(self) -> None:
        """SIGKILL to every process at once: an end without drain, where `stop` is under way or about to be called."""
        for process in self._processes.values():
            process.kill()

    async def _confirm(self) -> bool:
        checks = [process.check() for process in self._processes.values()]
        return all(readiness is Readiness.READY for readiness in await asyncio.gather(*checks))

    def _raise_failure(self) -> None:
        failures = [process.failure for process in self._processes.values() if process.failure is not None]
        if failures:
            raise FleetError("\n".join(failures))

    def _wake(self) -> None:
        # Whoever waits holds the old event; a change that comes before it waits again is not lost.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
