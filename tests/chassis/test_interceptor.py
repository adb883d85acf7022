"""What every stage stream goes through, over real gRPC."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from voxfleet.vad.v1.vad_pb2 import DetectRequest, DetectResponse

from chassis.errors import Code, StageError
from chassis.grpc_errors import from_rpc_error
from chassis.interceptor import ADMITTED_KEY, LOAD_KEY
from chassis.load import Load
from chassis.logging import ContextFilter
from chassis.metrics import ADMISSION_REFUSED, STAGE_ERRORS, STREAMS, STREAMS_ACTIVE
from tests.support.echo_stage import (
    CRASH,
    FLOOD,
    NAME,
    SECRET,
    SERVICE,
    ScriptedEngine,
    Settings,
    audio,
    config,
    health_of,
    listen,
    open_stream,
    rest_of,
    services_of,
    stage,
)
from tests.support.metrics import value_of
from tests.support.server import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAX_STREAMS = 2
MAX_MESSAGE_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Echo:
    """A running server."""

    channel: grpc.aio.Channel
    engine: ScriptedEngine

    async def idle(self) -> None:
        """Returns once the server has given every place back."""
        async with asyncio.timeout(5):
            while self.engine.streams or active():  # noqa: ASYNC110  # metrics set no event
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Echo]:
    engine = ScriptedEngine.warm()
    settings = Settings(max_streams=MAX_STREAMS, max_message_bytes=MAX_MESSAGE_BYTES)
    async with serving(stage(engine, settings), settings) as channel:
        yield Echo(channel, engine)


@pytest_asyncio.fixture(loop_scope="module")
async def echo(server: Echo) -> AsyncIterator[Echo]:
    """The server, which every test leaves idle and able to serve."""
    yield server
    await server.idle()
    assert await offsets(server.channel, audio(10), audio(5)) == [10, 15, 15]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The records of the test as the server's own handler would see them."""
    caplog.set_level(logging.INFO)
    ids = ContextFilter()
    caplog.handler.addFilter(ids)
    yield caplog
    caplog.handler.removeFilter(ids)


def active() -> float:
    return value_of(STREAMS_ACTIVE, stage=NAME)


def ended(code: str) -> float:
    return value_of(STREAMS, "_total", stage=NAME, code=code)


def errors(reason: str) -> float:
    return value_of(STAGE_ERRORS, "_total", stage=NAME, reason=reason)


def refusals() -> float:
    return value_of(ADMISSION_REFUSED, "_total", stage=NAME)


async def offsets(channel: grpc.aio.Channel, *requests: DetectRequest) -> list[int]:
    heard = await listen(channel, config(), *requests)
    return [response.speech_started.offset + response.speech_stopped.offset for response in heard]


async def refused(channel: grpc.aio.Channel, *requests: DetectRequest) -> StageError:
    """How a stream of its own ends after `requests`. It is not half-closed."""
    call = open_stream(channel)
    for request in requests:
        await call.write(request)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rest_of(call)
    return from_rpc_error(caught.value, NAME)


async def test_an_admitted_stream_is_told_so_before_it_sends_anything(echo: Echo) -> None:
    call = open_stream(echo.channel)
    async with asyncio.timeout(5):
        metadata = dict(await call.initial_metadata())
    assert metadata[ADMITTED_KEY] == NAME
    call.cancel()


async def told_load(channel: grpc.aio.Channel) -> str | bytes:
    """The load that a stream of its own is told; the stream goes on."""
    call = open_stream(channel)
    await call.write(config())
    async with asyncio.timeout(5):
        return dict(await call.initial_metadata())[LOAD_KEY]


async def test_an_admitted_stream_is_told_how_many_there_are_and_how_many_there_may_be() -> None:
    settings = Settings(max_streams=8)
    async with serving(stage(ScriptedEngine.warm(), settings), settings) as channel:
        assert [await told_load(channel) for _ in range(3)] == ["1/8", "2/8", "3/8"]


async def test_of_streams_and_engine_the_one_nearer_to_its_limit_is_told() -> None:
    settings = Settings(max_streams=8)
    loads = iter((Load(0, 4), Load(1, 4), Load(6, 4), None))
    told = replace(stage(ScriptedEngine.warm(), settings), load=lambda: next(loads))
    async with serving(told, settings) as channel:
        # Streams alone would be 1/8, 2/8, 3/8 and 4/8.
        assert [await told_load(channel) for _ in range(4)] == ["1/8", "2/8", "6/4", "4/8"]


