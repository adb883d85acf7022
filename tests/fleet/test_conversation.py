"""Spoken conversations with the real fleet: a voice goes in, a voice comes out, and what it says is checked by ear."""

import asyncio
import re

import httpx
import pytest
from pypinyin import lazy_pinyin

from client.events import ResponseDone
from client.realtime import RealtimeClient, ask, blocks, stream
from client.speech import synthesise
from client.turns import SAMPLE_RATE, TurnRecorder
from tests.fleet.conftest import Fleet
from tests.fleet.hearing import transcribe

pytestmark = pytest.mark.fleet


async def question(fleet: Fleet, text: str, language: str = "en") -> bytes:
    """The question as speech, PCM at 24 kHz."""
    return await synthesise(text, language=language, target=fleet.target("tts"))


def syllables(text: str) -> set[str]:
    """The Chinese syllables of a text, without tones."""
    return set(lazy_pinyin("".join(re.findall("[\u4e00-\u9fff]", text))))


async def test_a_question_is_answered_aloud(fleet: Fleet) -> None:
    pcm = await question(fleet, "What is the capital of France?")
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        turn = await ask(client, pcm)
    assert turn.problem is None
    assert "capital" in turn.understood.lower()
    assert "Paris" in turn.answer
    assert "paris" in (await transcribe(turn.reply_pcm)).lower()
    assert {"endpoint", "transcript", "first_token", "first_audio", "audio_sent"} <= turn.marks.keys()


async def test_a_chinese_question_gets_a_chinese_answer(fleet: Fleet) -> None:
    pcm = await question(fleet, "今天天气怎么样？", "zh")
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        turn = await ask(client, pcm)
    assert turn.problem is None
    assert "天" in turn.understood
    assert re.search("[\u4e00-\u9fff]", turn.answer)
    # Compared by sound: a recogniser writes homophones, and traditional characters as often as simplified ones.
    said, heard = syllables(turn.answer), syllables(await transcribe(turn.reply_pcm, "zh"))
    assert len(said & heard) >= 0.6 * len(said)


async def test_the_conversation_is_remembered(fleet: Fleet) -> None:
    first = await question(fleet, "My name is Peter. Please remember it.")
    second = await question(fleet, "What is my name?")
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        await ask(client, first)
        turn = await ask(client, second)
    assert "Peter" in turn.answer


async def test_two_sessions_at_once_get_their_own_answers(fleet: Fleet) -> None:
    async def talk(text: str) -> str:
        pcm = await question(fleet, text)
        async with RealtimeClient.connect(fleet.realtime_url) as client:
            turn = await ask(client, pcm)
        assert turn.problem is None
        return turn.answer

    france, week = await asyncio.gather(
        talk("What is the capital of France?"), talk("How many days are there in a week?")
    )
    assert "Paris" in france
    assert re.search("seven|7", week, re.IGNORECASE)


async def test_an_interruption_stops_the_reply_and_is_answered(fleet: Fleet) -> None:
    story = await question(fleet, "Please tell me a long story about a dragon and a princess.")
    stop = await question(fleet, "Wait, what is the capital of Italy?")
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        recorder = TurnRecorder()
        done: list[ResponseDone] = []

        async def speak() -> None:
            quiet = bytes(2 * SAMPLE_RATE)
            # The story is interrupted some seconds in; then the person listens.
            await stream(client, blocks(story + 4 * quiet + stop + 30 * quiet), recorder)

        async def listen() -> None:
            async with asyncio.timeout(60):
                async for event in client:
                    recorder.received(event, asyncio.get_running_loop().time())
                    if isinstance(event, ResponseDone):
                        done.append(event)
                    if "Rome" in recorder.answer:
                        return

        speaking = asyncio.create_task(speak())
        try:
            await listen()
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert (done[0].status, done[0].reason) == ("cancelled", "turn_detected")


async def test_a_language_model_that_dies_costs_at_most_a_turn(fleet: Fleet) -> None:
    pcm = await question(fleet, "What is the capital of France?")
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        assert (await ask(client, pcm)).problem is None
        await fleet.kill("llm")
        async with httpx.AsyncClient() as http:
            ready = await http.get(f"http://{fleet.address}/readyz")
        assert ready.status_code == 503
        assert ready.json()["stages"]["llm"] != "ready"
        turn = await ask(client, pcm)
        # The supervisor may have been faster than the question; a reply that fails says so.
        assert turn.status == "completed" or (turn.status == "failed" and turn.errors)
        await fleet.ready()
        turn = await ask(client, pcm)
        assert turn.problem is None
        assert "Paris" in turn.answer


@pytest.mark.parametrize("stage", ["vad", "stt", "tts"])
async def test_a_stage_that_dies_between_turns_is_found_again(fleet: Fleet, stage: str) -> None:
    pcm = await question(fleet, "What is the capital of France?")
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        await fleet.kill(stage)
        await fleet.ready()
        turn = await ask(client, pcm)
        assert turn.problem is None
        assert "Paris" in turn.answer
