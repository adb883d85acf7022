import os

import pytest

from client.bench import idle
from client.bench.idle import measure_idle
from client.bench.servers import Server
from client.errors import ConnectionLostError
from tests.support.realtime import Peer, scripted_server


@pytest.fixture(autouse=True)
def no_time_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "SETTLE_S", 0.05)


async def test_sessions_are_connected_first_and_stream_silence_then() -> None:
    peers: list[Peer] = []
    said: list[tuple[str, int, int]] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        peers.append(peer)
        while True:
            await peer.receive()

    def say(text: str) -> None:
        said.append((text, len(peers), sum(len(peer.pcm) for peer in peers)))

    async with scripted_server(script) as url:
        server = Server("x", url, lambda: {"self": os.getpid()})
        cost = await measure_idle(server, sessions=2, seconds=0.3, say=say)
    # Nobody was connected at first, and those who were sent nothing until they were to stream.
    assert said == [
        ("no session, 0.3 s", 0, 0),
        ("2 sessions connected, 0.3 s", 0, 0),
        ("2 sessions streaming silence, 0.3 s", 2, 0),
    ]
    assert all(len(peer.pcm) >= 0.2 * 48_000 and not any(peer.pcm) for peer in peers)
    assert cost.empty.keys() == cost.silent.keys() == cost.streaming.keys() == {"self"}


def test_a_session_costs_its_share_of_what_was_not_spent_before() -> None:
    assert idle._each({"vad": 0.5, "new": 1.0}, {"vad": 0.1}, sessions=4) == {"vad": pytest.approx(0.1)}


async def test_a_session_that_is_lost_ends_the_measurement() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.connection.close(1001, "going")

    async with scripted_server(script) as url:
        with pytest.raises(ConnectionLostError, match="going"):
            await measure_idle(Server("x", url), sessions=1, seconds=0.5)