async def test_one_stream_too_many_is_refused_while_health_reflection_and_the_others_go_on(echo: Echo) -> None:
    admitted = [open_stream(echo.channel) for _ in range(MAX_STREAMS)]
    for call in admitted:
        await call.write(config())
        await call.initial_metadata()
    before = refusals()
    error = await refused(echo.channel)
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "STREAMS_EXHAUSTED")
    assert error.message == f"{NAME} serves {MAX_STREAMS} streams"
    assert refusals() == before + 1
    assert active() == MAX_STREAMS
    assert await health_of(echo.channel) == await health_of(echo.channel, SERVICE) == "SERVING"
    assert SERVICE in await services_of(echo.channel)
    for call in admitted:
        await call.done_writing()
        assert len(await rest_of(call)) == 1


async def test_a_refused_field_reaches_the_caller_by_name(echo: Echo) -> None:
    before = errors("INVALID_FIELD")
    error = await refused(echo.channel, config(threshold=0.95))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert (error.field, error.message) == ("threshold", "threshold: expected at most 0.9")
    assert errors("INVALID_FIELD") == before + 1


async def test_an_error_after_some_answers_comes_after_them(echo: Echo) -> None:
    call = open_stream(echo.channel)
    for request in (config(), audio(4), config()):
        await call.write(request)
    first = await call.read()
    assert isinstance(first, DetectResponse)
    assert first.speech_started.offset == 4
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert from_rpc_error(caught.value, NAME).reason == "CONFIG_REPEATED"


async def test_an_unforeseen_failure_is_logged_here_and_does_not_leak(
    echo: Echo, logged: pytest.LogCaptureFixture
) -> None:
    before = ended("INTERNAL")
    call = open_stream(echo.channel)
    await call.write(config())
    await call.write(DetectRequest(audio=CRASH))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rest_of(call)
    error = from_rpc_error(caught.value, NAME)
    assert (error.code, error.reason) == (Code.INTERNAL, "INTERNAL")
    assert error.message == f"{NAME} failed; its log says why"
    trailers = caught.value.trailing_metadata() or ()
    assert SECRET not in f"{caught.value.details()} {list(trailers)}"
    [failure] = [record for record in logged.records if record.message == "stream failed"]
    assert failure.exc_info is not None
    assert str(failure.exc_info[1]) == SECRET
    await echo.idle()
    assert ended("INTERNAL") == before + 1


async def test_an_oversized_message_ends_its_stream_alone(echo: Echo) -> None:
    bystander = open_stream(echo.channel)
    await bystander.write(config())
    error = await refused(echo.channel, config(), audio(MAX_MESSAGE_BYTES))
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
    assert str(MAX_MESSAGE_BYTES) in error.message
    await bystander.write(audio(3))
    await bystander.done_writing()
    assert len(await rest_of(bystander)) == 2


async def test_a_cancelled_stream_gives_its_place_back(echo: Echo) -> None:
    call = open_stream(echo.channel)
    await call.write(config())
    await call.write(audio(1))
    await call.read()
    assert active() == 1
    before = ended("CANCELLED")
    call.cancel()
    await echo.idle()
    assert ended("CANCELLED") == before + 1


async def test_a_stream_cancelled_while_nobody_reads_its_answers_gives_its_place_back(echo: Echo) -> None:
    call = open_stream(echo.channel)
    await call.write(config())
    await call.write(DetectRequest(audio=FLOOD))
    await call.read()
    # Long enough for the answers to fill the connection's window, so that the server waits in a write.
    await asyncio.sleep(0.2)
    call.cancel()
    await echo.idle()


async def test_streams_cancelled_at_any_moment_give_their_places_back_and_are_no_errors(echo: Echo) -> None:
    cancelled, mistaken = ended("CANCELLED"), ended("INVALID_ARGUMENT")
    for number in range(60):
        call = open_stream(echo.channel)
        await asyncio.sleep(number % 12 * 0.0003)
        call.cancel()
    await echo.idle()
    # Seldom the end of the requests is all that a server sees of a cancellation.
    assert ended("CANCELLED") - cancelled > 5 * (ended("INVALID_ARGUMENT") - mistaken)


async def test_every_stream_logs_under_its_own_session_and_turn(echo: Echo, logged: pytest.LogCaptureFixture) -> None:
    calls = [open_stream(echo.channel, session, turn) for session, turn in [("s1", "t1"), ("s2", "t9")]]
    for call in calls:
        await call.write(config())
    for _ in range(2):
        for call in calls:
            await call.write(audio(1))
            await call.read()
    for call in calls:
        await call.done_writing()
        await rest_of(call)
    fields = [vars(record) for record in logged.records if record.message == "heard"]
    seen = [(record["session_id"], record["turn_id"]) for record in fields]
    assert seen == [("s1", "t1"), ("s2", "t9")] * 2


async def test_ended_streams_are_counted_by_status(echo: Echo) -> None:
    before = ended("OK")
    await listen(echo.channel, config())
    await echo.idle()
    assert ended("OK") == before + 1
