"""Conversations with tools on the real fleet: a question, the model's call, its result, and the answer in speech."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from pydantic import Field

from client.events import AudioDelta, ErrorEvent, FunctionCall, ReplyTextDone, ReplyTranscriptDone, ResponseDone
from client.realtime import RealtimeClient
from client.tools import Tools
from tests.fleet.conftest import Fleet

pytestmark = pytest.mark.fleet

PATIENCE_S = 120.0
"""Of one reply, on a busy machine."""


def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    raise NotImplementedError


def set_timer(minutes: Annotated[int, Field(description="Minutes until it rings")], label: str = "") -> str:
    """Sets a timer."""
    raise NotImplementedError


DEFINITIONS = Tools(get_weather, set_timer).definitions


class Reply:
    """What one reply said and called."""

    def __init__(self) -> None:
        self.said = ""
        self.calls: list[FunctionCall] = []
        self.audio_bytes = 0

    @property
    def call(self) -> FunctionCall:
        """Its only call."""
        (call,) = self.calls
        return call

    @property
    def arguments(self) -> dict[str, Any]:
        """Of its only call."""
        arguments: dict[str, Any] = json.loads(self.call.arguments)
        return arguments


async def reply(client: RealtimeClient) -> Reply:
    """The next reply, once it is done."""
    made = Reply()
    async with asyncio.timeout(PATIENCE_S):
        async for event in client:
            match event:
                case ReplyTextDone(text=said) | ReplyTranscriptDone(transcript=said):
                    made.said += said
                case AudioDelta(pcm=pcm):
                    made.audio_bytes += len(pcm)
                case FunctionCall():
                    made.calls.append(event)
                case ErrorEvent():
                    pytest.fail(event.message)
                case ResponseDone(status=status):
                    assert status == "completed"
                    return made
    raise AssertionError("the session ended before the reply")


@asynccontextmanager
async def session(fleet: Fleet, *, modality: str) -> AsyncIterator[RealtimeClient]:
    """A session that is offered both tools; their calls are answered by the test."""
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        await client.update(more={"tools": DEFINITIONS, "output_modalities": [modality]})
        yield client


async def answer(client: RealtimeClient, call: FunctionCall, output: object) -> Reply:
    """The reply to a call's output."""
    await client.send_tool_output(call.call_id, json.dumps(output))
    await client.respond()
    return await reply(client)


async def test_the_weather_of_two_cities_is_asked_for_and_spoken(fleet: Fleet) -> None:
    async with session(fleet, modality="audio") as client:
        await client.send_text("What is the weather in Paris?")
        asked = await reply(client)
        assert (asked.call.name, asked.arguments) == ("get_weather", {"city": "Paris"})
        assert asked.audio_bytes == 0
        told = await answer(client, asked.call, {"temperature_c": 17, "sky": "light rain"})
        assert not told.calls
        assert "17" in told.said
        assert told.audio_bytes > 24_000

        await client.send_text("And what is the weather in London?")
        asked = await reply(client)
        assert (asked.call.name, asked.arguments) == ("get_weather", {"city": "London"})
        told = await answer(client, asked.call, {"temperature_c": 21, "sky": "sunny"})
        assert not told.calls
        assert "21" in told.said
        assert told.audio_bytes > 24_000


async def test_a_timer_is_set_and_then_a_question_needs_no_tool(fleet: Fleet) -> None:
    async with session(fleet, modality="text") as client:
        await client.send_text("Set a timer for ten minutes.")
        asked = await reply(client)
        assert asked.call.name == "set_timer"
        assert asked.arguments["minutes"] == 10
        told = await answer(client, asked.call, {"status": "started"})
        assert not told.calls
        assert "timer" in told.said.lower()

        await client.send_text("Who wrote Romeo and Juliet?")
        told = await reply(client)
        assert not told.calls
        assert "Shakespeare" in told.said
