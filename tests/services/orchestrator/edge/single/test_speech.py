"""`/v1/audio/speech` through OpenAI's own client, stages scripted."""

import asyncio
import json
from typing import Any

import openai
import pytest

from chassis.errors import Code, StageError
from services.orchestrator.edge.single.wav import read_wav
from tests.services.orchestrator.edge.single.clients import freed, openai_client, serving
from tests.support.edge import scripted_edge
from tests.support.scripted import Script

TEXT = "It is noon. The sun is high."
SECONDS = 0.02 * len(TEXT)
GONE = StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")


async def test_speech_is_a_wav_file_that_can_be_read() -> None:
    async with openai_client(Script()) as client:
        speech = await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="wav")
        assert speech.response.headers["content-type"] == "audio/wav"
        assert abs(len(read_wav(speech.content, 10)) / 2 / 16_000 - SECONDS) < 0.02


async def test_pcm_is_24_khz_and_the_voice_and_pace_are_the_stage_s() -> None:
    script = Script()
    async with openai_client(script) as client:
        speech = await client.audio.speech.create(
            model="tts-1", voice="anna", input=TEXT, response_format="pcm", speed=1.5
        )
        assert abs(len(speech.content) / 2 / 24_000 - SECONDS) < 0.01
    assert (script.voices[0].voice, script.voices[0].speed) == ("anna", 1.5)


async def test_the_first_bytes_come_before_the_last_are_spoken() -> None:
    # The stage takes 0.3 s for each clause; there are two.
    script = Script(audio_delay_s=0.3)
    async with openai_client(script) as client:
        creating = client.audio.speech.with_streaming_response.create
        async with creating(model="tts-1", voice="alloy", input=TEXT, response_format="pcm") as speech:
            pieces = speech.iter_bytes()
            await anext(pieces)
            assert script.streams["tts"] == 1
            async for _ in pieces:
                pass


async def test_a_client_that_leaves_frees_the_stream_before_and_after_the_first_audio() -> None:
    script = Script(audio_delay_s=30)
    async with openai_client(script) as client:
        asking = asyncio.create_task(client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT))
        await serving(script, "tts")
        asking.cancel()
        await freed(script)
        script.audio_delay_s = 0.3
        creating = client.audio.speech.with_streaming_response.create
        async with creating(model="tts-1", voice="alloy", input=TEXT * 20, response_format="pcm") as speech:
            await anext(speech.iter_bytes())
        await freed(script)


async def test_a_client_that_takes_nothing_for_the_idle_limit_frees_the_stream() -> None:
    # 96 MB of audio: more than any socket buffers.
    script = Script(ms_per_character=500)
    body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "word " * 800}).encode()
    async with scripted_edge(script, session_idle_timeout_s=0.5) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await serving(script, "tts")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await freed(script)
        writer.close()


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"response_format": "mp3"}, "response_format", "expected pcm or wav"),
    ({"voice": "zoe"}, "voice", "expected one of anna, bert"),
    ({"speed": 5.0}, "speed", "less than or equal to 4"),
    ({"input": ""}, "input", "at least 1"),
    ({"input": " \n"}, "input", "white space"),
    ({"input": "x" * 5_000}, "input", "at most 4096"),
    ({"stream_format": "sse"}, "stream_format", "'audio'"),
    ({"extra_body": {"loud": True}}, "loud", "not permitted"),
]


@pytest.mark.parametrize(("wish", "param", "message"), BAD)
async def test_a_bad_field_is_named(wish: dict[str, Any], param: str, message: str) -> None:
    async with openai_client(Script()) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.audio.speech.create(**({"model": "tts-1", "voice": "alloy", "input": "hi"} | wish))
    assert refused.value.param == param
    assert message in str(refused.value)
    assert refused.value.type == "invalid_request_error"


async def test_a_stage_that_is_full_or_down_says_when_to_come_again() -> None:
    script = Script(failures={"tts": StageError.exhausted("STREAMS_EXHAUSTED", "tts serves 1 streams")})
    async with openai_client(script) as client:
        with pytest.raises(openai.RateLimitError) as full:
            await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
        assert full.value.code == "streams_exhausted"
        assert full.value.response.headers["Retry-After"] == "1"
        script.failures["tts"] = GONE
        with pytest.raises(openai.InternalServerError) as down:
            await client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
        assert (down.value.status_code, down.value.code) == (503, "gone")
        assert down.value.response.headers["Retry-After"] == "5"
