"""Calls that end, or never begin: nothing is left of them."""

import asyncio
import threading
from typing import Any

import pytest
from aiortc import RTCSessionDescription

from chassis.metrics import SESSIONS_ACTIVE
from tests.services.orchestrator.edge.webrtc.caller import calling, lifted, offer, post
from tests.support.edge import scripted_edge
from tests.support.fleets import eventually
from tests.support.metrics import value_of
from tests.support.scripted import Script

LONG_REPLY = " ".join(f"w{number:03}" for number in range(80))  # 8 s at 20 ms a character


def _left_over(before: set[asyncio.Task[Any]]) -> list[str]:
    """Tasks that a call may leave: those of the edge and of aiortc, not those of the scripted stages."""
    coroutines = (task.get_coro() for task in asyncio.all_tasks() - before if not task.done())
    names = (getattr(coroutine, "__qualname__", "") for coroutine in coroutines)
    return [name for name in names if not name.startswith(("AioServer", "RequestResponseCycle", "_handle_rpc"))]


@pytest.mark.parametrize("end", ["connection", "channel", "hangup"])
async def test_a_call_that_ends_leaves_nothing(end: str) -> None:
    script = Script(replies=[LONG_REPLY])
    async with scripted_edge(script) as address:
        before = asyncio.all_tasks()
        async with calling(address) as caller:
            await caller.hear_reply()
            assert value_of(SESSIONS_ACTIVE) == 1
            if end == "channel":
                assert caller.channel is not None
                caller.channel.close()
                await eventually(lambda: value_of(SESSIONS_ACTIVE) == 0)
            elif end == "hangup":
                path = f"/v1/realtime/calls/{caller.call_id}/hangup"
                assert (await post(address, "", path)).status_code == 200
                await eventually(lambda: caller.connection.connectionState == "closed")
                assert (await post(address, "", path)).json()["error"]["code"] == "call_not_found"
        await eventually(lambda: not any(script.streams.values()))
        await eventually(lambda: value_of(SESSIONS_ACTIVE) == 0)
        await eventually(lambda: not _left_over(before))
        assert not [thread.name for thread in threading.enumerate() if thread.name == "audio-decoder"]


async def test_the_server_that_goes_ends_its_calls() -> None:
    async with lifted() as caller:
        async with scripted_edge(Script()) as address:
            answer = await post(address, await offer(caller))
            await caller.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            await caller.until("session.created")
        await eventually(lambda: caller.connection.connectionState == "closed")


async def test_a_server_without_an_address_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_edge(Script()) as address, lifted() as caller:
        sdp = await offer(caller)
        monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: [])
        refused = await post(address, sdp)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_candidates")


async def test_a_peer_that_vanishes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Consent to send expires (RFC 7675), here sooner than after half a minute.
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr("aioice.ice.CONSENT_FAILURES", 2)
    script = Script()
    async with scripted_edge(script) as address, calling(address) as caller:
        await caller.until("session.created")
        ice = caller.connection.getSenders()[0].transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport.abort()
        await eventually(lambda: value_of(SESSIONS_ACTIVE) == 0)
        await eventually(lambda: not any(script.streams.values()))


async def test_a_peer_without_a_data_channel_is_heard_and_answered_by_the_track() -> None:
    async with scripted_edge(Script()) as address, calling(address, channel=False) as caller:
        await eventually(lambda: bool(caller.heard))
        caller.say(0.6)
        await eventually(lambda: caller.loud_s > 0.5)


async def test_a_peer_that_never_connects_gives_its_place_back() -> None:
    async with (
        scripted_edge(Script(), max_sessions=1, webrtc_connect_timeout_s=0.2) as address,
        lifted() as silent,
        lifted() as other,
    ):
        before = asyncio.all_tasks()
        assert (await post(address, await offer(silent))).status_code == 201
        assert (await post(address, await offer(other))).status_code == 503
        await eventually(lambda: not _left_over(before))
        assert (await post(address, await offer(other))).status_code == 201


async def test_a_peer_that_falls_silent_for_the_idle_limit_is_ended() -> None:
    async with scripted_edge(Script(), session_idle_timeout_s=0.5) as address:
        async with calling(address, microphone=False) as caller:
            await caller.until("session.created")
            await eventually(lambda: caller.connection.connectionState == "closed")
        assert value_of(SESSIONS_ACTIVE) == 0
