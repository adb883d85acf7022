"""Every conversation of `conversations/`, spoken with the real fleet. Its README says how to add one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from tests.fleet.conftest import Fleet
from tests.fleet.dialogue.journal import Record
from tests.fleet.dialogue.judge import judge
from tests.fleet.dialogue.player import Addresses, play
from tests.fleet.dialogue.script import Dialogue, load

FILES = sorted((Path(__file__).parent / "conversations").glob("*.toml"))
AT_ONCE = 2
"""Conversations are held in real time: the machine has time for another one meanwhile."""

pytestmark = [pytest.mark.fleet, pytest.mark.asyncio(loop_scope="module")]

Played = tuple[Dialogue, Record]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def conversations(
    fleet: Fleet, request: pytest.FixtureRequest
) -> AsyncIterator[Mapping[Path, asyncio.Task[Played]]]:
    """The conversations of the selected tests, on their way in the order of the tests."""
    addresses = Addresses(fleet.realtime_url, tts=fleet.target("tts"), stt=fleet.target("stt"))
    room = asyncio.Semaphore(AT_ONCE)

    async def held(file: Path) -> Played:
        async with room:
            dialogue = await asyncio.to_thread(load, file)
            return dialogue, await play(dialogue, addresses)

    selected = [
        item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)
    ]
    files = [cast("Path", item.callspec.params["file"]) for item in selected]
    tasks = {file: asyncio.create_task(held(file)) for file in files}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_conversation_goes_as_its_script_says(
    file: Path, conversations: Mapping[Path, asyncio.Task[Played]]
) -> None:
    dialogue, record = await conversations[file]
    problems = judge(dialogue, record)
    assert not problems, "\n".join([dialogue.title, *problems, "", str(record)])
