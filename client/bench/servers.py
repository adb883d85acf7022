"""What is measured: fleets that the benchmark starts itself, each with its own environment, or a server elsewhere."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module

from client.bench.processes import ProcessSample, sample_all
from client.fleet.local import ORCHESTRATOR, SERVICES, BadSettingsError, local_fleet
from client.fleet.plan import FleetPlan
from client.fleet.processes import SUPERVISOR, LogLine, LogSink
from client.fleet.supervisor import Supervisor

READY_TIMEOUT_S = 600.0
"""Loading the models takes seconds; a slow disk on a cold start takes minutes."""
OWN_FLEET = "default"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Variant:
    """A fleet with other environment variables than the rest of the run has."""

    name: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Server:
    """Something to measure: where it speaks Realtime, and its processes where they are on this machine."""

    name: str
    url: str
    pids: Callable[[], Mapping[str, int]] = dict
    """Its processes by name, as far as they are known; they change when one is restarted."""
    tts_target: str | None = None
    stt_target: str | None = None

    async def sample(self) -> dict[str, ProcessSample]:
        """What its processes cost until now."""
        return await asyncio.to_thread(sample_all, self.pids())


def parse_variant(text: str) -> Variant:
    """`NAME=VARIABLE=VALUE[,VARIABLE=VALUE]`. Raises ValueError with what was expected."""
    name, _, assignments = text.partition("=")
    env = {}
    for assignment in assignments.split(","):
        variable, equals, value = assignment.partition("=")
        if not name.strip() or not equals or not _VARIABLE.fullmatch(variable.strip()):
            raise ValueError(f"expected NAME=VARIABLE=VALUE[,VARIABLE=VALUE], got {text!r}")
        env[variable.strip()] = value
    return Variant(name.strip(), env)


def plan(variant: Variant, defaults: Mapping[str, str] | None = None) -> FleetPlan:
    """The fleet of a variant on free ports. `defaults` give way to the environment and to the variant.

    Raises BadSettingsError, also for a VOXFLEET variable that no service has: it would make no difference.
    """
    env = {key: value for key, value in (defaults or {}).items() if key not in os.environ} | dict(variant.env)
    known = {name: _variables(name) for name in SERVICES}
    prefixed = [key for key in env if key.startswith("VOXFLEET_")]
    if unknown := [key for key in prefixed if not any(key in variables for variables in known.values())]:
        raise BadSettingsError(f"{variant.name}: no service has the setting {', '.join(unknown)}")
    others = {key: value for key, value in env.items() if key not in prefixed}
    return local_fleet(
        any_port=True,
        env={name: others | {key: env[key] for key in prefixed if key in known[name]} for name in SERVICES},
    )


@asynccontextmanager
async def running(fleets: Sequence[tuple[Variant, FleetPlan]], log: LogSink) -> AsyncIterator[list[Server]]:
    """Starts the fleets, one after the other, and stops them at the end. Raises FleetError."""
    async with AsyncExitStack() as stack:
        servers = []
        for variant, each in fleets:
            supervisor = await stack.enter_async_context(Supervisor(each, log=log))
            await supervisor.ready(READY_TIMEOUT_S)
            servers.append(_server(variant.name, supervisor))
        yield servers


def _server(name: str, supervisor: Supervisor) -> Server:
    targets = {process.name: process.claims[0].target for process in supervisor.plan.processes}

    def pids() -> dict[str, int]:
        return {each: managed.pid for each, managed in supervisor.processes.items() if managed.pid is not None}

    return Server(name, f"ws://{targets[ORCHESTRATOR]}/v1/realtime", pids, targets["tts"], targets["stt"])


def only_trouble(log: LogSink) -> LogSink:
    """Passes on what the supervisor says of processes that end; the rest of a fleet's log is not for a benchmark."""

    def write(line: LogLine) -> None:
        if line.source == SUPERVISOR and "is ready" not in line.text:
            log(line)

    return write


def _variables(service: str) -> set[str]:
    settings = import_module(f"services.{service}.settings").Settings
    prefix = str(settings.model_config.get("env_prefix", ""))
    return {(prefix + name).upper() for name in settings.model_fields}
