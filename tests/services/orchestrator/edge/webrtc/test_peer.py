"""One peer connection by itself."""

import asyncio

import psutil
import pytest
from aiortc import RTCSctpTransport

from services.orchestrator.edge.webrtc import peer as peers
from services.orchestrator.edge.webrtc.offers import read_offer
from services.orchestrator.edge.webrtc.playback import Playback
from services.orchestrator.edge.webrtc.tracks import ReplyTrack
from services.orchestrator.settings import Settings
from tests.services.orchestrator.edge.webrtc.caller import lifted, offer


def udp_sockets() -> int:
    """How many this process has."""
    return len(psutil.Process().net_connections("udp"))


async def test_a_connection_that_does_not_close_in_time_keeps_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: RTCSctpTransport) -> None:
        await asyncio.sleep(60)

    async with lifted() as caller:
        sdp = await offer(caller)
        before = await asyncio.to_thread(udp_sockets)
        peer = peers.Peer(Settings())
        await peer.answer(read_offer(sdp), ReplyTrack(Playback().take))
        assert await asyncio.to_thread(udp_sockets) > before
        with monkeypatch.context() as patch:
            patch.setattr(RTCSctpTransport, "stop", hang)
            patch.setattr(peers, "_CLOSE_S", 0.05)
            await peer.close()
        assert await asyncio.to_thread(udp_sockets) == before
