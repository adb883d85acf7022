"""Interruptions in real time against a fleet of scripted stages: 20 ms a character, audio faster than it is played."""

import asyncio
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from client.bench import barge_in
from client.bench.barge_in import BargeInPlan, measure_barge_in
from client.bench.interruptions import Interruption, Listener, match_words
from client.bench.questions import Question
from client.bench.sessions import Connection
from client.errors import UnreachableError
from tests.support.audio import tone
from tests.support.edge import scripted_edge
from tests.support.realtime import Peer, scripted_server
from tests.support.scripted import Script

WORDS = [f"w{number:02}" for number in range(60)]  # 80 ms each with the space behind it
ASK = Question("ask", "Tell me.", tone(0.4))
STOP = Question("stop", "No, stop.", tone(0.7))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barge_in, "AT_S", (0.2, 0.5))


async def hear(pcm: bytes) -> str:
    """A recogniser with good ears: the words whose greater part was played."""
    return " ".join(WORDS[: round(len(pcm) / 48_000 / 0.08)])


async def interruptions(
    listener: Listener, count: int = 2, delay_s: float = 0.0, texts: list[str] | None = None
) -> list[Interruption]:
    """Interrupts the scripted fleet, which always understands that it is to stop."""
    script = Script(texts=texts or ["no wait stop it"], replies=[" ".join(WORDS)])
    async with scripted_edge(script) as address:
        plan = BargeInPlan(listener, count, delay_s)
        connection = Connection(f"ws://{address}/v1/realtime", stall_s=10)
        return await measure_barge_in(connection, plan, [ASK], [STOP], hear)


def difference(interruption: Interruption) -> int:
    match = match_words(interruption)
    assert match is not None
    return abs(match.difference)


async def test_a_client_that_reports_is_held_at_once_and_remembered_to_the_word() -> None:
    found = await interruptions(Listener.REPORTING)
    for each in found:
        assert each.failure is None
        assert each.recognised
        assert each.understood == "no wait stop it"
        assert each.at_ms >= 200
        assert each.told_ms is not None
        assert each.silent_ms <= each.unstopped_ms
        assert difference(each) <= 1
    assert any(each.silent_ms < each.unstopped_ms for each in found)


async def test_a_plain_client_plays_all_it_gets_and_is_remembered_so() -> None:
    (each,) = await interruptions(Listener.PLAIN, 1)
    assert each.recognised
    assert each.silent_ms == pytest.approx(each.unstopped_ms)
    assert each.told_ms is not None
    # The server knows that it is an interruption when it has a text, which takes 200 ms of speech.
    assert each.told_ms > 180
    assert difference(each) <= 1


@pytest.mark.parametrize("listener", [Listener.REPORTING, Listener.TRUNCATING])
async def test_a_loudspeaker_that_is_late_is_remembered_by_what_its_client_says(listener: Listener) -> None:
    (each,) = await interruptions(listener, 1, delay_s=0.5)
    assert each.recognised
    assert difference(each) <= 1


async def test_a_late_loudspeaker_that_says_nothing_is_remembered_wrong() -> None:
    (each,) = await interruptions(Listener.PLAIN, 1, delay_s=0.9)
    assert difference(each) >= 3


async def test_a_failure_is_a_result_and_the_next_attempt_a_new_connection() -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.greet()
        await peer.send("session.updated", session={})
        await peer.hear_question()
        if connections == 1:
            await peer.connection.close(1011, "out of order")
        else:
            await peer.connection.wait_closed()

    async with scripted_server(script) as url:
        found = await measure_barge_in(
            Connection(url, stall_s=0.5), BargeInPlan(Listener.PLAIN, 2), [ASK], [STOP], hear
        )
    assert connections == 2
    assert "out of order" in (found[0].failure or "")
    assert found[1].failure == "no reply within 0.5 s"


async def test_a_reply_that_goes_on_was_not_interrupted() -> None:
    audio = tone(1.6)

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("session.updated", session={})
        await peer.hear_question()
        await peer.send("response.created", response={"id": "resp_1"})
        await peer.audio(audio)
        await peer.hear_question()
        await peer.done()
        while (await peer.receive())["type"] != "conversation.item.retrieve":
            pass
        await peer.send("error", error={"type": "x", "code": "item_not_found", "message": "what item?"})
        await peer.connection.wait_closed()

    async with scripted_server(script) as url:
        (each,) = await measure_barge_in(
            Connection(url, stall_s=5), BargeInPlan(Listener.PLAIN, 1), [ASK], [STOP], hear
        )
    assert each.failure is None
    assert not each.recognised
    assert each.history is None
    assert each.heard  # all of it was played


async def test_replies_that_are_over_too_soon_are_said_to_be() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("session.updated", session={})
        with suppress(ConnectionClosed):
            for number in range(9):
                await peer.hear_question()
                await peer.reply(tone(0.05), "Yes.", response_id=f"resp_{number}")

    async with scripted_server(script) as url:
        (each,) = await measure_barge_in(
            Connection(url, stall_s=5), BargeInPlan(Listener.PLAIN, 1), [ASK], [STOP], hear
        )
    assert each.failure == "3 replies in a row were over before they could be interrupted"


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UnreachableError):
        await measure_barge_in(Connection("ws://127.0.0.1:1"), BargeInPlan(Listener.PLAIN, 3), [ASK], [STOP], hear)


async def test_cancelling_ends_the_session() -> None:
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send("session.updated", session={})
        await peer.connection.wait_closed()
        ended.set()

    async with scripted_server(script) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await measure_barge_in(Connection(url), BargeInPlan(Listener.PLAIN, 1), [ASK], [STOP], hear)
        async with asyncio.timeout(3):
            await ended.wait()
