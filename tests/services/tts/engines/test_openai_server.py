"""The engine over real HTTP: another voxfleet's edge behind it, and a server that misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chassis.audio import float_to_pcm
from chassis.errors import Code, StageError
from services.orchestrator.edge.single.wav import streaming_header
from services.tts.engines.base import Speech
from services.tts.engines.openai_server import OpenAiServerEngine
from services.tts.settings import Settings
from services.tts.stage import build
from tests.services.tts.client import begin, config, rest, speak, text
from tests.support.edge import scripted_edge
from tests.support.scripted import Script
from tests.support.scripted_http import Exchange, Handler, Request, ScriptedHttp, models, scripted_http
from tests.support.server import serving

RATE = 24_000
SENTENCE = "The sun is high. "


def hum(seconds: float) -> bytes:
    return float_to_pcm((0.3 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32))


def silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * RATE))


def saying(*pieces: bytes, content_type: str = "audio/pcm") -> Handler:
    async def handle(request: Request, exchange: Exchange) -> None:
        await exchange.begin(content_type=content_type)
        for piece in pieces:
            await exchange.send(piece)
        await exchange.end()

    return handle


def settings_for(address: str, **told: Any) -> Settings:
    defaults: dict[str, Any] = {"engine": "openai_server", "port": 0, "upstream_voices": "alloy,xiao=zh"}
    return Settings(upstream_url=address, **defaults | {"upstream_probe_s": 0.05} | told)


@asynccontextmanager
async def engine_for(script: ScriptedHttp, **told: Any) -> AsyncIterator[OpenAiServerEngine]:
    engine = OpenAiServerEngine(settings_for(script.address, **told))
    try:
        async with asyncio.timeout(5):
            await engine.start()
        yield engine
    finally:
        await engine.close()


async def said(engine: OpenAiServerEngine, *pieces: str, speed: float = 1.0) -> list[Speech]:
    session = engine.session("alloy", "en", speed)
    async with asyncio.timeout(5):
        return [speech for piece in pieces async for speech in session.speak(piece)]


def covers(speech: list[Speech], text: str) -> bool:
    joined = all(before.text_end == after.text_start for before, after in pairwise(speech))
    return joined and speech[0].text_start == 0 and speech[-1].text_end == len(text)


async def test_text_is_spoken_by_another_voxfleet() -> None:
    script = Script()
    async with scripted_edge(script) as address:
        settings = settings_for(f"http://{address}/v1", upstream_voices="anna")
        async with serving(await build(settings), settings) as channel:
            spoken = await speak(channel, "It is noon. ", "The sun is high.", speed=1.5)
    assert spoken.format.sample_rate_hz == RATE
    assert spoken.covers("It is noon. The sun is high.")
    # 20 ms a character, and the pause between the two sentences.
    assert abs(spoken.seconds - (0.02 * 28 + 0.25 / 1.5)) < 0.1
    assert {(voice.voice, voice.speed) for voice in script.voices} == {("anna", 1.5)}


@pytest.mark.parametrize("kind", ["pcm", "wav"])
async def test_silence_around_is_cut_and_pauses_are_set(kind: str) -> None:
    header = streaming_header(RATE) if kind == "wav" else b""
    handler = saying(header + silence(0.4) + hum(0.5), hum(0.5), silence(0.6), content_type=f"audio/{kind}")
    async with scripted_http(models=models, speech=handler) as script, engine_for(script) as engine:
        speech = await said(engine, SENTENCE, SENTENCE)
        assert covers(speech, 2 * SENTENCE)
        assert len(script.asked("/v1/audio/speech")) == 2
        assert script.connections == 1
    seconds = sum(len(each.pcm) for each in speech) / 2 / RATE
    assert abs(seconds - (2 * 1.05 + 0.25)) < 0.03
    assert np.abs(np.frombuffer(speech[0].pcm, "<i2")).max() > 3000
    pauses = [each for each in speech if each.pcm and not any(each.pcm)]
    assert [(len(each.pcm), each.text_start, each.text_end) for each in pauses] == [(12_000, 17, 17)]


async def test_what_is_asked_for() -> None:
    async with scripted_http(models=models, speech=saying(hum(0.2))) as script:
        async with engine_for(script, upstream_key="sk-1", upstream_body='{"stream": true}') as engine:
            await said(engine, "**Hello** 😀 you.", speed=2.0)
        request = script.asked("/v1/audio/speech")[0]
    assert request.headers["authorization"] == "Bearer sk-1"
    assert request.json == {
        "model": "tiny",
        "input": "Hello you.",
        "voice": "alloy",
        "response_format": "pcm",
        "speed": 2.0,
        "stream": True,
    }


async def test_text_that_nobody_says_is_covered_and_not_asked_for() -> None:
    async with scripted_http(models=models, speech=saying(hum(0.2))) as script, engine_for(script) as engine:
        assert await said(engine, "😀!") == [Speech(b"", 0, 2)]
        assert script.asked("/v1/audio/speech") == []


async def test_silence_alone_is_covered() -> None:
    async with scripted_http(models=models, speech=saying(silence(0.5))) as script, engine_for(script) as engine:
        assert await said(engine, "Hm.") == [Speech(b"", 0, 3)]


async def test_long_text_is_asked_for_sentence_by_sentence() -> None:
    async with scripted_http(models=models, speech=saying(hum(0.2))) as script, engine_for(script) as engine:
        speech = await said(engine, SENTENCE * 3 + "Go.")
        asked = [request.json["input"] for request in script.asked("/v1/audio/speech")]
    assert covers(speech, SENTENCE * 3 + "Go.")
    assert asked == [SENTENCE.strip()] * 3 + ["Go."]


async def test_speech_comes_while_it_is_made_and_leaving_it_closes_the_request() -> None:
    left = asyncio.Event()

    async def talk(request: Request, exchange: Exchange) -> None:
        await exchange.begin(content_type="audio/pcm")
        await exchange.send(hum(0.3))
        await exchange.client_left()
        left.set()

    async with scripted_http(models=models, speech=talk) as script:
        settings = settings_for(script.address)
        stage = await build(settings)
        async with serving(stage, settings) as channel, asyncio.timeout(5):
            call = await begin(channel, config(), text(SENTENCE))
            answers = rest(call)
            assert (await anext(answers)).HasField("format")
            first = (await anext(answers)).audio
            assert len(first.pcm) >= 2 * 0.05 * RATE
            assert first.text_end < len(SENTENCE)
            call.cancel()
            await left.wait()
            left.clear()
            assert isinstance(stage.engine, OpenAiServerEngine)
            async with aclosing(stage.engine.session("alloy", "en", 1.0).speak(SENTENCE)) as speech:
                await anext(speech)
            await left.wait()


async def refuse(request: Request, exchange: Exchange) -> None:
    await exchange.answer({"detail": "no voice of that name"}, 422)


async def break_off(request: Request, exchange: Exchange) -> None:
    await exchange.begin(content_type="audio/pcm")
    await exchange.send(hum(0.3))
    await asyncio.sleep(0.05)
    exchange.drop()


async def stall(request: Request, exchange: Exchange) -> None:
    await exchange.begin(content_type="audio/pcm")
    await exchange.send(hum(0.3))
    await exchange.client_left()


async def talk_on(request: Request, exchange: Exchange) -> None:
    await exchange.begin(content_type="audio/pcm")
    while True:
        await exchange.send(bytes(1 << 18))


@pytest.mark.parametrize(
    ("handler", "code", "reason"),
    [
        (refuse, Code.INVALID_ARGUMENT, "UPSTREAM_REFUSED"),
        (break_off, Code.UNAVAILABLE, "UPSTREAM_BROKEN"),
        (stall, Code.DEADLINE_EXCEEDED, "UPSTREAM_STALLED"),
        (talk_on, Code.INTERNAL, "UPSTREAM_MALFORMED"),
        (saying(b""), Code.INTERNAL, "UPSTREAM_MALFORMED"),
        (saying(hum(0.1), content_type="audio/mpeg"), Code.INTERNAL, "UPSTREAM_MALFORMED"),
    ],
)
async def test_a_fault_has_a_clear_reason_and_is_not_asked_again(handler: Handler, code: Code, reason: str) -> None:
    async with (
        scripted_http(models=models, speech=handler) as script,
        engine_for(script, upstream_between_timeout_s=0.3 if handler is stall else 5) as engine,
    ):
        with pytest.raises(StageError) as caught:
            await said(engine, SENTENCE)
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert len(script.asked("/v1/audio/speech")) == 1


async def test_a_server_that_is_overloaded_for_a_moment_is_asked_again() -> None:
    refusals = [2]

    async def handle(request: Request, exchange: Exchange) -> None:
        refusals[0] -= 1
        if refusals[0] >= 0:
            exchange.drop()
        else:
            await saying(hum(0.2))(request, exchange)

    async with scripted_http(models=models, speech=handle) as script, engine_for(script) as engine:
        assert covers(await said(engine, SENTENCE), SENTENCE)


async def voices(request: Request, exchange: Exchange) -> None:
    await exchange.answer({"voices": [{"id": "anna", "language": "en"}, "bert"]})


async def test_voices_are_the_server_s_where_none_are_named() -> None:
    handlers: dict[str, Handler] = {"models": models, "speech": saying(hum(0.2)), "audio/voices": voices}
    async with scripted_http(**handlers) as script:
        settings = settings_for(script.address, upstream_voices="", voice_en="bert")
        async with serving(await build(settings), settings) as channel:
            assert (await speak(channel, "Hello.", voice="anna")).covers("Hello.")
            assert (await speak(channel, "Hello.")).covers("Hello.")
        assert [request.json["voice"] for request in script.asked("/v1/audio/speech")] == ["anna", "bert"]
        with pytest.raises(ValueError, match="VOXFLEET_TTS_VOICE_EN: expected one of anna, bert"):
            async with engine_for(script, upstream_voices="", voice_en="carl"):
                pass


async def test_a_server_that_lists_no_voices_needs_names() -> None:
    async with scripted_http(models=models) as script:
        with pytest.raises(ValueError, match="VOXFLEET_TTS_UPSTREAM_VOICES"):
            async with engine_for(script, upstream_voices=""):
                pass


async def test_an_unknown_default_voice_stops_the_server_from_starting() -> None:
    with pytest.raises(ValueError, match="VOXFLEET_TTS_VOICE_EN: voice: expected one of alloy, xiao"):
        await build(settings_for("http://127.0.0.1:1/v1", voice_en="nobody"))


def test_no_weights_are_wanted_for_it() -> None:
    assert Settings(engine="openai_server").models == ()
