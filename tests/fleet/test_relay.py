"""A conversation through one more orchestrator process, which has no stages and relays to the real fleet."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from client.fleet.ports import free_ports
from tests.fleet.conftest import Fleet
from tests.fleet.dialogue.judge import judge
from tests.fleet.dialogue.player import Addresses, play
from tests.fleet.dialogue.script import load

INTERRUPTION = Path(__file__).parent / "conversations" / "an_interruption.toml"
"""Two questions, the second into the answer to the first."""
START_TIMEOUT_S = 60.0

pytestmark = pytest.mark.fleet


@asynccontextmanager
async def relay_to(url: str) -> AsyncIterator[str]:
    """An orchestrator process that relays the model `far` to `url`; gives its address."""
    port = free_ports(1)[0]
    settings = {"PORT": str(port), "RELAYS": json.dumps({"far": {"url": url, "model": "voxfleet"}})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.orchestrator"),
        env=os.environ | {f"VOXFLEET_ORCHESTRATOR_{name}": value for name, value in settings.items()},
    )
    try:
        address = f"127.0.0.1:{port}"
        await serving(address)
        yield address
    finally:
        process.terminate()
        assert await process.wait() in (0, -15)


async def serving(address: str) -> None:
    """Waits until it answers."""
    async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(base_url=f"http://{address}") as http:
        while True:
            try:
                (await http.get("/healthz")).raise_for_status()
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return


async def test_a_conversation_with_an_interruption_goes_through_a_relay_as_without_one(fleet: Fleet) -> None:
    dialogue = await asyncio.to_thread(load, INTERRUPTION)
    async with relay_to(fleet.realtime_url) as address:
        far = Addresses(f"ws://{address}/v1/realtime?model=far", tts=fleet.target("tts"), stt=fleet.target("stt"))
        record = await play(dialogue, far)
        problems = judge(dialogue, record)
        assert not problems, "\n".join([*problems, "", str(record)])
        async with httpx.AsyncClient(base_url=f"http://{address}") as http:
            lines = (await http.get("/metrics")).text.splitlines()
    assert 'voxfleet_relay_turns_total{outcome="interrupted",relay="far"} 1.0' in lines
    assert 'voxfleet_relay_turns_total{outcome="completed",relay="far"} 1.0' in lines
    assert 'voxfleet_relay_voice_to_voice_seconds_count{relay="far"} 2.0' in lines
