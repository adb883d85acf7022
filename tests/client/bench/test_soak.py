import os

import pytest

from client.bench.questions import Question
from client.bench.servers import Server
from client.bench.soak import TURNS_PER_SESSION, Sampling, measure_soak
from client.errors import UnreachableError
from tests.support.audio import tone
from tests.support.edge import scripted_edge
from tests.support.realtime import Peer, scripted_server
from tests.support.scripted import Script

NOON = Question("noon", "Is it noon?", tone(0.6))


@pytest.mark.parametrize("written", [False, True])
async def test_turns_are_held_with_a_fleet_of_scripted_stages(written: bool) -> None:
    script = Script(texts=["is it noon"], replies=["Yes."], ms_per_character=5)
    async with scripted_edge(script) as address:
        server = Server("x", f"ws://{address}/v1/realtime", lambda: {"edge": os.getpid()})
        soak = await measure_soak(server, [NOON], turns=3, sessions=2, written=written)
    assert soak.failures == ()
    assert len(script.chats) == 3
    assert [each.turns for each in soak.samplings] == [0, 3]
    assert soak.samplings[-1].processes["edge"].rss_bytes > 0


async def test_a_session_is_closed_after_ten_turns_and_memory_read_every_twenty() -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.greet()
        for number in range(TURNS_PER_SESSION):
            assert (await peer.receive())["item"]["content"][0]["text"] == "Is it noon?"
            assert (await peer.receive())["type"] == "response.create"
            await peer.reply(tone(0.02), "Yes.", response_id=f"resp_{number}")

    seen: list[Sampling] = []
    async with scripted_server(script) as url:
        soak = await measure_soak(Server("x", url), [NOON], turns=45, sessions=1, written=True, on_sampling=seen.append)
    assert connections == 5
    assert soak.failures == ()
    assert [each.turns for each in soak.samplings] == [0, 20, 40, 45]
    assert tuple(seen) == soak.samplings


async def test_a_turn_that_fails_is_counted_and_the_rest_goes_on_in_a_new_session() -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.greet()
        while True:
            await peer.receive()
            await peer.receive()
            if connections == 1:
                await peer.connection.close(1011, "out of order")
                return
            await peer.reply(b"", "", status="failed", error={"message": "no answer"})

    async with scripted_server(script) as url:
        soak = await measure_soak(Server("x", url), [NOON], turns=3, sessions=1, written=True)
    assert connections == 2
    first, *others = soak.failures
    assert "out of order" in first
    assert others == ["the reply was failed: no answer"] * 2
    assert soak.samplings[-1].turns == 3


async def test_a_server_that_is_not_there_ends_the_soak() -> None:
    with pytest.raises(UnreachableError):
        await measure_soak(Server("x", "ws://127.0.0.1:1"), [NOON], turns=3, sessions=2)
