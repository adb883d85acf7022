"""The voice activity server over real gRPC with its real engines."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import grpc
import grpc.aio
import numpy as np
import pytest
import pytest_asyncio
from voxfleet.audio.v1.audio_pb2 import AudioFormat
from voxfleet.vad.v1 import vad_pb2_grpc
from voxfleet.vad.v1.vad_pb2 import DetectConfig, DetectRequest, DetectResponse

from chassis.audio import Float32, float_to_pcm
from chassis.errors import Code, StageError
from chassis.formats import fleet_format
from chassis.grpc_errors import from_rpc_error
from services.vad.engines.silero import FRAME_SAMPLES
from services.vad.settings import Settings
from services.vad.stage import build
from tests.support.server import refusal, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

MS = 16
"""Samples."""
STOP_SILENCE_MS = 200
Sound = Callable[[int], Float32]
Speak = Callable[[str], Float32]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """The server as it is by default."""
    settings = Settings(port=0)
    async with serving(await build(settings), settings) as channel:
        yield channel


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small_channel() -> AsyncIterator[grpc.aio.Channel]:
    """A server for two streams that may not idle, without an end-of-turn engine."""
    settings = Settings(port=0, max_streams=2, idle_timeout_s=0.5, end_of_turn_engine="none")
    async with serving(await build(settings), settings) as channel:
        yield channel


@pytest.fixture(scope="session")
def question(speak: Speak, room: Sound) -> Float32:
    """Half a second of silence, a question, a second of silence."""
    return np.concatenate((room(500), speak("What is the capital of France?"), room(1_000)))


def config(**fields: object) -> DetectRequest:
    return DetectRequest(config=DetectConfig(format=fleet_format(), **fields))  # type: ignore[arg-type]


def audio(signal: Float32, message_ms: int = 20) -> list[DetectRequest]:
    pcm = float_to_pcm(signal)
    step = 2 * MS * message_ms
    return [DetectRequest(audio=pcm[at : at + step]) for at in range(0, len(pcm), step)]


async def detect(channel: grpc.aio.Channel, requests: Iterable[DetectRequest]) -> list[DetectResponse]:
    stub: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(channel)

    async def sent() -> AsyncIterator[DetectRequest]:
        for request in requests:
            yield request

    async with asyncio.timeout(20):
        return [response async for response in stub.Detect(sent())]


async def refused(channel: grpc.aio.Channel, requests: Iterable[DetectRequest]) -> StageError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await detect(channel, requests)
    return from_rpc_error(caught.value, "vad")


def spans(responses: Iterable[DetectResponse]) -> list[tuple[str, int]]:
    """Each event's name and offset."""
    found: list[tuple[str, int]] = []
    for response in responses:
        kind = response.WhichOneof("event")
        assert kind is not None
        found.append((kind, getattr(response, kind).offset))
    return found


async def test_a_question_starts_stops_and_sounds_finished(channel: grpc.aio.Channel, question: Float32) -> None:
    started, stopped = await detect(channel, [config(), *audio(question)])
    speech_end = len(question) - 1_000 * MS
    assert abs(started.speech_started.offset - 500 * MS) < 100 * MS
    assert started.speech_started.decided_offset - started.speech_started.offset == 2 * FRAME_SAMPLES
    assert abs(stopped.speech_stopped.offset - speech_end) < 150 * MS
    silence = stopped.speech_stopped.decided_offset - stopped.speech_stopped.offset
    assert STOP_SILENCE_MS * MS <= silence < STOP_SILENCE_MS * MS + FRAME_SAMPLES
    assert stopped.speech_stopped.end_of_turn_probability > 0.9


