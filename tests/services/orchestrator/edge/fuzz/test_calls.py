"""Broken offers to `/v1/realtime/calls`, and broken messages on the data channel of a call."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.services.orchestrator.edge.fuzz import seeds
from tests.services.orchestrator.edge.fuzz.messages import MESSAGES, Frame, damaged, frames
from tests.services.orchestrator.edge.fuzz.standing_edge import StandingEdge, standing_edge
from tests.services.orchestrator.edge.webrtc.caller import calling, lifted, offer, post

# Each that is answered is a peer connection, so there are fewer of them.
_OFFERS = MESSAGES // 10
_OFFERS_AT_ONCE = 20
_A_CALL = 200
_AT_ONCE = 40
_numbers = itertools.count()
_settings = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=True,
    database=None,
)


@pytest.fixture(scope="module")
def edge() -> Iterator[StandingEdge]:
    with standing_edge() as standing:
        yield standing


@st.composite
def _damaged_offer(draw: st.DrawFn, sdp: str) -> str:
    """An offer with up to four lines missing, foreign, repeated or cut."""
    lines = sdp.splitlines()
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["remove", "repeat", "cut", "junk", "number", "end"])):
            case "remove":
                lines.pop(at)
            case "repeat":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case "junk":
                lines[at] = draw(st.text(max_size=30))
            case "number":
                lines[at] = lines[at].replace("1", str(draw(st.integers())))
            case _:
                lines = lines[: at + 1]
        if not lines:
            break
    return "\r\n".join(lines)


def test_every_offer_is_answered_with_a_reason(edge: StandingEdge) -> None:
    sdp = edge.runner.run(_real_offer())
    sessions = st.one_of(st.none(), damaged([seed["session"] for seed in seeds.SECRET if seed]))

    @given(st.lists(st.tuples(_damaged_offer(sdp), sessions), min_size=_OFFERS_AT_ONCE, max_size=_OFFERS_AT_ONCE))
    @settings(_settings, max_examples=max(1, _OFFERS // _OFFERS_AT_ONCE))
    def play(offers: list[tuple[str, Any]]) -> None:
        edge.runner.run(_offer_all(edge.address, offers))

    play()


def test_no_message_ends_or_hangs_a_call(edge: StandingEdge) -> None:
    @given(st.lists(frames(seeds.REALTIME), min_size=_A_CALL, max_size=_A_CALL))
    @settings(_settings, max_examples=max(1, MESSAGES // _A_CALL))
    def play(sent: list[Frame]) -> None:
        edge.runner.run(_call(edge.address, sent))

    play()


async def _real_offer() -> str:
    async with lifted() as caller:
        return await offer(caller)


async def _offer_all(address: str, offers: list[tuple[str, Any]]) -> None:
    for sdp, session in offers:
        answer = await post(address, sdp, session=session)
        if answer.status_code == 201:
            async with httpx.AsyncClient(base_url=f"http://{address}") as http:
                assert (await http.post(f"{answer.headers['location']}/hangup")).status_code == 200
            continue
        assert answer.json()["error"]["message"], answer.text
        assert answer.status_code < 500, answer.text


async def _call(address: str, sent: list[Frame]) -> None:
    async with asyncio.timeout(60), calling(address) as caller:
        await caller.until("session.created")
        # No more at once than a call may leave to be read.
        for start in range(0, len(sent), _AT_ONCE):
            for message in sent[start : start + _AT_ONCE]:
                if message:
                    caller.send_raw(message)
            token = f"question-{next(_numbers)}"
            caller.send(type="conversation.item.retrieve", event_id=token, item_id=token)
            await caller.until("error", _about(token))
        for event in caller.told:
            if event["type"] == "error":
                assert event["error"]["message"]
                assert event["error"]["code"] not in {"", "internal"}, event


def _about(token: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["error"]["event_id"] == token
