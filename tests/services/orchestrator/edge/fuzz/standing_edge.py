"""One edge over scripted stages for many examples, in a loop that outlives each of them."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

from chassis.metrics import SESSIONS_ACTIVE
from tests.support.edge import scripted_edge
from tests.support.metrics import value_of
from tests.support.scripted import Script


@dataclass(slots=True)
class StandingEdge:
    """Where the edge is, and the loop that it runs in."""

    runner: asyncio.Runner
    address: str
    script: Script


@contextmanager
def standing_edge() -> Iterator[StandingEdge]:
    """Serves until the block ends. Then nobody is connected, and whatever is left of the examples is a leak.

    Raises AssertionError that names the sessions, streams and tasks that are left.
    """
    script = Script(ms_per_character=2)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        address = runner.run(stack.enter_async_context(scripted_edge(script)))
        sessions = value_of(SESSIONS_ACTIVE)
        tasks = runner.run(_tasks())
        yield StandingEdge(runner, address, script)
        left = runner.run(_left(script, sessions, tasks))
        runner.run(stack.aclose())
    assert not left, f"left behind: {left}"


async def _tasks() -> set[str]:
    return {_name(task) for task in asyncio.all_tasks()}


def _name(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", repr(task))


async def _left(script: Script, sessions: float, tasks: set[str]) -> list[str]:
    """What does not go away within ten seconds."""
    left: list[str] = []
    for _ in range(200):
        gc.collect()
        left = [f"{count} {stage} streams" for stage, count in script.streams.items() if count]
        if value_of(SESSIONS_ACTIVE) != sessions:
            left.append(f"{value_of(SESSIONS_ACTIVE) - sessions} sessions")
        left += sorted(await _tasks() - tasks - {"_left"})
        if not left:
            return []
        await asyncio.sleep(0.05)
    return left