async def test_a_sentence_cut_in_the_middle_does_not_sound_finished(
    channel: grpc.aio.Channel, speak: Speak, room: Sound
) -> None:
    speech = speak("Can you tell me what the weather will be like tomorrow?")
    signal = np.concatenate((room(500), speech[: len(speech) * 6 // 10], room(1_000)))
    _, stopped = await detect(channel, [config(), *audio(signal)])
    assert stopped.speech_stopped.end_of_turn_probability < 0.3


async def test_a_quiet_room_has_no_events(channel: grpc.aio.Channel, room: Sound) -> None:
    assert await detect(channel, [config(), *audio(room(2_000))]) == []


async def test_a_stream_without_audio_ends_with_ok(channel: grpc.aio.Channel) -> None:
    assert await detect(channel, [config()]) == []


async def test_two_sentences_start_and_stop_in_turn(channel: grpc.aio.Channel, question: Float32, speak: Speak) -> None:
    signal = np.concatenate((question, speak("And of Germany?"), question))
    kinds = [kind for kind, _ in spans(await detect(channel, [config(), *audio(signal)]))]
    assert kinds == ["speech_started", "speech_stopped"] * 3


async def test_a_start_offset_shifts_every_offset(channel: grpc.aio.Channel, question: Float32) -> None:
    shift = (1 << 40) + 7
    plain = spans(await detect(channel, [config(frame_probabilities=True), *audio(question)]))
    shifted = spans(await detect(channel, [config(frame_probabilities=True, start_offset=shift), *audio(question)]))
    assert shifted == [(kind, offset + shift) for kind, offset in plain]


async def test_half_close_during_speech_stops_it_at_the_end_of_the_audio(
    channel: grpc.aio.Channel, question: Float32
) -> None:
    cut = question[: 1_203 * MS]
    started, stopped = await detect(channel, [config(), *audio(cut)])
    assert started.HasField("speech_started")
    assert stopped.speech_stopped.offset == stopped.speech_stopped.decided_offset == len(cut)
    assert stopped.speech_stopped.HasField("end_of_turn_probability")


async def test_frame_probabilities_cover_all_of_the_audio(channel: grpc.aio.Channel, question: Float32) -> None:
    cut = question[: 10 * FRAME_SAMPLES + 100]
    responses = await detect(channel, [config(frame_probabilities=True, threshold=1), *audio(cut)])
    assert spans(responses) == [("frame_probability", FRAME_SAMPLES * n) for n in range(11)]
    assert all(0 <= response.frame_probability.probability <= 1 for response in responses)


async def test_a_longer_stop_silence_bridges_a_pause(channel: grpc.aio.Channel, question: Float32) -> None:
    signal = np.concatenate((question, question))
    bridged = await detect(channel, [config(stop_silence_ms=1_900), *audio(signal)])
    assert [kind for kind, _ in spans(bridged)] == ["speech_started", "speech_stopped"]


async def test_messages_of_any_length_give_the_same_events(channel: grpc.aio.Channel, question: Float32) -> None:
    expected = await detect(channel, [config(), *audio(question)])
    for message_ms in (1, 7, 32, 500, 10_000):
        events = await detect(channel, [config(), *audio(question, message_ms)])
        assert spans(events) == spans(expected)


async def test_many_streams_at_once_get_what_one_gets_alone(channel: grpc.aio.Channel, question: Float32) -> None:
    alone = spans(await detect(channel, [config(), *audio(question)]))
    together = await asyncio.gather(*(detect(channel, [config(), *audio(question)]) for _ in range(16)))
    assert [spans(responses) for responses in together] == [alone] * 16


@pytest.mark.parametrize(
    ("requests", "reason", "field"),
    [
        ([], "CONFIG_MISSING", "config"),
        ([DetectRequest(audio=bytes(640))], "CONFIG_MISSING", "config"),
        ([DetectRequest()], "CONFIG_MISSING", "config"),
        ([config(), config()], "CONFIG_REPEATED", "config"),
        ([config(), DetectRequest()], "REQUEST_EMPTY", "request"),
        ([config(), DetectRequest(audio=bytes(641))], "INVALID_FIELD", "audio"),
        ([DetectRequest(config=DetectConfig())], "INVALID_FIELD", "format.encoding"),
        (
            [DetectRequest(config=DetectConfig(format=AudioFormat(encoding=1, sample_rate_hz=8_000, channels=1)))],  # type: ignore[arg-type]
            "INVALID_FIELD",
            "format.sample_rate_hz",
        ),
        (
            [DetectRequest(config=DetectConfig(format=AudioFormat(encoding=1, sample_rate_hz=16_000, channels=2)))],  # type: ignore[arg-type]
            "INVALID_FIELD",
            "format.channels",
        ),
        ([config(threshold=2.0)], "INVALID_FIELD", "threshold"),
        ([config(stop_silence_ms=5)], "INVALID_FIELD", "stop_silence_ms"),
        ([config(min_speech_ms=5_000)], "INVALID_FIELD", "min_speech_ms"),
    ],
)
async def test_bad_input_is_refused_and_the_server_lives_on(
    channel: grpc.aio.Channel, question: Float32, requests: list[DetectRequest], reason: str, field: str
) -> None:
    error = await refused(channel, requests)
    assert (error.code, error.reason, error.field) == (Code.INVALID_ARGUMENT, reason, field)
    assert len(await detect(channel, [config(), *audio(question)])) == 2


async def test_what_was_decided_before_bad_input_still_arrives(channel: grpc.aio.Channel, question: Float32) -> None:
    stub: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(channel)

    async def requests() -> AsyncIterator[DetectRequest]:
        for request in [config(), *audio(question), DetectRequest(audio=b"\0")]:
            yield request

    responses = aiter(stub.Detect(requests()))
    received = [await anext(responses) for _ in range(2)]
    assert [kind for kind, _ in spans(received)] == ["speech_started", "speech_stopped"]
    with pytest.raises(grpc.aio.AioRpcError, match="whole samples"):
        await anext(responses)


async def test_an_oversized_message_is_refused_and_the_server_lives_on(
    channel: grpc.aio.Channel, question: Float32
) -> None:
    error = await refused(channel, [config(), DetectRequest(audio=bytes(20 << 20))])
    assert error.code is Code.RESOURCE_EXHAUSTED
    assert len(await detect(channel, [config(), *audio(question)])) == 2


async def hang(channel: grpc.aio.Channel, opened: asyncio.Event, first: Iterable[DetectRequest]) -> None:
    """A stream that sends `first`, says so at the first answer, and falls silent."""
    stub: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(channel)

    async def requests() -> AsyncIterator[DetectRequest]:
        for request in first:
            yield request
        await asyncio.Event().wait()

    async for _ in stub.Detect(requests()):
        opened.set()


async def test_a_stream_that_falls_silent_is_ended(small_channel: grpc.aio.Channel, room: Sound) -> None:
    opened = asyncio.Event()
    requests = [config(frame_probabilities=True), *audio(room(100))]
    async with asyncio.timeout(10):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await hang(small_channel, opened, requests)
    error = from_rpc_error(caught.value, "vad")
    assert (error.code, error.reason) == (Code.DEADLINE_EXCEEDED, "IDLE_TIMEOUT")
    assert opened.is_set()


async def test_cancelled_streams_leave_room_for_new_ones(
    small_channel: grpc.aio.Channel, question: Float32, room: Sound
) -> None:
    requests = [config(frame_probabilities=True), *audio(room(100))]
    # More rounds than the engine has slots: one that leaked would be missed.
    for _ in range(5):
        opened = [asyncio.Event() for _ in range(2)]
        tasks = [asyncio.create_task(hang(small_channel, event, requests)) for event in opened]
        async with asyncio.timeout(5):
            await asyncio.gather(*(event.wait() for event in opened))
        stub: vad_pb2_grpc.VoiceActivityServiceAsyncStub = vad_pb2_grpc.VoiceActivityServiceStub(small_channel)
        error = await refusal(stub.Detect())
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "STREAMS_EXHAUSTED")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await room_for_a_stream(small_channel)
    assert len(await detect(small_channel, [config(), *audio(question)])) == 2


async def room_for_a_stream(channel: grpc.aio.Channel) -> None:
    """Waits until the server has noticed that its streams were cancelled."""
    async with asyncio.timeout(5):
        while True:
            outcomes = await asyncio.gather(*(detect(channel, [config()]) for _ in range(2)), return_exceptions=True)
            if not any(isinstance(outcome, BaseException) for outcome in outcomes):
                return
            await asyncio.sleep(0.01)


async def test_without_an_end_of_turn_engine_there_is_no_probability(
    small_channel: grpc.aio.Channel, question: Float32
) -> None:
    _, stopped = await detect(small_channel, [config(), *audio(question)])
    assert stopped.HasField("speech_stopped")
    assert not stopped.speech_stopped.HasField("end_of_turn_probability")
