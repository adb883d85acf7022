"""Calls over WebRTC: turns, by a real peer on this machine, stages scripted."""

import asyncio

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from voxfleet.llm.v1 import llm_pb2

from tests.services.orchestrator.edge.webrtc.caller import calling
from tests.support.edge import scripted_edge
from tests.support.fleets import eventually
from tests.support.scripted import Script

SERVER_EVENT: TypeAdapter[RealtimeServerEvent] = TypeAdapter(RealtimeServerEvent)


async def test_a_spoken_turn_is_answered_by_the_track_and_told_by_the_channel() -> None:
    async with scripted_edge(Script()) as address, calling(address, "/v1/realtime/calls?model=mine") as caller:
        assert (await caller.until("session.created"))["session"]["model"] == "mine"
        caller.say(1.0)
        transcript = await caller.until("conversation.item.input_audio_transcription.completed")
        assert transcript["transcript"] == "what time is it"
        started = await caller.until("output_audio_buffer.started")
        done = await caller.until("response.done")
        stopped = await caller.until("output_audio_buffer.stopped")
        assert started["response_id"] == stopped["response_id"] == done["response"]["id"]
        assert done["response"]["status"] == "completed"
        assert "response.output_audio.delta" not in caller.kinds
        assert caller.kinds.index("response.content_part.added") < caller.kinds.index("output_audio_buffer.started")
        assert caller.buffer_kinds == ["started", "stopped"]
        # "It is noon. The sun is high." is 28 characters of 20 ms.
        await eventually(lambda: 0.5 < caller.loud_s < 0.62)
        for event in caller.told:
            SERVER_EVENT.validate_python(event)


async def test_the_timeline_is_that_of_the_microphone() -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.say(1.0)
        started = await caller.until("input_audio_buffer.speech_started")
        stopped = await caller.until("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] - started["audio_start_ms"] == pytest.approx(1000, abs=60)


@pytest.mark.parametrize("share", [0.05, 0.1])
async def test_lost_packets_change_neither_the_timeline_nor_the_turn(share: float) -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.lose(share)
        caller.say(3.0)
        started = await caller.until("input_audio_buffer.speech_started")
        stopped = await caller.until("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] - started["audio_start_ms"] == pytest.approx(3000, abs=100)
        await caller.until("response.done")
        await caller.until("output_audio_buffer.stopped")
        assert caller.kinds.count("input_audio_buffer.speech_started") == 1


async def test_two_turns_are_two_replies_of_the_buffer() -> None:
    async with scripted_edge(Script(texts=["one", "two"])) as address, calling(address) as caller:
        await caller.until("session.created")
        for text in ("one", "two"):
            caller.say(0.6)
            told = await caller.until("conversation.item.input_audio_transcription.completed")
            assert told["transcript"] == text
            await caller.until("output_audio_buffer.stopped")
        assert caller.buffer_kinds == ["started", "stopped"] * 2


async def test_a_reply_in_writing_leaves_the_buffer_alone() -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send(type="response.create", response={"output_modalities": ["text"]})
        await caller.until("response.output_text.done")
        await caller.until("response.done")
        assert caller.buffer_kinds == []


async def test_push_to_talk_takes_what_was_said_until_the_commit() -> None:
    async with scripted_edge(Script()) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send(type="session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await caller.until("session.updated")
        caller.say(0.5)
        await caller.mouth.finished()
        await asyncio.sleep(0.1)  # what is under way
        caller.send(type="input_audio_buffer.commit")
        await caller.until("input_audio_buffer.committed")
        caller.send(type="response.create")
        assert (await caller.until("response.done"))["response"]["status"] == "completed"
        await caller.until("output_audio_buffer.stopped")
        assert "input_audio_buffer.speech_started" not in caller.kinds


async def test_a_tool_is_called_and_its_result_answered() -> None:
    call = llm_pb2.ToolCall(id="call_1", name="weather", arguments_json='{"city":"Rome"}')
    script = Script(calls=[call])
    async with scripted_edge(script) as address, calling(address) as caller:
        await caller.until("session.created")
        caller.send(type="response.create")
        assert (await caller.until("response.function_call_arguments.done"))["arguments"] == '{"city":"Rome"}'
        await caller.until("response.done")
        script.calls.clear()
        item = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
        caller.send(type="conversation.item.create", item=item)
        caller.send(type="response.create")
        assert (await caller.until("response.done"))["response"]["status"] == "completed"
