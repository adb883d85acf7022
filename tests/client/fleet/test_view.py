import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from client.fleet.processes import LogLine, ProcessState
from client.fleet.supervisor import Supervisor
from client.fleet.view import FleetView, Row, table
from tests.support.fleets import QUICK, eventually, fleet_of, scripted


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=80, no_color=not terminal), out


@asynccontextmanager
async def running(view: FleetView) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(view.run())
        try:
            yield
        finally:
            view.close()


def test_the_table_shows_what_is_known_of_each_process() -> None:
    shown, out = console(terminal=False)
    rows = [
        Row("llm", 8003, ProcessState.WARMING, seconds=3.6, restarts=0, pid=7),
        Row("tts", 8004, ProcessState.RESTARTING, seconds=0.2, restarts=2, pid=None),
    ]
    shown.print(table(rows, {"llm": 1_234_567_890, "tts": None}))
    heading, llm, tts = out.getvalue().splitlines()
    assert heading.split() == ["service", "port", "state", "seconds", "memory", "restarts"]
    assert llm.split() == ["llm", "8003", "warming", "4", "1235", "MB"]
    assert tts.split() == ["tts", "8004", "restarting", "0", "2"]


async def test_a_long_line_stays_one_line() -> None:
    shown, out = console(terminal=False)
    view = FleetView(shown)
    async with running(view):
        view.write(LogLine("stt", "word " * 100))
    assert out.getvalue() == "stt          | " + "word " * 100 + "\n"


async def test_what_a_process_writes_is_not_taken_for_markup() -> None:
    shown, out = console(terminal=False)
    view = FleetView(shown)
    async with running(view):
        view.write(LogLine("stt", "[red]not[/red] [/oops] :smile:"))
    assert out.getvalue() == "stt          | [red]not[/red] [/oops] :smile:\n"


async def test_lines_that_come_too_fast_are_dropped_from_the_oldest_and_counted() -> None:
    shown, out = console(terminal=False)
    view = FleetView(shown)
    for number in range(5_100):
        view.write(LogLine("stt", f"line {number}"))
    async with running(view):
        pass
    first, second, *_, last = out.getvalue().splitlines()
    assert first == "voxfleet     | 100 lines were dropped: they came faster than they are shown"
    assert (second, last) == ("stt          | line 100", "stt          | line 5099")


async def test_only_the_name_of_the_process_is_coloured() -> None:
    shown, out = console(terminal=True)
    view = FleetView(shown)
    async with running(view):
        view.write(LogLine("stt", "plain"))
    assert out.getvalue() == "\x1b[32mstt          | \x1b[0mplain\n"


async def test_a_terminal_shows_the_table_until_the_fleet_is_ready_and_the_log_all_the_while() -> None:
    shown, out = console(terminal=True)
    view = FleetView(shown)
    async with (
        running(view),
        Supervisor(fleet_of(scripted("llm", "--warm-s", "0.4")), log=view.write, pace=QUICK) as fleet,
    ):
        view.show(fleet)
        view.say("hello")
        await eventually(lambda: "warming" in out.getvalue())
        await fleet.ready(20)
        await eventually(lambda: "is ready after" in out.getvalue())
        drawn = out.getvalue().count("memory")
        view.say("much later")
        await asyncio.sleep(0.4)
        assert out.getvalue().count("memory") == drawn
    assert "hello" in out.getvalue()
    assert "much later" in out.getvalue()
