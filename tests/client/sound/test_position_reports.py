import asyncio
from typing import Any

from client.realtime import RealtimeClient
from client.sound import position_reports
from client.sound.loudspeaker import Position
from client.sound.position_reports import PositionReports
from tests.support.realtime import Peer, scripted_server

HERE = Position("item_2", 12.345, playing=True)


async def reported(*, extended: bool, changed: bool = False) -> list[dict[str, Any]]:
    """What a server that shows an event of voxfleet's own, or does not, is told within half a second."""
    told: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        if extended:
            await peer.send("voxfleet.turn.marks", response_id="resp_1", marks={})
        await peer.send("response.created", response={"id": "resp_1"})
        while True:
            told.append(await peer.receive())

    async with scripted_server(script) as url, RealtimeClient.connect(url) as client:
        while (await anext(client)).__class__.__name__ != "ResponseCreated":
            pass
        reports = PositionReports(client, lambda: HERE)
        running = asyncio.create_task(reports.run())
        if changed:
            reports.now()
        await asyncio.sleep(0.1 if changed else 0.5)
        running.cancel()
    return told


async def test_a_few_reports_a_second_say_where_the_loudspeaker_is() -> None:
    told = await reported(extended=True)
    assert 1 <= len(told) <= 3
    event = told[0] | {"event_id": None}
    position = {"item_id": "item_2", "audio_ms": 12.3, "playing": True}
    assert event == {"type": "voxfleet.playout.position", "event_id": None} | position


async def test_a_change_is_reported_at_once() -> None:
    assert position_reports.INTERVAL_S > 0.1
    assert len(await reported(extended=True, changed=True)) == 1


async def test_a_server_that_has_no_such_event_is_not_bothered_with_it() -> None:
    assert await reported(extended=False) == []
