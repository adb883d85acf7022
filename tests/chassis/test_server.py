"""The bootstrap of a stage server: warm-up, health, reflection, metrics, drain. Over real gRPC, once as a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.server import StageServer, serve
from tests.support.echo_stage import (
    NAME,
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

ROOT = Path(__file__).parents[2]
PATIENCE_S = 10.0
NEVER_S = 60.0
CUT_OFF = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""What a server that stops answers with; which one depends on the moment."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that is ready, its engine and a channel to it."""

    server: StageServer
    engine: ScriptedEngine
    channel: grpc.aio.Channel


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(PATIENCE_S):
        yield channel


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    """A ready server that the test stops."""
    engine, settings = ScriptedEngine.warm(), Settings()
    server = StageServer(stage(engine, settings), settings)
    await server.start()
    async with connected(server.port) as channel:
        yield Started(server, engine, channel)


async def test_a_server_is_not_serving_until_its_engine_is_warm() -> None:
    engine, settings = ScriptedEngine(), Settings()
    server = StageServer(stage(engine, settings), settings)
    starting = asyncio.create_task(server.start())
    await engine.warming.wait()
    async with connected(server.port) as channel:
        for service in ("", SERVICE):
            assert await health_of(channel, service) == "NOT_SERVING"
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health_of(channel, "voxfleet.no.such.Service")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        assert not starting.done()
        engine.may_warm.set()
        await starting
        for service in ("", SERVICE):
            assert await health_of(channel, service) == "SERVING"
    assert engine.closes == 0
    await server.stop(0)
    assert engine.closes == 1


async def test_reflection_and_metrics_answer(started: Started) -> None:
    assert SERVICE in await services_of(started.channel)
    await listen(started.channel, config())
    url = f"http://127.0.0.1:{started.server.metrics_port}/metrics"
    text = await asyncio.to_thread(lambda: urlopen(url, timeout=5).read().decode())
    assert f'voxfleet_streams_total{{code="OK",stage="{NAME}"}}' in text
    await started.server.stop(0)


async def test_a_drain_lets_a_running_stream_finish_and_refuses_new_ones(started: Started) -> None:
    running = open_stream(started.channel)
    await running.write(config())
    await running.write(audio(5))
    await running.read()
    stopping = asyncio.create_task(started.server.stop(NEVER_S))
    async with connected(started.server.port) as other:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await rest_of(open_stream(other))
    assert refusal.value.code() in CUT_OFF
    assert (started.engine.streams, started.engine.closes) == (1, 0)
    await running.write(audio(2))
    await running.done_writing()
    assert [response.WhichOneof("event") for response in await rest_of(running)] == [
        "speech_started",
        "speech_stopped",
    ]
    assert await running.code() is grpc.StatusCode.OK
    await stopping
    assert (started.engine.closes, started.engine.streams_at_close) == (1, 0)


async def test_a_stream_that_outlasts_the_drain_is_cancelled_before_the_engine_is_closed(started: Started) -> None:
    running = open_stream(started.channel)
    await running.write(config())
    await running.initial_metadata()
    await started.server.stop(0.1)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await rest_of(running)
    assert ended.value.code() in CUT_OFF
    assert (started.engine.closes, started.engine.streams_at_close) == (1, 0)


async def test_those_who_watch_the_health_hear_of_the_drain_and_do_not_hold_it_up(started: Started) -> None:
    watch = aiter(health_pb2_grpc.HealthStub(started.channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE)))
    assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING
    async with asyncio.timeout(PATIENCE_S):
        await started.server.stop(NEVER_S)
    assert [answer.status async for answer in watch] == [health_pb2.HealthCheckResponse.NOT_SERVING]


async def test_a_second_server_on_the_same_port_fails_and_frees_its_engine(started: Started) -> None:
    engine, settings = ScriptedEngine.warm(), Settings(port=started.server.port, metrics_port=0)
    with pytest.raises(RuntimeError, match="bind"):
        await serve(stage(engine, settings), settings, asyncio.Event())
    assert engine.closes == 1
    assert await health_of(started.channel) == "SERVING"
    await started.server.stop(0)


async def test_an_engine_that_fails_to_start_is_closed_and_its_error_comes_out() -> None:
    engine, settings = ScriptedEngine.warm(), Settings()
    engine.failure = FileNotFoundError("no such model")
    with pytest.raises(FileNotFoundError, match="no such model"):
        await serve(stage(engine, settings), settings, asyncio.Event())
    assert engine.closes == 1


async def test_a_stop_during_the_warm_up_ends_it() -> None:
    engine, settings, stopping = ScriptedEngine(), Settings(), asyncio.Event()
    serving = asyncio.create_task(serve(stage(engine, settings), settings, stopping))
    await engine.warming.wait()
    stopping.set()
    async with asyncio.timeout(PATIENCE_S):
        await serving
    assert engine.closes == 1


class Process:
    """The echo stage as a process of its own, with what it logged so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        self.process = process
        self.records: list[dict[str, Any]] = []
        self._stderr = process.stderr

    async def logs(self, message: str) -> dict[str, Any]:
        """Reads until `message` was logged; its record."""
        while line := await self._stderr.readline():
            record: dict[str, Any] = json.loads(line)
            self.records.append(record)
            if record["message"] == message:
                return record
        raise AssertionError(f"{message!r} was never logged: {self.records}")

    async def exit_status(self) -> int:
        """Reads to the end; the exit status."""
        async for line in self._stderr:
            self.records.append(json.loads(line))
        return await self.process.wait()


@asynccontextmanager
async def running_process() -> AsyncIterator[Process]:
    settings = {"VOXFLEET_ECHO_LOG_FORMAT": "json", "VOXFLEET_ECHO_DRAIN_S": str(NEVER_S)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.echo_stage"),
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **settings},
    )
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_sigterm_drains_a_process_and_it_exits_with_zero() -> None:
    async with running_process() as process:
        port = (await process.logs("ready"))["port"]
        async with connected(port) as channel:
            call = open_stream(channel, "s1", "t1")
            await call.write(config())
            await call.write(audio(7))
            await call.read()
            process.process.send_signal(signal.SIGTERM)
            assert (await process.logs("draining"))["drain_s"] == NEVER_S
            await call.write(audio(3))
            await call.done_writing()
            assert [answer.speech_stopped.offset for answer in await rest_of(call)] == [0, 10]
        assert await process.exit_status() == 0
    names = [record["message"] for record in process.records]
    assert names == ["warming", "ready", "listening", "heard", "draining", "heard", "drained"]
    of_the_stream = [record for record in process.records if record["logger"] == "tests.echo"]
    assert {(record["session_id"], record["turn_id"]) for record in of_the_stream} == {("s1", "t1")}
    assert not any("session_id" in record for record in process.records if record["logger"] == "chassis.server")
