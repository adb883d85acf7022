"""One stage alone with the real fleet, through OpenAI's own client and bare sockets."""

import asyncio
import json
import re
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from websockets.asyncio.client import connect

from services.orchestrator.edge.single.wav import read_wav
from tests.fleet.conftest import Fleet
from tests.services.orchestrator.edge.single.clients import new_openai_client
from tests.support.scripted import silence

pytestmark = pytest.mark.fleet

QUESTION = "What is the capital of France?"


async def client_of(fleet: Fleet) -> AsyncOpenAI:
    return await asyncio.to_thread(new_openai_client, fleet.address)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


async def test_what_is_spoken_is_understood_again(fleet: Fleet) -> None:
    async with await client_of(fleet) as client:
        speech = await client.audio.speech.create(model="tts-1", voice="alloy", input=QUESTION, response_format="wav")
        assert speech.content[:4] == b"RIFF"
        told = await client.audio.transcriptions.create(
            model="whisper-1",
            file=("question.wav", speech.content),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
        assert {"capital", "france"} <= words(told.text)
        assert told.language == "english"
        assert told.words
        assert 0 <= told.words[0].start < told.words[-1].end <= told.duration + 0.1
        assert told.segments
        assert "France" in told.segments[-1].text


async def test_a_recording_sent_at_once_is_cut_at_its_pauses(fleet: Fleet) -> None:
    sentences = {QUESTION: "france", "The train to London leaves at nine.": "london", "I like apples.": "apples"}
    async with await client_of(fleet) as client:
        recording = b""
        for sentence in sentences:
            speech = await client.audio.speech.create(
                model="tts-1", voice="alloy", input=sentence, response_format="wav"
            )
            recording += read_wav(speech.content, 30) + silence(1.0)
    recording *= 5  # longer than what the server keeps of it
    async with connect(f"ws://{fleet.address}/ws/stt?partials=false&language=en") as socket:
        await socket.send(recording)
        await socket.send(json.dumps({"type": "end"}))
        finals = [json.loads(frame) async for frame in socket]
    assert all(final["type"] == "transcription" and final["is_final"] for final in finals)
    assert len(finals) == 5 * len(sentences)
    for final, word in zip(finals, [*sentences.values()] * 5, strict=True):
        assert word in words(final["text"])
    times = [time for final in finals for time in (final["start_ms"], final["end_ms"])]
    assert times == sorted(times)


async def test_a_tool_is_called_and_its_result_told(fleet: Fleet) -> None:
    weather: ChatCompletionToolParam = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tells the weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
    async with await client_of(fleet) as client:
        create = client.chat.completions.create
        asked = await create(
            model="voxfleet", messages=messages, tools=[weather], tool_choice="required", temperature=0
        )
        assert asked.choices[0].finish_reason == "tool_calls"
        made: Any = asked.choices[0].message.model_dump(exclude_none=True)
        (call,) = made["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        assert "Paris" in json.loads(call["function"]["arguments"])["city"]
        result: ChatCompletionMessageParam = {
            "role": "tool",
            "tool_call_id": call["id"],
            "content": '{"sky": "heavy rain", "celsius": 7}',
        }
        # Small models like to call again; this one is told not to.
        told = await create(
            model="voxfleet",
            messages=[*messages, made, result],
            tools=[weather],
            tool_choice="none",
            temperature=0,
            max_tokens=60,
        )
    assert told.choices[0].message.content is not None
    assert "rain" in told.choices[0].message.content.lower()


async def test_the_language_model_alone_answers_whole_and_streamed(fleet: Fleet) -> None:
    async with await client_of(fleet) as client:
        answer = await client.chat.completions.create(
            model="voxfleet", messages=[{"role": "user", "content": QUESTION}], temperature=0, max_tokens=40
        )
        assert answer.choices[0].message.content is not None
        assert "Paris" in answer.choices[0].message.content
        assert answer.usage is not None
        assert answer.usage.completion_tokens > 0
        stream = await client.chat.completions.create(
            model="voxfleet",
            messages=[{"role": "user", "content": QUESTION}],
            temperature=0,
            max_tokens=40,
            stream=True,
        )
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert "Paris" in "".join(pieces)


async def test_the_voice_alone_speaks_over_its_socket(fleet: Fleet) -> None:
    async with connect(f"ws://{fleet.address}/ws/tts") as socket:
        ready = json.loads(await socket.recv())
        assert ready["type"] == "ready"
        assert ready["voices"]
        await socket.send(json.dumps({"type": "synthesize", "text": QUESTION}))
        audio = b""
        while isinstance(frame := await socket.recv(), bytes):
            audio += frame
        assert json.loads(frame)["type"] == "synthesis_done"
        assert 1.0 < len(audio) / 2 / ready["audio"]["sample_rate"] < 4.0
