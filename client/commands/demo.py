"""The fleet, up, and one spoken conversation with it: what `make run` and `make demo` do."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.text import Text

from chassis.weights import WeightsError
from client.commands.up import pull_missing
from client.errors import RealtimeError, one_error
from client.fleet.local import ORCHESTRATOR, local_fleet, own_key
from client.fleet.plan import FleetPlan, ProcessPlan
from client.fleet.probes import Readiness
from client.fleet.processes import SUPERVISOR, LogLine
from client.fleet.supervisor import FleetError, Supervisor
from client.fleet.view import FleetView
from client.realtime import RealtimeClient
from client.sound.speech import SpeechError, synthesise
from client.terminal.dialogue import hold_turn
from client.terminal.report import make_console, print_line

QUESTION = "What is the capital of France?"
READY_TIMEOUT_S = 600.0
"""Loading the models takes seconds; a slow disk on a cold start takes minutes."""
_FOREIGN_TIMEOUT_S = 120.0
_POLL_S = 0.5

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    ask: Annotated[
        str, typer.Option(metavar="TEXT", help="The question; it is spoken in its own language.")
    ] = QUESTION,
    keep_serving: Annotated[bool, typer.Option("--keep-serving", help="Keep the fleet up until Ctrl-C.")] = False,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where reply.wav and fleet.log go.")] = Path("out"),
) -> None:
    """Starts the fleet, speaks one question to it, shows the turn and saves the reply.

    A fleet that is already up is used and left up. Exits with status 0 only if the reply was heard.
    """
    console = make_console()
    try:
        out.mkdir(parents=True, exist_ok=True)
        plan = local_fleet()
        edge = next(process for process in plan.processes if process.name == ORCHESTRATOR)
        if asyncio.run(edge.probe.check()) is Readiness.UNREACHABLE:
            pull_missing(plan.models)
            with (out / "fleet.log").open("w", encoding="utf-8") as log_file:
                heard = asyncio.run(_with_own_fleet(console, plan, ask, out, keep_serving, log_file))
        else:
            heard = asyncio.run(_with_running_fleet(console, plan, edge, ask, out))
    except (FleetError, WeightsError, RealtimeError, SpeechError, OSError) as error:
        make_console(stderr=True).print(Text(f"voxfleet demo: {error}", "red"), soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stopped:
        raise typer.Exit(130) from stopped
    raise typer.Exit(0 if heard else 1)


async def _with_running_fleet(console: Console, plan: FleetPlan, edge: ProcessPlan, question: str, out: Path) -> bool:
    try:
        async with asyncio.timeout(_FOREIGN_TIMEOUT_S):
            await _until_ready(edge)
    except TimeoutError as error:
        claim = edge.claims[0]
        raise FleetError(
            f"what listens on {claim.target} does not become a ready fleet; {claim.variable} chooses another port"
        ) from error
    print_line(console, "fleet", f"already up at {plan.url}\n")
    return await _converse(console, plan, question, out)


async def _until_ready(process: ProcessPlan) -> None:
    while True:
        if await process.probe.check() is Readiness.READY:
            return
        await asyncio.sleep(_POLL_S)


async def _with_own_fleet(
    console: Console, plan: FleetPlan, question: str, out: Path, keep_serving: bool, log_file: TextIO
) -> bool:
    journal, screen = FleetView(Console(file=log_file)), FleetView(console)

    def write(line: LogLine) -> None:
        journal.write(line)
        if line.source == SUPERVISOR:
            screen.write(line)

    async with _running(journal), Supervisor(plan, log=write) as fleet:
        screen.show(fleet)
        async with _running(screen):
            seconds = await fleet.ready(READY_TIMEOUT_S)
        print_line(console, "fleet", f"ready after {seconds:.0f} s, its log is {log_file.name}\n")
        try:
            heard = await _converse(console, plan, question, out)
        except (RealtimeError, SpeechError) as error:
            if not keep_serving:
                raise
            print_line(console, "not heard", str(error), style="red")
            heard = False
        if keep_serving:
            print_line(console, "serving", f"{plan.url} until Ctrl-C")
            screen = FleetView(console)
            async with _running(screen):
                await _serve(fleet)
    return heard


async def _serve(fleet: Supervisor) -> None:
    """Returns at SIGINT or SIGTERM; raises FleetError when a process will not be started again."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stopping.set)
    try:
        with one_error():
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(fleet.watch())
                await stopping.wait()
                watching.cancel()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _converse(console: Console, plan: FleetPlan, question: str, out: Path) -> bool:
    targets = {process.name: process.claims[0].target for process in plan.processes}
    pcm = await synthesise(question, target=targets["tts"])
    url = f"ws://{targets[ORCHESTRATOR]}/v1/realtime"
    async with RealtimeClient.connect(url, api_key=own_key()) as client:
        return await hold_turn(client, console, asked=question, pcm=pcm, out=out / "reply.wav")


@asynccontextmanager
async def _running(view: FleetView) -> AsyncIterator[None]:
    """Lets `view` write inside the block, and to its last line."""
    writing = asyncio.create_task(view.run())
    try:
        yield
    finally:
        view.close()
        await writing


if __name__ == "__main__":
    app()
