"""What a peer said and nobody has taken yet."""

import asyncio

import pytest

from chassis.metrics import FRAMES_DROPPED
from services.orchestrator.edge.connection import ClientLeftError, FloodingClientError
from services.orchestrator.edge.webrtc.inbox import Inbox
from tests.support.metrics import value_of


async def test_frames_come_out_as_they_went_in() -> None:
    inbox = Inbox()
    for frame in ("a", b"12", "b"):
        inbox.put(frame)
    assert [await inbox.get() for _ in range(3)] == ["a", b"12", "b"]


async def test_one_who_waits_is_woken() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put("a")
    assert await waiting == "a"


async def test_a_peer_that_left_is_told_to_who_waits() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.close()
    inbox.put("too late")
    with pytest.raises(ClientLeftError):
        await waiting
    with pytest.raises(ClientLeftError):
        await inbox.get()


async def test_too_much_audio_drops_the_oldest_and_counts() -> None:
    inbox = Inbox(max_audio_s=0.04)
    before = value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="webrtc_input")
    inbox.put("event")
    for value in range(4):
        inbox.put(bytes([value]) * 640)  # 20 ms
    assert [await inbox.get() for _ in range(3)] == ["event", b"\x02" * 640, b"\x03" * 640]
    assert value_of(FRAMES_DROPPED, "_total", stage="orchestrator", reason="webrtc_input") == before + 2


async def test_too_many_events_are_a_flood() -> None:
    inbox = Inbox(max_events=3)
    for _ in range(4):
        inbox.put("event")
    with pytest.raises(FloodingClientError, match="3 events"):
        await inbox.get()
