"""The text-to-speech server over real gRPC with its real engines."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence

import grpc
import grpc.aio
import numpy as np
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from voxfleet.audio.v1.audio_pb2 import AUDIO_ENCODING_PCM_S16LE
from voxfleet.tts.v1 import tts_pb2_grpc
from voxfleet.tts.v1.tts_pb2 import ListVoicesRequest, SynthesizeRequest, SynthesizeResponse

from chassis.audio import BYTES_PER_SAMPLE
from chassis.errors import Code, StageError
from chassis.grpc_errors import from_rpc_error
from services.tts.engines.kokoro import VOICES
from services.tts.settings import Settings
from services.tts.stage import build
from tests.services.tts.client import begin, collect, config, rest, send, speak, stub, text
from tests.support.server import refusal, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_channel() -> AsyncIterator[grpc.aio.Channel]:
    """A server for two streams that may not idle, with Hibari alone."""
    settings = Settings(port=0, engine="hibari", max_streams=2, idle_timeout_s=0.5)
    async with serving(await build(settings), settings) as channel:
        yield channel


async def refused(channel: grpc.aio.Channel, requests: Sequence[SynthesizeRequest]) -> StageError:
    """The error that these requests get. The server must serve the next stream all the same."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(channel, requests)
    assert (await speak(channel, "Yes.", language="en")).seconds > 0.2
    return from_rpc_error(raised.value, "tts")


async def sample(metric: str, **labels: str) -> float:
    """A metric's value. The registry also reads files about the process, hence the thread."""
    return await asyncio.to_thread(REGISTRY.get_sample_value, metric, labels) or 0.0


async def test_the_format_comes_first_and_audio_is_chunks_of_50_ms_or_more(channel: grpc.aio.Channel) -> None:
    spoken = await speak(channel, "Hello there, how can I help you today?")
    assert spoken.format.encoding == AUDIO_ENCODING_PCM_S16LE
    assert (spoken.format.sample_rate_hz, spoken.format.channels) == (24_000, 1)
    assert len(spoken.audio) > 5
    assert all(len(chunk.pcm) % BYTES_PER_SAMPLE == 0 for chunk in spoken.audio)
    assert min(len(chunk.pcm) for chunk in spoken.audio) >= 50 * 24 * BYTES_PER_SAMPLE


@pytest.mark.parametrize(
    ("language", "pieces"),
    [
        ("en", ["Sure! ", "First, pay $20 ", "to Dr. Smith. 🎉"]),
        ("zh", ["你好，", "今天是3月8日。"]),
        ("ja", ["はい、", "3本です。"]),
        ("es", ["Claro, ", "son 20 euros."]),
        ("fr", ["D'accord, ", "à 14h30."]),
    ],
)
async def test_chunks_speak_all_text_of_the_stream(channel: grpc.aio.Channel, language: str, pieces: list[str]) -> None:
    spoken = await speak(channel, *pieces, language=language)
    assert spoken.covers("".join(pieces))


async def test_the_first_chunk_begins_with_sound_in_every_language(channel: grpc.aio.Channel) -> None:
    for language, piece in (("en", "Hello."), ("zh", "你好。")):
        samples = np.abs((await speak(channel, piece, language=language)).samples)
        onset = np.flatnonzero(samples > 0.02 * samples.max())[0]
        assert onset < 0.03 * 24_000


async def test_sentences_are_apart_by_a_short_pause(channel: grpc.aio.Channel) -> None:
    spoken = await speak(channel, "One. ", "Two.")
    pauses = [len(chunk.pcm) / 2 / 24 for chunk in spoken.audio if not any(chunk.pcm)]
    assert pauses == [250]


async def test_audio_comes_before_the_text_is_complete(channel: grpc.aio.Channel) -> None:
    call = await begin(channel, config(), text("First sentence."))
    async with asyncio.timeout(10):
        async for response in rest(call):
            if response.audio.pcm:
                break
    await call.write(text("Second."))
    await call.done_writing()
    ends = [response.audio.text_end async for response in rest(call)]
    assert ends[-1] == len("First sentence.Second.")


