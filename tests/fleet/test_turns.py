"""Single turns with the real fleet: what is measured of them, and what they notice of a process that dies."""

import httpx
import pytest

from client.realtime import RealtimeClient
from client.sound.speech import synthesise
from client.speaking import ask
from tests.fleet.conftest import Fleet

pytestmark = pytest.mark.fleet


async def question(fleet: Fleet) -> bytes:
    """A question as speech, PCM at 24 kHz."""
    return await synthesise("What is the capital of France?", language="en", target=fleet.target("tts"))


async def test_a_turn_is_measured_from_end_to_end(fleet: Fleet) -> None:
    pcm = await question(fleet)
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        turn = await ask(client, pcm)
    assert turn.problem is None
    assert {"endpoint", "transcript", "first_token", "first_audio", "audio_sent"} <= turn.marks.keys()


async def test_a_language_model_that_dies_costs_at_most_a_turn(fleet: Fleet) -> None:
    pcm = await question(fleet)
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
    pcm = await question(fleet)
    async with RealtimeClient.connect(fleet.realtime_url) as client:
        await fleet.kill(stage)
        await fleet.ready()
        turn = await ask(client, pcm)
        assert turn.problem is None
        assert "Paris" in turn.answer
