"""What a fleet consists of: data only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from client.fleet.ports import PortClaim
from client.fleet.probes import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """One process: `python -m <module> <args>` with the supervisor's environment and `env` over it.

    `claims` are the ports it will listen on. It is ready when `probe` says so. `depends_on` names the processes it
    calls: it is stopped before them. `drain_s` is how long it may take to end after SIGTERM, in seconds; SIGKILL
    follows.
    """

    name: str
    module: str
    probe: Probe
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[PortClaim, ...] = ()
    depends_on: frozenset[str] = frozenset()
    drain_s: float = 15.0


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The processes of a fleet, in the order in which they are started and shown.

    `url` is where people reach it (None for a fleet without an orchestrator); `models` are the weights it needs.
    """

    processes: tuple[ProcessPlan, ...]
    url: str | None = None
    models: tuple[str, ...] = ()


def stop_order(processes: Iterable[ProcessPlan]) -> list[list[str]]:
    """Groups of names: a group is stopped together, and only after the group before it has ended.

    Whoever calls others goes first, so that no caller loses the servers under it while it drains.
    """
    processes = list(processes)
    names = {process.name for process in processes}
    sorter = TopologicalSorter({name: set[str]() for name in names})
    for process in processes:
        for dependency in process.depends_on & names:
            sorter.add(dependency, process.name)
    sorter.prepare()
    groups = []
    while sorter.is_active():
        ready = sorter.get_ready()
        groups.append(sorted(ready))
        sorter.done(*ready)
    return groups
