"""What an offer is cleaned of, and what an answer announces."""

import pytest

from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.webrtc.offers import announcing, read_offer
from tests.services.orchestrator.edge.webrtc.caller import lifted, offer

HIDDEN = "a=candidate:1 1 udp 2113937151 5d6b9b1e-0a1c-4f0c-8d4e-2f1a3b4c5d6e.local 50000 typ host"
OPEN = "a=candidate:2 1 udp 2113937151 192.0.2.7 50000 typ host generation 0"


async def offered(*, microphone: bool = True) -> str:
    """A client's offer."""
    async with lifted(microphone=microphone) as caller:
        return await offer(caller)


async def test_candidates_that_cannot_be_reached_and_the_end_of_candidates_are_left_out() -> None:
    sdp = (await offered()).rstrip("\r\n") + f"\r\n{HIDDEN}\r\n{OPEN}\r\na=end-of-candidates\r\n"
    cleaned = read_offer(sdp).sdp
    assert OPEN in cleaned
    assert ".local" not in cleaned
    assert "end-of-candidates" not in cleaned


async def test_lines_may_end_as_they_like() -> None:
    assert read_offer((await offered()).replace("\r\n", "\n")).has_channel


async def test_a_peer_that_only_listens_does_not_speak() -> None:
    assert read_offer(await offered()).speaks
    assert not read_offer(await offered(microphone=False)).speaks


async def test_too_many_candidates_are_refused() -> None:
    sdp = (await offered()).rstrip("\r\n") + f"\r\n{OPEN}" * 65 + "\r\n"
    with pytest.raises(ApiError, match="at most 64 candidates"):
        read_offer(sdp)


def test_an_announced_address_takes_the_place_of_those_of_its_kind() -> None:
    sdp = (
        "a=candidate:1 1 udp 2130706431 10.0.0.5 4000 typ host\r\n"
        "a=candidate:2 1 udp 2130706431 fd00::5 4001 typ host\r\n"
        "a=candidate:3 1 udp 1694498815 203.0.113.9 4002 typ srflx raddr 10.0.0.5 rport 4000\r\n"
    )
    announced = announcing(sdp, "198.51.100.1").split("\r\n")
    assert announced[0] == "a=candidate:1 1 udp 2130706431 198.51.100.1 4000 typ host"
    assert announced[1:] == sdp.split("\r\n")[1:]
