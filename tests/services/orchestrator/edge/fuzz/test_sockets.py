"""Broken messages on each WebSocket: every session lives on and answers, and leaves nothing behind."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from tests.services.orchestrator.edge.fuzz import seeds
from tests.services.orchestrator.edge.fuzz.messages import MESSAGES, Frame, frames
from tests.services.orchestrator.edge.fuzz.standing_edge import StandingEdge, standing_edge

_A_SESSION = 40
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A WebSocket and how to tell whether it still listens: a question, and what to look for in its answer."""

    path: str
    seeds: list[dict[str, Any]]
    question: Callable[[str], dict[str, Any]]
    endings: frozenset[Frame] = frozenset()
    """Frames with which a client asks for the end of the connection."""


def _retrieve(token: str) -> dict[str, Any]:
    return {"type": "conversation.item.retrieve", "event_id": token, "item_id": token}


def _unknown(token: str) -> dict[str, Any]:
    return {"type": token}


ENDPOINTS = [
    Endpoint("/v1/realtime?extensions=voxfleet", seeds.REALTIME, _retrieve),
    Endpoint("/ws/voice", seeds.BETA, _retrieve),
    Endpoint("/realtime", seeds.PLAIN, _unknown),
    Endpoint("/realtime?framing=header", seeds.PLAIN, _unknown),
    Endpoint("/ws/stt", seeds.STT, _unknown, frozenset([b""])),
    Endpoint("/ws/tts", seeds.TTS, _unknown),
]


@pytest.fixture(scope="module")
def edge() -> Iterator[StandingEdge]:
    with standing_edge() as standing:
        yield standing


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_no_message_ends_or_hangs_a_session(edge: StandingEdge, endpoint: Endpoint) -> None:
    @given(st.lists(frames(endpoint.seeds), min_size=_A_SESSION, max_size=_A_SESSION))
    @settings(
        max_examples=MESSAGES // _A_SESSION,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        derandomize=True,
        database=None,
    )
    def play(sent: list[Frame]) -> None:
        edge.runner.run(_play(edge.address, endpoint, sent))

    play()


async def _play(address: str, endpoint: Endpoint, sent: list[Frame]) -> None:
    token = f"question-{next(_numbers)}"
    async with asyncio.timeout(30), connect(f"ws://{address}{endpoint.path}", max_size=None) as socket:
        answered = asyncio.Event()
        reading = asyncio.create_task(_read(socket, token, answered))
        for frame in sent:
            await socket.send(frame)
        await socket.send(json.dumps(endpoint.question(token)))
        waiting = asyncio.create_task(answered.wait())
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if endpoint.endings.intersection(sent):
            await reading
            assert socket.close_code == 1000
            return
        assert answered.is_set(), f"closed with {socket.close_code} {socket.close_reason} before it answered"
        await socket.close()
        await reading


async def _read(socket: ClientConnection, token: str, answered: asyncio.Event) -> None:
    """Reads to the end; notes a message about `token`; checks that every error says something."""
    async for frame in socket:
        if not isinstance(frame, str):
            continue
        message = json.loads(frame)
        if message["type"] == "error":
            error = message.get("error", message)
            assert error["message"]
            assert error["code"] not in {"", "internal"}, message
            if token in frame:
                answered.set()
