"""Clients that other people wrote, unmodified, on the real fleet: each holds a spoken conversation of two turns."""

import asyncio
import base64
import json
import platform
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime.realtime_session_create_request_param import RealtimeSessionCreateRequestParam

from client.sound.hearing import transcribe
from tests.fleet.clients.microphone import Microphone
from tests.fleet.clients.page import PATIENCE_S, ClientPage, client_page, silent_room
from tests.fleet.conftest import PACKAGES, Fleet
from tests.fleet.dialogue.script import Say
from tests.fleet.dialogue.speech import speak
from tests.fleet.dialogue.words import contains

pytestmark = pytest.mark.fleet

# OpenAI's client looks at it for a header, and would start a program inside the event loop.
platform.processor()

WEATHER_QUESTION = "What is the weather in Paris?"
COUNT_REQUEST = "Please count from one to forty."
"""Long to answer, so that there is time to interrupt."""
WEEK_QUESTION = "How many days are there in a week?"
INSTRUCTIONS = "Use the tool for questions about the weather, and only for those."
WEATHER = json.dumps({"sky": "heavy rain", "celsius": 7})

SESSION: RealtimeSessionCreateRequestParam = {
    "type": "realtime",
    "instructions": INSTRUCTIONS,
    "tools": [
        {
            "type": "function",
            "name": "get_weather",
            "description": "Tells the weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        }
    ],
}


async def said(fleet: Fleet, text: str) -> bytes:
    """`text` as speech, PCM s16le 24 kHz mono."""
    return await speak(Say(say=text), fleet.target("tts"))


async def words_in(fleet: Fleet, pcm: bytes) -> str:
    """What is said in a reply's audio."""
    return await transcribe(pcm, language="en", target=fleet.target("stt"), timeout_s=PATIENCE_S)


async def test_openais_client_for_python_calls_a_tool_and_asks_again(fleet: Fleet) -> None:
    weather, week = await said(fleet, WEATHER_QUESTION), await said(fleet, WEEK_QUESTION)
    client = await asyncio.to_thread(AsyncOpenAI, api_key="none", websocket_base_url=f"ws://{fleet.address}/v1")
    microphone = Microphone()
    async with client, client.realtime.connect(model="gpt-realtime") as connection, asyncio.TaskGroup() as group:
        events = Events(connection)
        await connection.session.update(session=SESSION)
        await events.until("session.updated")
        capture = group.create_task(microphone.capture(appending_to(connection)))

        microphone.say(weather)
        call = await events.until("response.function_call_arguments.done")
        assert call.name == "get_weather"
        assert "Paris" in json.loads(call.arguments)["city"]
        await events.until("response.done")
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": WEATHER}
        )
        await connection.response.create()
        done = await events.until("response.done")
        assert done.response.status == "completed"
        assert contains(await words_in(fleet, events.take_audio()), "rain")

        microphone.say(week)
        asked = await events.until("conversation.item.input_audio_transcription.completed")
        assert contains(asked.transcript, "days")
        assert (await events.until("response.done")).response.status == "completed"
        assert contains(await words_in(fleet, events.take_audio()), "seven")
        capture.cancel()


class Events:
    """What OpenAI's client receives."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self._connection = connection
        self._audio = b""

    async def until(self, kind: str) -> Any:
        """The next event of a type. An error is one of the test."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._connection.recv()
                assert event.type != "error", event
                if event.type == "response.output_audio.delta":
                    self._audio += base64.b64decode(event.delta)
                if event.type == kind:
                    return event

    def take_audio(self) -> bytes:
        """The replies' audio since the last call."""
        audio, self._audio = self._audio, b""
        return audio


def appending_to(connection: AsyncRealtimeConnection) -> Callable[[bytes], Awaitable[None]]:
    """Where a microphone's blocks go."""

    async def append(block: bytes) -> None:
        await connection.input_audio_buffer.append(audio=base64.b64encode(block).decode())

    return append


