"""`voxfleet weights`: list, pull and verify the model files."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from chassis.weights import (
    FileState,
    Phase,
    Progress,
    Report,
    SourceName,
    WeightsError,
    WeightsSettings,
    WeightsStore,
    open_store,
    source_order,
)

app = typer.Typer(add_completion=False, help="List, pull and verify the model files.", no_args_is_help=True)

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
STEP = 10
"""Percent between two lines of a pull that nobody watches."""

Names = Annotated[list[str] | None, typer.Argument(help="models; all where none is named", show_default=False)]


@app.command("list")
def list_models() -> None:
    """Every model: what it is, its size and licence, where it can be had, and whether it is here."""
    with _reported():
        store = _open()
        rows = []
        for model in store.catalog.models.values():
            sources = [
                *([SourceName.REGISTRY] if all(file.parts for file in model.files) else []),
                *([SourceName.HUB] if all(file.hub for file in model.files) else []),
            ]
            state = _summary(store.state(model.name).values())
            rows.append((model.name, state, _megabytes(model.size), model.licence, ",".join(sources), model.summary))
        console = Console()
        if console.is_terminal:
            table = Table("model", "state", "size", "licence", "sources", "what it is", box=None)
            for row in rows:
                table.add_row(*(Text(cell) for cell in row))
            console.print(table)
        else:
            for row in rows:
                typer.echo("\t".join(row))
        typer.echo(f"in {store.root}", err=True)


@app.command()
def pull(
    names: Names = None,
    source_order: Annotated[
        str | None,
        typer.Option(
            help="where files come from, first one first: registry,hub (default: VOXFLEET_WEIGHTS_SOURCES)",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetches models that are not here yet; an interrupted pull goes on where it stopped."""
    with _reported():
        store = _open(source_order)
        chosen = _chosen(store, names)
        failed = False
        for name in chosen:
            started = time.monotonic()
            try:
                with _shown() as report:
                    directory = store.ensure(name, report)
            except WeightsError as error:
                typer.echo(f"error: {error}", err=True)
                failed = True
            else:
                size = _megabytes(store.catalog[name].size)
                typer.echo(f"{name}: ready, {size} in {directory} ({time.monotonic() - started:.1f} s)")
        if failed:
            raise typer.Exit(FAILED)


@app.command()
def verify(names: Names = None) -> None:
    """Hashes the files that are here again, of all models or the named ones; a model that is named must be here."""
    with _reported():
        store = _open()
        bad = False
        for name in _chosen(store, names):
            if not names and _is_absent(store, name):
                typer.echo(f"{name}: not pulled")
                continue
            with _shown() as report:
                states = store.verify(name, report)
            wrong = {file: state for file, state in states.items() if state is not FileState.READY}
            for file, state in wrong.items():
                typer.echo(f"error: {name}/{file}: {state}; `voxfleet weights pull {name}` fetches it", err=True)
            if not wrong:
                typer.echo(f"{name}: ok")
            bad = bad or bool(wrong)
        if bad:
            raise typer.Exit(FAILED)


@contextmanager
def _reported() -> Iterator[None]:
    """Turns the errors of the store and Ctrl-C into one line and an exit status."""
    try:
        yield
    except WeightsError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        typer.echo("interrupted; what has arrived is kept for the next pull", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _open(order: str | None = None) -> WeightsStore:
    try:
        settings = WeightsSettings()
        if order is not None:
            settings = settings.model_copy(update={"sources": source_order(order)})
    except ValidationError as error:
        for problem in error.errors():
            variable = "VOXFLEET_WEIGHTS_" + str(problem["loc"][0]).upper()
            typer.echo(f"error: {variable}: {problem['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(MISUSED) from error
    except ValueError as error:
        typer.echo(f"error: --source-order: {error}", err=True)
        raise typer.Exit(MISUSED) from error
    return open_store(settings)


def _chosen(store: WeightsStore, names: Sequence[str] | None) -> list[str]:
    """The models asked for, each once; raises `UnknownModelError` before any work is done."""
    return [store.catalog[name].name for name in dict.fromkeys(names or store.catalog.models)]


def _is_absent(store: WeightsStore, name: str) -> bool:
    return set(store.state(name).values()) == {FileState.MISSING}


def _summary(states: Iterable[FileState]) -> str:
    seen = set(states)
    if len(seen) == 1:
        return seen.pop().value
    return "corrupt" if FileState.CORRUPT in seen else "incomplete" if FileState.MISSING in seen else "unverified"


@contextmanager
def _shown() -> Iterator[Report]:
    """A report that draws a bar on a terminal and prints a line every `STEP` percent elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def report(progress: Progress) -> None:
            description = f"{progress.model} {progress.phase}"
            bars.update(task, description=description, completed=progress.done, total=progress.total)

        yield report


class _Lines:
    """Progress as lines, for logs."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._next = 0

    def __call__(self, progress: Progress) -> None:
        percent = 100 * progress.done // progress.total
        if progress.phase is not self._phase:
            self._phase, self._next = progress.phase, percent
        if percent < self._next or progress.phase is Phase.DONE:
            return
        self._next = percent - percent % STEP + STEP
        done, total = _megabytes(progress.done), _megabytes(progress.total)
        typer.echo(f"{progress.model}: {progress.phase}, {done} of {total} ({percent} %)", err=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
