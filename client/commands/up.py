"""`voxfleet up`: pulls the weights that are missing, starts the fleet, keeps it running."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from chassis.settings import load
from chassis.weights import FileState, WeightsError, WeightsSettings, open_store
from client.commands import weights
from client.fleet.leash import DEFAULT_MODE, LeashMode
from client.fleet.local import SERVICES, BadSettingsError, local_fleet
from client.fleet.plan import FleetPlan
from client.fleet.supervisor import FleetError, Supervisor
from client.fleet.view import FleetView

KILLED_STATUS = 130
"""Exit status after a second Ctrl-C, as shells report an interrupted program."""

app = typer.Typer(add_completion=False)


@app.command()
def up(
    only: Annotated[
        str, typer.Option(metavar="NAMES", help=f"Services to start, separated by commas: {', '.join(SERVICES)}.")
    ] = ",".join(SERVICES),
    any_port: Annotated[bool, typer.Option("--any-port", help="Let every server listen on a free port.")] = False,
) -> None:
    """Starts the fleet on this machine and keeps it running until Ctrl-C.

    Each process is configured by its own environment variables; `python -m services.NAME --help` lists them. Ctrl-C
    drains the fleet, a second one kills it.
    """
    console = Console()
    try:
        plan = local_fleet([name.strip() for name in only.split(",") if name.strip()], any_port=any_port)
        pull_missing(plan.models)
        status = asyncio.run(serve(plan, console))
    except (FleetError, WeightsError) as error:
        Console(stderr=True).print(f"voxfleet up: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, BadSettingsError) else 1) from error
    raise typer.Exit(status)


def pull_missing(models: Sequence[str]) -> None:
    """Pulls those of `models` that are not here yet, with its progress. Blocks; raises WeightsError or typer.Exit."""
    store = open_store(load(WeightsSettings, "voxfleet", []))
    missing = [name for name in models if set(store.state(name).values()) != {FileState.READY}]
    if missing:
        weights.pull(missing)


async def serve(plan: FleetPlan, console: Console, *, leash: LeashMode = DEFAULT_MODE) -> int:
    """Runs the fleet until SIGINT, SIGTERM or SIGHUP; returns the exit status. Raises FleetError."""
    view = FleetView(console)
    stopping = asyncio.Event()
    fleet = Supervisor(plan, log=view.write, leash=leash)
    view.show(fleet)
    killed = False

    def on_signal() -> None:
        nonlocal killed
        if stopping.is_set():
            killed = True
            view.say("killing every process")
            fleet.kill_all()
        else:
            view.say("draining; again to kill")
            stopping.set()

    writing = asyncio.create_task(view.run())
    try:
        with _signals(on_signal):
            async with fleet:
                await _until(stopping, fleet, view, writing)
        view.say("stopped")
    finally:
        view.close()
        await writing
    return KILLED_STATUS if killed else 0


async def _until(stopping: asyncio.Event, fleet: Supervisor, view: FleetView, writing: asyncio.Task[None]) -> None:
    running = asyncio.create_task(_announce(fleet, view))
    stop_wanted = asyncio.create_task(stopping.wait())
    try:
        # A log that nobody can read any more (a closed pipe) ends the fleet too.
        await asyncio.wait({running, stop_wanted, writing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, stop_wanted):
            task.cancel()
        await asyncio.gather(running, stop_wanted, return_exceptions=True)


async def _announce(fleet: Supervisor, view: FleetView) -> None:
    seconds = await fleet.ready()
    where = fleet.plan.url or ", ".join(f"{each.name} on {each.claims[0].target}" for each in fleet.plan.processes)
    view.say(f"the fleet is ready after {seconds:.1f} s: {where}")
    await fleet.watch()


@contextmanager
def _signals(callback: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
