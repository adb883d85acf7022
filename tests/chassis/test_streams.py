"""The request side of a stage stream."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from voxfleet.vad.v1.vad_pb2 import DetectRequest

from chassis.errors import Code, StageError
from chassis.streams import read_config, read_rest, within_idle_limit
from tests.support.echo_stage import audio, config

NEVER_S = 60.0


async def requests(*messages: DetectRequest) -> AsyncIterator[DetectRequest]:
    for message in messages:
        yield message


async def silence_after(*messages: DetectRequest) -> AsyncIterator[DetectRequest]:
    for message in messages:
        yield message
    await asyncio.Event().wait()


async def test_the_config_comes_first_then_the_rest_in_order() -> None:
    stream = requests(config(start_offset=7), audio(1), audio(2))
    first = await read_config(stream, NEVER_S)
    assert first.config.start_offset == 7
    rest = [(kind, len(request.audio)) async for kind, request in read_rest(stream, NEVER_S)]
    assert rest == [("audio", 2), ("audio", 4)]


@pytest.mark.parametrize(
    ("messages", "got"),
    [([], "the end of the stream"), ([audio(1)], "audio"), ([DetectRequest()], "an empty request")],
)
async def test_a_stream_without_its_config_is_refused(messages: list[DetectRequest], got: str) -> None:
    with pytest.raises(StageError) as refusal:
        await read_config(requests(*messages), NEVER_S)
    error = refusal.value
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "CONFIG_MISSING")
    assert (error.field, error.message) == ("config", f"config: expected as the first message, got {got}")


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [(config(), "CONFIG_REPEATED", "config"), (DetectRequest(), "REQUEST_EMPTY", "request")],
)
async def test_a_bad_message_later_is_refused_after_the_good_ones(
    message: DetectRequest, reason: str, field: str
) -> None:
    rest = read_rest(requests(audio(3), message, audio(4)), NEVER_S)
    assert await anext(rest) == ("audio", audio(3))
    with pytest.raises(StageError) as refusal:
        await anext(rest)
    assert (refusal.value.code, refusal.value.reason) == (Code.INVALID_ARGUMENT, reason)
    assert refusal.value.field == field


async def test_a_stream_that_sends_nothing_is_ended() -> None:
    with pytest.raises(StageError, match=r"sent nothing for 0\.02 s") as refusal:
        await read_config(silence_after(), 0.02)
    assert (refusal.value.code, refusal.value.reason) == (Code.DEADLINE_EXCEEDED, "IDLE_TIMEOUT")


async def test_a_stream_that_falls_silent_is_ended_after_what_it_said() -> None:
    stream = within_idle_limit(silence_after(audio(1), audio(2)), 0.02)
    assert [await anext(stream), await anext(stream)] == [audio(1), audio(2)]
    with pytest.raises(StageError) as refusal:
        await anext(stream)
    assert refusal.value.reason == "IDLE_TIMEOUT"


async def test_the_limit_is_between_messages_not_over_the_stream() -> None:
    async def steady() -> AsyncIterator[DetectRequest]:
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield audio(1)

    # Four waits of 100 ms are longer than the limit together; each alone is not.
    assert len([request async for request in within_idle_limit(steady(), 0.3)]) == 4


async def test_time_that_the_reader_takes_does_not_count() -> None:
    heard = 0
    async for _ in within_idle_limit(requests(audio(1), audio(1)), 0.02):
        await asyncio.sleep(0.05)
        heard += 1
    assert heard == 2


async def test_a_cancellation_right_after_the_end_is_not_missed() -> None:
    """gRPC ends the requests of a cancelled call first and cancels its task one step later."""
    reached_the_end = False
    ending = asyncio.Event()

    async def ended() -> AsyncIterator[DetectRequest]:
        yield audio(1)
        ending.set()

    async def read() -> None:
        nonlocal reached_the_end
        async for _ in within_idle_limit(ended(), NEVER_S):
            pass
        reached_the_end = True

    reading = asyncio.create_task(read())
    await ending.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not reached_the_end