@pytest.mark.skipif(not (PACKAGES / "@openai").is_dir(), reason="npm has not installed tests/browser/package.json")
@pytest.mark.parametrize(
    ("transport", "path", "interruption"),
    [
        ("websocket", "ws://{}/v1/realtime", "audio_interrupted"),
        ("webrtc", "http://{}/v1/realtime/calls", "output_audio_buffer.cleared"),
    ],
    ids=["websocket", "webrtc"],
)
async def test_openais_agents_for_javascript_call_a_tool_and_are_interrupted(
    fleet: Fleet, tmp_path: Path, transport: str, path: str, interruption: str
) -> None:
    weather, count, week = [await said(fleet, text) for text in (WEATHER_QUESTION, COUNT_REQUEST, WEEK_QUESTION)]
    room = await asyncio.to_thread(silent_room, tmp_path / "room.wav") if transport == "webrtc" else None
    async with client_page(f"{fleet.pages}/agents.html", room=room) as page:
        await page.start(
            transport=transport,
            url=path.format(fleet.address),
            apiKey=await client_secret(fleet),
            instructions=INSTRUCTIONS,
            weather=WEATHER,
        )
        await page.say(weather)
        assert "Paris" in (await page.until("tool"))["city"]
        await page.until("response.done")  # the one that called it
        await reply(page)
        assert contains(await words_in(fleet, await page.take_audio()), "rain")

        await page.say(count)
        await page.until_heard(ms=2000)
        await page.say(week)
        await page.until(interruption)
        await page.until_quiet()
        assert contains(await words_in(fleet, await page.take_audio()), "two three")
        asked = await page.until("conversation.item.input_audio_transcription.completed")
        assert contains(asked["transcript"], "days")
        await reply(page)
        assert contains(await words_in(fleet, await page.take_audio()), "seven")

        assert await page.evaluate("[...misunderstood]") == []
        history = await page.evaluate("session.history")
    assert [item["output"] for item in history if item["type"] == "function_call"] == [WEATHER]
    spoken = [(item["role"], item["content"][0]["transcript"]) for item in history if item["type"] == "message"]
    assert [role for role, _ in spoken] == ["user", "assistant"] * 3, spoken
    assert contains(spoken[3][1], "two three")
    assert not contains(spoken[3][1], "forty")


async def reply(page: ClientPage) -> None:
    """Waits until a reply is complete and has been heard to its end."""
    done = (await page.until("response.done"))["response"]
    assert done["status"] == "completed", done
    await page.until_quiet()


async def client_secret(fleet: Fleet) -> str:
    """A key for one page, as the page's own server would ask for it."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"http://{fleet.address}/v1/realtime/client_secrets", json={})
    answer.raise_for_status()
    value: str = answer.json()["value"]
    return value


async def test_a_page_written_for_the_beta_is_interrupted(fleet: Fleet, tmp_path: Path) -> None:
    count, week = await said(fleet, COUNT_REQUEST), await said(fleet, WEEK_QUESTION)
    room = await asyncio.to_thread(silent_room, tmp_path / "room.wav")
    async with client_page(f"{fleet.pages}/older_page.html", room=room) as page:
        await page.start(url=f"ws://{fleet.address}/ws/voice", instructions="Answer in words, without a list.")
        await page.evaluate("putEarTo()")
        await page.say(count)
        await page.until_heard(ms=2000)

        await page.say(week)
        cut = (await page.until("response.done"))["response"]
        assert cut["status"] == "cancelled"
        assert cut["status_details"]["reason"] == "turn_detected"
        assert not contains(cut["output"][0]["content"][0]["transcript"], "forty")
        await page.until("conversation.item.truncated")
        assert contains(await words_in(fleet, await page.take_audio()), "two three")

        asked = await page.until("conversation.item.input_audio_transcription.completed")
        assert contains(asked["transcript"], "days")
        await reply(page)
        assert contains(await words_in(fleet, await page.take_audio()), "seven")
