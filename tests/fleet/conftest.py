"""The real fleet, started once: five processes on free ports, real models."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from client.fleet.local import local_fleet
from client.fleet.plan import FleetPlan
from client.fleet.processes import LogLine
from client.fleet.supervisor import Supervisor
from tests.support.pages import serving_pages

READY_TIMEOUT_S = 180.0
CLIENTS = Path(__file__).parent / "clients"
PACKAGES = Path(__file__).parents[1] / "browser" / "node_modules"
"""What npm installed: clients that other people wrote."""


@dataclass(slots=True)
class Fleet:
    """A running fleet. Its supervisor lives in a thread of its own, so that tests keep their event loop."""

    plan: FleetPlan
    pages: str
    """Origin of the pages in `clients/`, the one that the edge allows besides its own."""
    log: list[str] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None
    _supervisor: Supervisor | None = None
    _stop: asyncio.Event | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _failure: BaseException | None = None

    @property
    def address(self) -> str:
        """`host:port` of the edge."""
        assert self.plan.url is not None
        return self.plan.url.removeprefix("http://").replace("localhost", "127.0.0.1")

    @property
    def realtime_url(self) -> str:
        """URL of the Realtime protocol."""
        return f"ws://{self.address}/v1/realtime"

    def target(self, service: str) -> str:
        """`host:port` of a stage."""
        process = next(process for process in self.plan.processes if process.name == service)
        return process.claims[0].target

    def pid(self, service: str) -> int:
        """Process id of a service."""
        assert self._supervisor is not None
        pid = self._supervisor.processes[service].pid
        assert pid is not None
        return pid

    async def kill(self, service: str) -> None:
        """Kills a service with SIGKILL; the supervisor starts it again."""
        assert self._supervisor is not None
        await self._there(self._supervisor.kill(service))

    async def ready(self) -> None:
        """Waits until every process is ready."""
        assert self._supervisor is not None
        await self._there(self._supervisor.ready(READY_TIMEOUT_S))

    async def _there(self, work: Coroutine[Any, Any, Any]) -> None:
        assert self._loop is not None
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def start(self) -> None:
        """Starts the fleet and waits until it is ready."""
        threading.Thread(target=lambda: asyncio.run(self._run()), name="fleet", daemon=True).start()
        self._ready.wait(READY_TIMEOUT_S)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Drains the fleet."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def _write(self, line: LogLine) -> None:
        self.log.append(f"{line.source}: {line.text}")

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with Supervisor(self.plan, log=self._write) as supervisor:
                self._supervisor = supervisor
                await supervisor.ready(READY_TIMEOUT_S)
                self._ready.set()
                await self._stop.wait()
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()


_ORCHESTRATOR = {
    # Greedy: the model says much the same in every run.
    "TEMPERATURE": "0",
    # Tests are about what happens, not about when: a busy machine may take its time.
    "TRANSCRIPT_TIMEOUT_S": "120",
    "FIRST_TOKEN_TIMEOUT_S": "120",
    "FIRST_AUDIO_TIMEOUT_S": "120",
    "LLM_DEADLINE_S": "300",
}


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """The fleet of the whole test session."""
    settings = {f"VOXFLEET_ORCHESTRATOR_{name}": value for name, value in _ORCHESTRATOR.items()}
    with serving_pages(CLIENTS, npm=PACKAGES) as pages:
        settings["VOXFLEET_ORCHESTRATOR_ALLOWED_ORIGINS"] = pages
        running = Fleet(local_fleet(any_port=True, env={"orchestrator": settings}), pages)
        running.start()
        yield running
        running.stop()