async def test_speed_changes_the_pace(channel: grpc.aio.Channel) -> None:
    sentence = "The capital of France is Paris."
    slow, plain, fast = [(await speak(channel, sentence, speed=speed)).seconds for speed in (0.5, 1.0, 2.0)]
    assert slow == pytest.approx(2 * plain, rel=0.15)
    assert fast == pytest.approx(plain / 2, rel=0.25)
    assert (await speak(channel, sentence)).seconds == plain


async def test_kokoro_honours_speed(channel: grpc.aio.Channel) -> None:
    plain, fast = [(await speak(channel, "今天天气很好。", language="zh", speed=s)).seconds for s in (1.0, 1.6)]
    assert fast < 0.8 * plain


async def test_two_voices_sound_different(channel: grpc.aio.Channel) -> None:
    first = (await speak(channel, "Hello.", voice="heart")).samples
    second = (await speak(channel, "Hello.", voice="am_michael")).samples
    assert len(first) != len(second)


async def test_a_voice_speaks_another_language_as_itself(channel: grpc.aio.Channel) -> None:
    own = (await speak(channel, "你好。", voice="zf_xiaobei")).samples
    foreign = (await speak(channel, "你好。", voice="heart", language="zh")).samples
    assert len(foreign) > 0.3 * 24_000
    assert len(foreign) != len(own) or np.abs(foreign - own).max() > 0.01


async def test_a_stream_without_text_has_a_format_and_no_audio(channel: grpc.aio.Channel) -> None:
    assert (await speak(channel)).audio == []


@pytest.mark.parametrize("piece", ["😀🎉", "...", "**", "\n", "—"])
async def test_text_that_cannot_be_spoken_is_covered_in_silence(channel: grpc.aio.Channel, piece: str) -> None:
    spoken = await speak(channel, piece)
    assert [(chunk.pcm, chunk.text_start, chunk.text_end) for chunk in spoken.audio] == [(b"", 0, len(piece))]


async def test_a_piece_of_2000_characters_is_streamed(channel: grpc.aio.Channel) -> None:
    piece = ("This is a sentence that goes on, and on. " * 49)[:2000]
    spoken = await speak(channel, piece, speed=4.0)
    assert spoken.covers(piece)
    assert spoken.seconds > 30


async def test_a_word_without_end_is_spoken_in_parts(channel: grpc.aio.Channel) -> None:
    piece = "1" * 600
    assert (await speak(channel, piece, speed=4.0)).covers(piece)


async def test_streams_at_once_get_their_own_speech(channel: grpc.aio.Channel) -> None:
    alone = await speak(channel, "Number one.")
    together = await asyncio.gather(
        *(speak(channel, "Number one.") for _ in range(4)), speak(channel, "二号。", language="zh")
    )
    assert all(np.array_equal(each.samples, alone.samples) for each in together[:4])
    assert together[4].covers("二号。")


async def test_voices_are_listed_in_order_of_preference(channel: grpc.aio.Channel) -> None:
    voices = (await stub(channel).ListVoices(ListVoicesRequest())).voices
    assert voices[0].name == "heart"
    assert {voice.language for voice in voices} == {"en", "zh", "ja", "es", "fr"}
    assert {voice.sample_rate_hz for voice in voices} == {24_000}
    chinese = (await stub(channel).ListVoices(ListVoicesRequest(language="zh"))).voices
    assert [voice.name for voice in chinese] == list(VOICES["zh"])


