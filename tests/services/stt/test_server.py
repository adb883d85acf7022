"""The speech-to-text server over real gRPC with its real engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import pairwise

import grpc
import grpc.aio
import numpy as np
import pytest
import pytest_asyncio
from voxfleet.audio.v1.audio_pb2 import AudioEncoding, AudioFormat
from voxfleet.stt.v1 import stt_pb2_grpc
from voxfleet.stt.v1.stt_pb2 import Final, Flush, Partial, TranscribeConfig, TranscribeRequest, TranscribeResponse

from chassis.audio import float_to_pcm
from chassis.errors import Code, StageError
from chassis.formats import fleet_format
from chassis.grpc_errors import from_rpc_error
from chassis.metrics import ENGINE_SECONDS, STREAMS_ACTIVE
from services.stt.agreement import units
from services.stt.settings import Settings
from services.stt.stage import build
from tests.services.stt.metrics import value
from tests.support.server import refusal, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

Speak = Callable[[str], bytes]
SECOND = 2 * 16_000
"""Bytes."""
QUESTION = "What is the capital of France?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """The server as it is by default."""
    settings = Settings(port=0)
    async with serving(await build(settings), settings) as channel:
        yield channel


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small_channel() -> AsyncIterator[grpc.aio.Channel]:
    """An English-only server for two streams that may not idle, with short utterances."""
    settings = Settings(port=0, model="whisper-tiny-en", max_streams=2, idle_timeout_s=2, max_utterance_s=4)
    async with serving(await build(settings), settings) as channel:
        yield channel


def config(**fields: object) -> TranscribeRequest:
    return TranscribeRequest(config=TranscribeConfig(**{"format": fleet_format(), **fields}))  # type: ignore[arg-type]


def audio(pcm: bytes, message_ms: int = 100) -> list[TranscribeRequest]:
    step = message_ms * SECOND // 1000
    return [TranscribeRequest(audio=pcm[at : at + step]) for at in range(0, len(pcm), step)]


def flush(flush_id: int) -> TranscribeRequest:
    return TranscribeRequest(flush=Flush(flush_id=flush_id))


def silence(seconds: float) -> bytes:
    return bytes(2 * int(16_000 * seconds))


def noise(seconds: float, level_db: float) -> bytes:
    samples = np.random.default_rng(0).standard_normal(int(16_000 * seconds)) * 10 ** (level_db / 20)
    return float_to_pcm(samples.astype(np.float32))


def audible(pcm: bytes) -> bytes:
    """Speech without the silence behind it."""
    loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2")) > 100)
    return pcm[: 2 * int(loud[-1])]


async def transcribe(
    channel: grpc.aio.Channel, requests: Iterable[TranscribeRequest], pause_s: float = 0.0
) -> list[TranscribeResponse]:
    stub: stt_pb2_grpc.SpeechToTextServiceAsyncStub = stt_pb2_grpc.SpeechToTextServiceStub(channel)

    async def sent() -> AsyncIterator[TranscribeRequest]:
        for request in requests:
            yield request
            await asyncio.sleep(pause_s)

    async with asyncio.timeout(60):
        return [response async for response in stub.Transcribe(sent())]


async def final(channel: grpc.aio.Channel, pcm: bytes, **fields: object) -> Final:
    (response,) = await transcribe(channel, [config(**fields), *audio(pcm)])
    return response.final


async def refused(channel: grpc.aio.Channel, requests: Iterable[TranscribeRequest]) -> StageError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await transcribe(channel, requests)
    return from_rpc_error(caught.value, "stt")


def words_of(text: str) -> list[str]:
    return [unit.strip().lower() for unit in units(text) if unit.strip().isalnum()]


def jobs(operation: str) -> float:
    return value(ENGINE_SECONDS, "voxfleet_engine_seconds_count", stage="stt", operation=operation)


async def test_a_question_is_transcribed_when_the_stream_is_half_closed(
    channel: grpc.aio.Channel, speak: Speak
) -> None:
    pcm = speak(QUESTION)
    heard = await final(channel, pcm, start_offset=48_000)
    assert words_of(heard.text) == words_of(QUESTION)
    assert (heard.language, heard.end_offset) == ("en", 48_000 + len(pcm) // 2)
    assert 0.5 < heard.language_probability <= 1
    assert not heard.HasField("flush_id")
    assert not heard.words


async def test_the_size_of_the_messages_changes_nothing(channel: grpc.aio.Channel, speak: Speak) -> None:
    pcm = speak(QUESTION)
    texts = [
        (await transcribe(channel, [config(), *audio(pcm, message_ms)]))[0].final.text for message_ms in (10, 10_000)
    ]
    assert texts[0] == texts[1]


async def test_the_text_is_there_before_the_question_where_the_speaker_fell_silent(
    channel: grpc.aio.Channel, speak: Speak
) -> None:
    before = jobs("final")
    spoken = silence(0.3) + audible(speak(QUESTION)) + silence(0.1)
    stub: stt_pb2_grpc.SpeechToTextServiceAsyncStub = stt_pb2_grpc.SpeechToTextServiceStub(channel)
    async with asyncio.timeout(60):
        call = stub.Transcribe()
        responses = aiter(call)
        for request in (config(partial_interval_ms=60_000), *audio(spoken, 20)):
            await call.write(request)
        looked = await anext(responses)
        for request in (*audio(silence(0.1), 20), flush(1)):
            await call.write(request)
        answer = await anext(responses)
        await call.done_writing()
        await anext(responses)
    assert words_of(looked.partial.unstable) == words_of(answer.final.text) == words_of(QUESTION)
    assert answer.final.end_offset == len(spoken) // 2 + 1600
    assert jobs("final") == before


async def test_chinese_is_detected_and_written_in_simplified_characters(
    channel: grpc.aio.Channel, chinese: bytes
) -> None:
    heard = await final(channel, chinese)
    assert heard.text.rstrip("？?。.") == "今天天气怎么样"
    assert heard.language == "zh"


async def test_a_language_that_was_told_is_not_detected(channel: grpc.aio.Channel, speak: Speak) -> None:
    heard = await final(channel, speak(QUESTION), language="en")
    assert (heard.language, heard.language_probability) == ("en", 1.0)


async def test_a_flush_is_answered_and_the_end_reuses_its_text(channel: grpc.aio.Channel, speak: Speak) -> None:
    before = jobs("final")
    answers = await transcribe(channel, [config(), *audio(speak(QUESTION)), flush(7)])
    assert [answer.final.flush_id if answer.final.HasField("flush_id") else None for answer in answers] == [7, None]
    assert answers[0].final.text == answers[1].final.text
    assert jobs("final") - before == 1


async def test_the_stream_listens_on_after_a_flush(channel: grpc.aio.Channel, speak: Speak) -> None:
    first, second = speak(QUESTION), speak("And what is the largest city in Japan?")
    requests = [config(), *audio(first), flush(0), *audio(silence(0.4) + second)]
    flushed, ended = [answer.final for answer in await transcribe(channel, requests)]
    assert words_of(flushed.text) == words_of(QUESTION)
    assert flushed.HasField("flush_id")
    assert flushed.end_offset == len(first) // 2
    assert words_of(ended.text) == words_of(QUESTION + " And what is the largest city in Japan?")


async def test_partials_come_while_speech_goes_on_and_what_is_stable_stays(
    channel: grpc.aio.Channel, speak: Speak
) -> None:
    pcm = speak("Could you tell me what the weather will be like tomorrow morning?")
    *responses, last = await transcribe(channel, [config(partial_interval_ms=300), *audio(pcm)], pause_s=0.2)
    partials: list[Partial] = [response.partial for response in responses]
    assert len(partials) >= 3
    stable = ""
    for partial in partials:
        assert partial.stable.startswith(stable)
        stable = partial.stable
    ends = [partial.end_offset for partial in partials]
    # The last look comes when the speaker falls silent, however soon after the one before.
    assert all(later - earlier >= 4800 for earlier, later in pairwise(ends[:-1]))
    assert words_of(last.final.text)[:4] == words_of(stable)[:4] == ["could", "you", "tell", "me"]


async def test_words_have_times_on_the_sessions_timeline(channel: grpc.aio.Channel, speak: Speak) -> None:
    first, second = speak("Good morning."), speak("My name is Catherine.")
    pcm = silence(0.5) + first + silence(1.0) + second + silence(0.3)
    heard = await final(channel, pcm, words=True, start_offset=160_000)
    assert " ".join(word.text for word in heard.words) == heard.text
    times = [offset for word in heard.words for offset in (word.start_offset, word.end_offset)]
    assert times == sorted(times)
    assert all(0 < word.probability <= 1 for word in heard.words)
    starts = {word.text.lower().strip(".,"): word.start_offset - 160_000 for word in heard.words}
    speech_begins = 8_000 + len(first) // 2 + 16_000
    assert 4_000 < starts["good"] < 8_000 + len(first) // 2
    assert starts["morning"] < speech_begins - 16_000
    assert speech_begins - 8_000 < starts["name"] < starts["catherine"] < len(pcm) // 2


@pytest.mark.parametrize("level_db", [-60.0, -40.0, -25.0])
async def test_nothing_is_heard_in_noise(channel: grpc.aio.Channel, level_db: float) -> None:
    heard = await final(channel, noise(2.0, level_db))
    assert (heard.text, heard.language, heard.language_probability) == ("", "", 0.0)


async def test_nothing_is_heard_in_silence_or_in_no_audio(channel: grpc.aio.Channel) -> None:
    for pcm in (silence(3), b""):
        heard = await final(channel, pcm, language="en", hint="Thank you.")
        assert (heard.text, heard.language, heard.end_offset) == ("", "en", len(pcm) // 2)


async def test_a_long_utterance_loses_nothing(channel: grpc.aio.Channel, speak: Speak) -> None:
    sentences = [
        "The first thing that I want to know is whether the shop is open on Sunday.",
        "My brother works in a hospital near the river, and he takes the bus every day.",
        "Last summer we travelled through the mountains and slept in small wooden houses.",
        "There was a man on the train who played the guitar and sang about the sea.",
        "I would like to book a table for four people on Friday night, close to the window.",
        "The museum opens in the morning and closes in the afternoon, except on Mondays.",
        "Please remind me to call my mother when I get home, because it is her birthday.",
        "In the evening the children went to the garden and looked at the stars.",
        "Nobody could explain why the old clock in the kitchen had stopped again.",
        "Tell me a short story about a dog who lived in a lighthouse.",
    ]
    pcm = b"".join(speak(sentence) + silence(0.25) for sentence in sentences)
    assert len(pcm) > 40 * SECOND
    heard = await final(channel, pcm, words=True)
    said, got = words_of(" ".join(sentences)), words_of(heard.text)
    missing = [word for word in said if word not in got]
    assert len(missing) <= 3
    assert abs(len(got) - len(said)) <= 4
    starts = [word.start_offset for word in heard.words]
    assert starts == sorted(starts)
    assert starts[-1] > 38 * 16_000


async def test_a_hint_helps_with_a_name(channel: grpc.aio.Channel, speak: Speak) -> None:
    pcm = speak("I want to talk to Siobhan.")
    heard = await final(channel, pcm, language="en", hint="Siobhan Kowalczyk")
    assert "Siobhan" in heard.text


async def test_an_english_model_says_english_and_knows_nothing_else(
    small_channel: grpc.aio.Channel, speak: Speak
) -> None:
    heard = await final(small_channel, speak(QUESTION))
    assert (words_of(heard.text), heard.language) == (words_of(QUESTION), "en")
    error = await refused(small_channel, [config(language="zh")])
    assert (error.field, error.message) == ("language", "language: expected empty or one of en; got 'zh'")


async def test_an_unknown_language_is_refused_with_those_there_are(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, [config(language="xx")])
    assert (error.code, error.field) == (Code.INVALID_ARGUMENT, "language")
    assert " zh" in error.message
    assert " en," in error.message


@pytest.mark.parametrize(
    ("requests", "reason", "field"),
    [
        ([], "CONFIG_MISSING", "config"),
        (audio(silence(0.1)), "CONFIG_MISSING", "config"),
        ([config(), config()], "CONFIG_REPEATED", "config"),
        ([config(), TranscribeRequest()], "REQUEST_EMPTY", "request"),
        ([TranscribeRequest()], "CONFIG_MISSING", "config"),
        ([config(format=AudioFormat())], "INVALID_FIELD", "format.encoding"),
        (
            [config(format=AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=8000))],
            "INVALID_FIELD",
            "format.sample_rate_hz",
        ),
        (
            [
                config(
                    format=AudioFormat(
                        encoding=AudioEncoding.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=16_000, channels=2
                    )
                )
            ],
            "INVALID_FIELD",
            "format.channels",
        ),
        ([config(), TranscribeRequest(audio=b"odd")], "INVALID_FIELD", "audio"),
        ([config(start_offset=1 << 63)], "INVALID_FIELD", "start_offset"),
        ([config(partial_interval_ms=1 << 31)], "INVALID_FIELD", "partial_interval_ms"),
        ([config(hint="x" * 1001)], "INVALID_FIELD", "hint"),
        ([config(), *audio(silence(4.1))], "AUDIO_TOO_LONG", "audio"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_bad_input_is_named_and_the_server_lives_on(
    small_channel: grpc.aio.Channel, speak: Speak, requests: list[TranscribeRequest], reason: str, field: str
) -> None:
    error = await refused(small_channel, requests)
    assert (error.code, error.reason, error.field) == (Code.INVALID_ARGUMENT, reason, field)
    assert words_of((await final(small_channel, speak("Good morning."))).text) == ["good", "morning"]


async def test_an_oversized_message_is_refused_and_the_server_lives_on(
    small_channel: grpc.aio.Channel, speak: Speak
) -> None:
    error = await refused(small_channel, [config(), TranscribeRequest(audio=bytes(20_000_000))])
    assert error.code is Code.RESOURCE_EXHAUSTED
    assert (await final(small_channel, speak("Good morning."))).text


async def test_a_stream_that_falls_silent_is_ended(small_channel: grpc.aio.Channel) -> None:
    stub: stt_pb2_grpc.SpeechToTextServiceAsyncStub = stt_pb2_grpc.SpeechToTextServiceStub(small_channel)
    call = stub.Transcribe()
    await call.write(config())
    async with asyncio.timeout(10):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    error = from_rpc_error(caught.value, "stt")
    assert (error.code, error.reason) == (Code.DEADLINE_EXCEEDED, "IDLE_TIMEOUT")


async def test_one_stream_too_many_is_refused_and_cancelled_streams_make_room(
    small_channel: grpc.aio.Channel, speak: Speak
) -> None:
    stub: stt_pb2_grpc.SpeechToTextServiceAsyncStub = stt_pb2_grpc.SpeechToTextServiceStub(small_channel)
    calls = [stub.Transcribe() for _ in range(2)]
    for call in calls:
        await call.write(config(partial_interval_ms=100))
        await call.write(TranscribeRequest(audio=speak(QUESTION)))
        response = await call.read()
        assert isinstance(response, TranscribeResponse)
        assert response.partial.end_offset
    error = await refusal(stub.Transcribe())
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "STREAMS_EXHAUSTED")
    for call in calls:
        await call.write(TranscribeRequest(audio=speak(QUESTION)[:SECOND]))
        call.cancel()
    async with asyncio.timeout(10):
        while value(STREAMS_ACTIVE, "voxfleet_streams_active", stage="stt"):  # noqa: ASYNC110 - a gauge has no event
            await asyncio.sleep(0.01)
    assert words_of((await final(small_channel, speak(QUESTION))).text) == words_of(QUESTION)


async def test_streams_at_once_do_not_mix(channel: grpc.aio.Channel, speak: Speak) -> None:
    sentences = [QUESTION, "My name is Catherine.", "Tell me a short story."]
    finals = await asyncio.gather(*[final(channel, speak(sentence)) for sentence in sentences])
    assert [words_of(heard.text) for heard in finals] == [words_of(sentence) for sentence in sentences]
