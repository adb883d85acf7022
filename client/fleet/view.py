"""What `voxfleet up` shows: one log of all processes and, on a terminal, a table while not all of them are ready."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from client.fleet.memory import resident_bytes
from client.fleet.processes import SUPERVISOR, LogLine, ProcessState
from client.fleet.supervisor import Supervisor

_MAX_PENDING_LINES = 5_000
_REFRESH_S = 0.25
_SOURCE_WIDTH = 12
_COLOURS = {
    "vad": "cyan",
    "stt": "green",
    "llm": "magenta",
    "tts": "yellow",
    "orchestrator": "blue",
    SUPERVISOR: "bold",
}
_STATE_COLOURS = {
    ProcessState.READY: "green",
    ProcessState.WARMING: "yellow",
    ProcessState.RESTARTING: "red",
    ProcessState.FAILED: "bold red",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One process as the table shows it; `seconds` counts from the start of its life, or from the end of the last."""

    name: str
    port: int | None
    state: ProcessState
    seconds: float
    restarts: int
    pid: int | None


def rows(fleet: Supervisor, now: float) -> list[Row]:
    """The processes of `fleet` at `now` (monotonic seconds)."""
    return [
        Row(
            name=name,
            port=process.plan.claims[0].port if process.plan.claims else None,
            state=process.state,
            seconds=now - process.since,
            restarts=process.restarts,
            pid=process.pid,
        )
        for name, process in fleet.processes.items()
    ]


def table(rows: list[Row], memory: dict[str, int | None]) -> Table:
    """The rows as a table; `memory` is each process' resident bytes (None: not known)."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("service", "port", "state"):
        shown.add_column(heading)
    for heading in ("seconds", "memory", "restarts"):
        shown.add_column(heading, justify="right")
    for row in rows:
        size = memory.get(row.name)
        shown.add_row(
            Text(row.name, _COLOURS.get(row.name, "")),
            "" if row.port is None else str(row.port),
            Text(row.state.value, _STATE_COLOURS.get(row.state, "")),
            f"{row.seconds:.0f}",
            "" if size is None else megabytes(size),
            str(row.restarts) if row.restarts else "",
        )
    return shown


def megabytes(size: int) -> str:
    """`123 MB`, in units of 10^6 bytes."""
    return f"{size / 1e6:.0f} MB"


class FleetView:
    """Writes the log, in whole lines, from one thread at a time, whoever they come from.

    `write` never blocks and may be called from the event loop. Where the terminal takes lines more slowly than they
    come, the oldest waiting ones are dropped, and the log says how many. `run` does the writing until `close`.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: deque[LogLine] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._closed = False
        self._live: Live | None = None
        self._fleet: Supervisor | None = None

    def show(self, fleet: Supervisor) -> None:
        """The fleet that the table is about."""
        self._fleet = fleet

    def write(self, line: LogLine) -> None:
        """Adds a line to the log."""
        if len(self._lines) >= _MAX_PENDING_LINES:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(line)
        self._wake.set()

    def say(self, text: str) -> None:
        """Adds a line of the supervisor's own to the log."""
        self.write(LogLine(SUPERVISOR, text))

    def close(self) -> None:
        """Lets `run` write what is waiting, and end."""
        self._closed = True
        self._wake.set()

    async def run(self) -> None:
        """Writes lines as they come and keeps the table fresh."""
        while True:
            await self._something_to_write()
            self._wake.clear()
            last = self._closed
            lines, self._lines = self._lines, deque()
            dropped, self._dropped = self._dropped, 0
            current = rows(self._fleet, time.monotonic()) if self._table_wanted() and self._fleet else None
            await asyncio.to_thread(self._draw, lines, dropped, current)
            if last:
                return

    async def _something_to_write(self) -> None:
        try:
            # Without a table there is nothing to refresh, so an idle fleet's view sleeps.
            async with asyncio.timeout(_REFRESH_S if self._table_wanted() else None):
                await self._wake.wait()
        except TimeoutError:
            return  # time to draw the table again

    def _table_wanted(self) -> bool:
        return self._console.is_terminal and not self._closed and self._fleet is not None and not self._fleet.all_ready

    def _draw(self, lines: deque[LogLine], dropped: int, current: list[Row] | None) -> None:
        if dropped:
            lines.appendleft(LogLine(SUPERVISOR, f"{dropped} lines were dropped: they came faster than they are shown"))
        for line in lines:
            prefix = (f"{line.source:<{_SOURCE_WIDTH}} | ", _COLOURS.get(line.source, ""))
            # Not wrapped: a line of the log stays a line for whoever reads it from a pipe.
            self._console.print(Text.assemble(prefix, line.text), soft_wrap=True, highlight=False)
        if current is None:
            if self._live is not None:
                self._live.stop()
                self._live = None
            return
        memory = {row.name: resident_bytes(row.pid) if row.pid is not None else None for row in current}
        if self._live is None:
            # Transient: when everything is ready the log goes on where the table was.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(table(current, memory), refresh=True)