async def test_voices_of_an_unknown_language_are_an_error(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="language: expected one of en, zh, ja, es, fr; got 'xx'") as raised:
        await stub(channel).ListVoices(ListVoicesRequest(language="xx"))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("requests", "reason", "field"),
    [
        ([], "CONFIG_MISSING", "config"),
        ([text("Hello.")], "CONFIG_MISSING", "config"),
        ([SynthesizeRequest()], "CONFIG_MISSING", "config"),
        ([config(), config()], "CONFIG_REPEATED", "config"),
        ([config(), SynthesizeRequest()], "REQUEST_EMPTY", "request"),
        ([config(), text("")], "INVALID_FIELD", "text"),
        ([config(), text("x" * 2001)], "INVALID_FIELD", "text"),
        ([config(voice="nobody")], "UNKNOWN_VOICE", "voice"),
        ([config(language="xx")], "UNKNOWN_LANGUAGE", "language"),
        ([config(voice="heart", language="english")], "UNKNOWN_LANGUAGE", "language"),
        ([config(speed=0.2)], "INVALID_FIELD", "speed"),
        ([config(speed=4.1)], "INVALID_FIELD", "speed"),
        ([config(speed=0.0)], "INVALID_FIELD", "speed"),
        ([config(speed=math.nan)], "INVALID_FIELD", "speed"),
        ([config(speed=math.inf)], "INVALID_FIELD", "speed"),
    ],
)
async def test_a_bad_request_names_the_field_at_fault(
    channel: grpc.aio.Channel, requests: list[SynthesizeRequest], reason: str, field: str
) -> None:
    error = await refused(channel, requests)
    assert (error.code, error.reason, error.field) == (Code.INVALID_ARGUMENT, reason, field)


async def test_an_unknown_voice_is_answered_with_the_voices_of_the_language(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, [config(voice="nobody", language="fr")])
    assert error.message == "voice: expected one of ff_siwis; got 'nobody'"


async def test_too_much_text_says_how_much_is_allowed(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, [config(), text("x" * 2001)])
    assert error.message == "text: expected 1 to 2000 characters; got 2001"


async def test_an_oversized_message_is_refused(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, [config(), text("x" * (2 << 20))])
    assert error.code == Code.RESOURCE_EXHAUSTED


async def test_what_was_spoken_before_a_bad_piece_is_heard(channel: grpc.aio.Channel) -> None:
    call = await begin(channel, config(), text("Good. "), text(""))
    await call.done_writing()
    heard: list[SynthesizeResponse] = []
    with pytest.raises(grpc.aio.AioRpcError, match="text: expected 1 to 2000 characters; got 0"):
        await collect(call, heard)
    assert any(response.audio.pcm for response in heard)


async def test_a_stream_that_stays_silent_is_ended(small_channel: grpc.aio.Channel) -> None:
    call = await begin(small_channel, config())
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await collect(call, [])
    error = from_rpc_error(raised.value, "tts")
    assert (error.code, error.reason) == (Code.DEADLINE_EXCEEDED, "IDLE_TIMEOUT")
    assert (await speak(small_channel, "Yes.")).seconds > 0.2


async def test_one_stream_over_the_limit_is_refused(small_channel: grpc.aio.Channel) -> None:
    busy = [await begin(small_channel, config()) for _ in range(2)]
    for call in busy:
        await call.read()
    stub: tts_pb2_grpc.TextToSpeechServiceAsyncStub = tts_pb2_grpc.TextToSpeechServiceStub(small_channel)
    error = await refusal(stub.Synthesize())
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "STREAMS_EXHAUSTED")
    for call in busy:
        await call.done_writing()
        assert await call.code() == grpc.StatusCode.OK
    assert (await speak(small_channel, "Yes.")).seconds > 0.2


async def test_an_engine_without_a_language_says_which_it_has(small_channel: grpc.aio.Channel) -> None:
    error = await refused(small_channel, [config(language="zh")])
    assert error.message == "language: expected one of en; got 'zh'"


async def test_a_cancelled_stream_is_freed_and_synthesis_stops(channel: grpc.aio.Channel) -> None:
    async def synthesized() -> float:
        return await sample("voxfleet_engine_seconds_count", stage="tts", operation="synthesize")

    call = await begin(channel, config(language="zh"), text("今天天气很好。" * 20))
    async for response in rest(call):
        if response.audio.pcm:
            break
    begun = await synthesized()
    call.cancel()
    assert (await speak(channel, "Yes.")).seconds > 0.2
    assert await sample("voxfleet_streams_active", stage="tts") == 0
    # One unit may have been under way, and the good stream adds one; twenty sentences were asked for.
    assert await synthesized() <= begun + 2
