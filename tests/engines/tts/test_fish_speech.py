"""The Fish Speech server over real gRPC."""

import asyncio
import resource

import grpc.aio
import numpy as np
import pytest
from voxfleet.tts.v1.tts_pb2 import ListVoicesRequest, ReferenceVoice, SynthesizeRequest

from chassis.errors import Code
from chassis.grpc_errors import from_rpc_error
from services.tts.engines.fish.engine import LANGUAGES
from services.tts.engines.fish.model import FishModel, Quote
from services.tts.reference_voices import ReferenceVoice as Recording
from tests.engines.tts.conftest import Server
from tests.services.tts.client import begin, config, rest, send, speak, stub, text
from tests.services.tts.test_reference_voices import recording

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "This is a sentence that goes on and on, for as long as anybody would care to listen to it. "


def reference(level: float = 0.5) -> ReferenceVoice:
    return ReferenceVoice(wav=recording(1.5, level=level), text="Words.")


async def until_idle(server: Server) -> None:
    async with asyncio.timeout(10):
        while server.engine.running:  # noqa: ASYNC110  # the engine has no event for it
            await asyncio.sleep(0.01)


async def test_speech_comes_in_chunks_that_cover_the_text(server: Server) -> None:
    spoken = await speak(server.channel, "Hello there. ", "How are you? 🎉", voice="anna")
    assert (spoken.format.sample_rate_hz, spoken.format.channels) == (44_100, 1)
    assert spoken.covers("Hello there. How are you? 🎉")
    assert len(spoken.audio) > 4
    # The first chunk is four frames, less the 10 ms that are held back to be blended.
    assert len(spoken.audio[0].pcm) == 2 * (4 * 2048 - 441)


async def test_the_first_chunk_comes_long_before_the_last(server: Server) -> None:
    call = await begin(server.channel, config(voice="anna"), text(LONG))
    async with asyncio.timeout(20):
        async for response in rest(call):
            if response.audio.pcm:
                break
    assert server.engine.running == 1
    call.cancel()
    await until_idle(server)


async def test_a_cancelled_stream_stops_in_the_middle_of_a_chunk(server: Server) -> None:
    call = await begin(server.channel, config(voice="anna"), text(LONG), text(LONG))
    async with asyncio.timeout(20):
        while not server.engine.running:  # noqa: ASYNC110  # the engine has no event for it
            await asyncio.sleep(0.005)
    call.cancel()
    await until_idle(server)
    assert (await speak(server.channel, "Yes.", voice="anna")).covers("Yes.")


async def test_streams_at_once_are_spoken_together_and_each_as_if_alone(server: Server) -> None:
    pieces = ["Number one.", "Number two is longer.", "Three.", "Four waits for a row."]
    alone = [await speak(server.channel, piece, voice="anna") for piece in pieces]
    together = await asyncio.gather(*(speak(server.channel, piece, voice="anna") for piece in pieces))
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(alone, together, strict=True))


async def test_text_that_cannot_be_spoken_is_covered_in_silence(server: Server) -> None:
    spoken = await speak(server.channel, "😀🎉")
    assert [(chunk.pcm, chunk.text_start, chunk.text_end) for chunk in spoken.audio] == [(b"", 0, 2)]


async def test_voices_are_the_recorded_ones_and_one_made_up_for_each_language(server: Server) -> None:
    voices = (await stub(server.channel).ListVoices(ListVoicesRequest())).voices
    assert [voice.name for voice in voices] == ["anna", *(f"fish-{language}" for language in LANGUAGES)]


async def test_a_recording_is_encoded_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    encode = FishModel.encode

    def counted(model: FishModel, voice: Recording) -> Quote:
        encoded.append(voice.key)
        return encode(model, voice)

    monkeypatch.setattr(FishModel, "encode", counted)
    wish = config(language="en", reference=reference())
    spoken = await asyncio.gather(*(send(server.channel, [wish, text("Hello.")]) for _ in range(3)))
    assert len(encoded) == 1
    assert all(np.array_equal(each.samples, spoken[0].samples) for each in spoken)
    for level in (0.2, 0.3, 0.4):
        await send(server.channel, [config(reference=reference(level)), text("Hello.")])
    assert len(encoded) == 4
    assert server.engine.remembered == 2


async def test_the_voice_changes_what_is_heard(server: Server) -> None:
    anna = await speak(server.channel, "Hello there.", voice="anna")
    other = await send(server.channel, [config(reference=reference()), text("Hello there.")])
    assert len(anna.samples) != len(other.samples) or not np.array_equal(anna.samples, other.samples)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (config(reference=ReferenceVoice(wav=b"RIFF", text="Words.")), "reference.wav"),
        (config(reference=ReferenceVoice(wav=recording(0.2), text="Words.")), "reference.wav"),
        (config(reference=ReferenceVoice(wav=recording(1.5))), "reference.text"),
        (config(reference=ReferenceVoice()), "reference.text"),
        (config(voice="anna", reference=reference()), "voice"),
        (config(speed=1.5), "speed"),
    ],
)
async def test_a_bad_request_names_the_field_at_fault(server: Server, wish: SynthesizeRequest, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(server.channel, [wish, text("Hello.")])
    error = from_rpc_error(raised.value, "tts")
    assert (error.code, error.reason, error.field) == (Code.INVALID_ARGUMENT, "INVALID_FIELD", field)


async def test_memory_stays_where_it_is_over_many_chunks(server: Server) -> None:
    await speak(server.channel, LONG, voice="anna")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        spoken = await speak(server.channel, LONG, voice="anna")
        assert spoken.covers(LONG)
    # Kilobytes.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
