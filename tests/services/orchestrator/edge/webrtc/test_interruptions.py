"""Interruptions of calls: the buffer is emptied, the history is what was heard."""

import asyncio

import pytest

from tests.services.orchestrator.edge.webrtc.caller import calling
from tests.support.edge import scripted_edge
from tests.support.fleets import eventually
from tests.support.scripted import Script

LONG_REPLY = " ".join(f"w{number:03}" for number in range(80))  # 8 s at 20 ms a character


async def test_an_interruption_clears_the_buffer_and_the_history_is_what_was_heard() -> None:
    script = Script(texts=["no wait stop"], replies=[LONG_REPLY, "Yes."])
    async with scripted_edge(script) as address, calling(address) as caller:
        response_id = await caller.hear_reply()
        await asyncio.sleep(0.5)
        caller.say(1.2)
        cleared = await caller.until("output_audio_buffer.cleared")
        done = await caller.until("response.done")
        assert cleared["response_id"] == response_id == done["response"]["id"]
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        heard = done["response"]["output"][0]["content"][0]["transcript"]
        assert LONG_REPLY.startswith(heard)
        truncated = await caller.until("conversation.item.truncated")
        assert truncated["item_id"] == done["response"]["output"][0]["id"]
        assert truncated["audio_end_ms"] / 100 == pytest.approx(len(heard.split()), abs=1)
        loud_s = caller.loud_s
        # A word is 5 characters of 20 ms; the one that was cut may count or not.
        assert 0.1 * len(heard.split()) == pytest.approx(loud_s, abs=0.2)
        assert loud_s < 3
        await caller.until("output_audio_buffer.started")
        assert caller.buffer_kinds == ["started", "cleared", "started"]


async def test_a_false_interruption_only_holds_the_reply() -> None:
    script = Script(texts=["mm-hm"], replies=[LONG_REPLY[:100]])
    async with (
        scripted_edge(script) as address,
        calling(address, "/v1/realtime/calls?extensions=voxfleet") as caller,
    ):
        await caller.hear_reply()
        caller.say(0.3)
        await caller.until("voxfleet.playout.paused")
        await asyncio.sleep(0.15)  # what is under way, and the peer's own buffer
        before = len(caller.heard)
        await asyncio.sleep(0.1)
        assert not any(abs(samples).mean() > 500 for _, samples in caller.heard[before:])
        await caller.until("voxfleet.playout.resumed")
        assert (await caller.until("response.done"))["response"]["status"] == "completed"
        await caller.until("output_audio_buffer.stopped")
        await eventually(lambda: 1.9 < caller.loud_s < 2.1)
        assert caller.buffer_kinds == ["started", "stopped"]


async def test_the_client_clears_the_buffer_and_the_reply_is_cancelled() -> None:
    async with scripted_edge(Script(replies=[LONG_REPLY])) as address, calling(address) as caller:
        response_id = await caller.hear_reply()
        caller.send(type="output_audio_buffer.clear")
        assert (await caller.until("output_audio_buffer.cleared"))["response_id"] == response_id
        done = (await caller.until("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        await caller.until("conversation.item.truncated")
        await asyncio.sleep(0.3)
        assert caller.buffer_kinds == ["started", "cleared"]
        assert caller.loud_s < 1
        assert "error" not in caller.kinds


async def test_cancelling_and_clearing_at_once_is_one_interruption() -> None:
    # What the agents SDK sends to interrupt.
    async with scripted_edge(Script(replies=[LONG_REPLY])) as address, calling(address) as caller:
        await caller.hear_reply()
        caller.send(type="response.cancel")
        caller.send(type="output_audio_buffer.clear")
        await caller.until("response.done")
        caller.send(type="output_audio_buffer.clear")
        await asyncio.sleep(0.2)
        assert caller.buffer_kinds == ["started", "cleared"]
        assert "error" not in caller.kinds
        caller.send(type="response.create")
        await caller.until("output_audio_buffer.started")


async def test_clearing_an_empty_buffer_is_nothing() -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send(type="output_audio_buffer.clear")
        caller.send(type="input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        assert caller.kinds == ["session.created", "input_audio_buffer.cleared"]
