"""Calls with the real fleet over a network that loses packets: the question is understood, the answer heard."""

import io
import wave

import httpx
import pytest
from blockbuster import BlockBuster

from chassis.audio import SAMPLE_RATE
from chassis.resampling import Resampler
from client.sound.speech import synthesise
from tests.fleet.conftest import Fleet
from tests.services.orchestrator.edge.webrtc.caller import RATE, Caller, calling
from tests.support.fleets import eventually

pytestmark = pytest.mark.fleet

SPOKEN_RATE = 24_000
# A busy machine may take its time.
PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def decoders_are_joined(loop_never_blocks: BlockBuster) -> None:
    """aiortc waits for a receiver's decoder thread to end, which it does at once."""
    loop_never_blocks.functions["threading.Lock.acquire"].can_block_in("aiortc/rtcrtpreceiver.py", "__stop_decoder")


async def said(fleet: Fleet, text: str) -> bytes:
    """`text` as speech, PCM s16le at 48 kHz."""
    spoken = await synthesise(text, language="en", target=fleet.target("tts"))
    resampler = Resampler(SPOKEN_RATE, RATE)
    return resampler.push(spoken) + resampler.flush()


async def understood(fleet: Fleet, caller: Caller) -> str:
    """What the fleet's own recogniser makes of what the caller has heard."""
    # A receiver that has lost packets plays the rest later.
    await eventually(lambda: caller.is_quiet)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(bytes(caller.ear))
    async with httpx.AsyncClient(timeout=60) as http:
        files = {"file": ("heard.wav", file.getvalue(), "audio/wav")}
        form = {"model": "voxfleet-stt", "language": "en"}
        answer = await http.post(f"http://{fleet.address}/v1/audio/transcriptions", files=files, data=form)
    text: str = answer.json()["text"]
    return text


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.1])
async def test_a_spoken_question_is_answered_whatever_the_network_loses(fleet: Fleet, loss: float) -> None:
    question = await said(fleet, "What is the capital of France?")
    async with calling(fleet.address) as caller:
        caller.patience_s = PATIENCE_S
        await caller.until("session.created")
        caller.lose(loss)
        caller.mouth.say(question)
        told = await caller.until("conversation.item.input_audio_transcription.completed")
        assert "capital of france" in told["transcript"].lower()
        done = (await caller.until("response.done"))["response"]
        await caller.until("output_audio_buffer.stopped")
        assert done["status"] == "completed"
        assert "Paris" in done["output"][0]["content"][0]["transcript"]
        assert "Paris" in await understood(fleet, caller)


async def test_a_reply_is_interrupted_by_another_question(fleet: Fleet) -> None:
    story = await said(fleet, "Tell me a long story about a dragon.")
    question = await said(fleet, "Stop. What is the capital of France?")
    async with calling(fleet.address) as caller:
        caller.patience_s = PATIENCE_S
        await caller.until("session.created")
        caller.lose(0.02)
        caller.mouth.say(story)
        first = await caller.until("output_audio_buffer.started")
        caller.mouth.say(question)
        assert (await caller.until("output_audio_buffer.cleared"))["response_id"] == first["response_id"]
        cut = (await caller.until("response.done"))["response"]
        assert cut["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await caller.until("output_audio_buffer.stopped")
        assert "Paris" in await understood(fleet, caller)
