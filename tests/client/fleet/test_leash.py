"""Children of a supervisor that was killed with SIGKILL, on both leashes."""

import asyncio
import os
import sys

import pytest

from tests.support.fleets import ended
from tests.support.runner import running_up


@pytest.mark.parametrize("mode", ["pdeathsig", "eof"])
async def test_children_die_with_a_supervisor_that_had_no_chance_to_stop_them(mode: str) -> None:
    async with running_up("stt", "llm:--ignore-sigterm", env={"LEASH": mode}) as runner:
        await runner.says("the fleet is ready")
        pids = [runner.number_after(name, "pid") for name in ("stt", "llm")]
        for pid in pids:
            os.kill(pid, 0)
        runner.process.kill()
        for pid in pids:
            await ended(pid)


async def test_the_eof_leash_takes_descendants_along() -> None:
    async with running_up("llm:--descendant", env={"LEASH": "eof"}) as runner:
        await runner.says("the fleet is ready")
        descendant = runner.number_after("llm", "descendant")
        runner.process.kill()
        await ended(descendant)


async def test_a_child_whose_parent_is_gone_already_does_not_begin() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client.fleet.leash", "pdeathsig", "1", "tests.support.scripted_server")
    )
    assert await process.wait() == -9


async def test_an_unknown_mode_lists_the_modes() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client.fleet.leash", "rope", "1", "tests.support.scripted_server"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert said.decode().strip() == "leash mode: expected one of pdeathsig, eof, got 'rope'"
