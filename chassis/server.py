"""The bootstrap of a stage server: ports, health, reflection, metrics, warm-up, drain.

A stage's `__main__` is one call of `run`. The server listens at once and says NOT_SERVING until the engine is warm, so
that whoever waits for it can tell "starting" from "gone".
"""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.interceptor import StageInterceptor
from chassis.load import Load
from chassis.logging import configure
from chassis.metrics import MetricsServer
from chassis.registry import UnknownEngineError
from chassis.settings import StageSettings

log = logging.getLogger(__name__)

CLEAN_UP_S = 5.0
"""Seconds that streams get to end after they were cancelled, before the engine is closed under them."""


class Engine(Protocol):
    """What the bootstrap needs of an engine, whatever its stage."""

    async def start(self) -> None:
        """Loads the model and warms it; the stage is ready afterwards. Called once."""
        ...

    async def close(self) -> None:
        """Frees everything. Called once, after the last stream has ended, also where `start` failed."""
        ...


@runtime_checkable
class DependentEngine(Protocol):
    """An engine that needs something outside this process, which may go and come back."""

    def readiness(self) -> AsyncGenerator[bool]:
        """Whether the engine can serve, each time that this changes after its start, until it is closed."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its `name`, its gRPC `service` in full, its engine, how to add its servicer to a server.

    `load` tells how near the engine is to a limit of its own, None where only the streams are limited.
    """

    name: str
    service: str
    engine: Engine
    add_to_server: Callable[[grpc.aio.Server], None]
    load: Callable[[], Load | None] = lambda: None


class _Health(health.aio.HealthServicer):  # type: ignore[misc]  # untyped
    """Health that also ends its watches: they would hold every drain up to its limit."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(super().Watch(request, context))
            await self._over.wait()
            watch.cancel()

    async def enter_graceful_shutdown(self) -> None:
        await super().enter_graceful_shutdown()
        self._over.set()


class StageServer:
    """A running stage server. `await start()`, then `await stop()`; `port` and `metrics_port` are the real ones."""

    def __init__(self, stage: Stage, settings: StageSettings) -> None:
        self._stage = stage
        self._settings = settings
        self._health = _Health()
        self._metrics: MetricsServer | None = None
        self._following: asyncio.Task[None] | None = None
        self._streams = StageInterceptor(stage.name, settings.max_streams, stage.load)
        self._server = grpc.aio.server(
            interceptors=[self._streams],
            options=[
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                # A second server on the same port is an error, not a silent partner.
                ("grpc.so_reuseport", 0),
                # Orchestrators keep channels open between turns and probe them.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        self.port = 0
        self.metrics_port = 0

    async def start(self) -> None:
        """Listens, then loads the engine, then reports SERVING; from then on health follows a `DependentEngine`."""
        self._stage.add_to_server(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (self._stage.service, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        await self._report(health_pb2.HealthCheckResponse.NOT_SERVING)
        self.port = self._server.add_insecure_port(f"{self._settings.host}:{self._settings.port}")
        self._metrics = MetricsServer(self._settings.host, self._settings.prometheus_port)
        self.metrics_port = self._metrics.port
        await self._server.start()
        log.info("warming", extra={"port": self.port, "metrics_port": self.metrics_port})
        await self._stage.engine.start()
        await self._report(health_pb2.HealthCheckResponse.SERVING)
        log.info("ready", extra={"port": self.port})
        if isinstance(self._stage.engine, DependentEngine):
            self._following = asyncio.create_task(self._follow(self._stage.engine))

    async def stop(self, drain_s: float) -> None:
        """Refuses new streams, gives running ones `drain_s` seconds, cancels the rest, frees the engine."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._health.enter_graceful_shutdown()
        await self._server.stop(drain_s)
        await self._clean_up()
        await self._stage.engine.close()
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.close)

    async def _clean_up(self) -> None:
        # gRPC does not wait for the handlers that it cancelled; they may still use the engine.
        try:
            async with asyncio.timeout(CLEAN_UP_S):
                await self._streams.idle()
        except TimeoutError:
            log.exception("streams did not end", extra={"streams": self._streams.active})

    async def _follow(self, engine: DependentEngine) -> None:
        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        try:
            async with aclosing(engine.readiness()) as changes:
                async for ready in changes:
                    await self._report(serving if ready else not_serving)
        except Exception:
            log.exception("health follows the engine no longer")
            await self._report(not_serving)

    async def _report(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", self._stage.service):
            await self._health.set(service, status)


async def serve(stage: Stage, settings: StageSettings, stopping: asyncio.Event) -> None:
    """Serves until `stopping` is set, then drains. A stop that comes during warm-up ends the warm-up."""
    server = StageServer(stage, settings)
    started = asyncio.create_task(server.start())
    stop_wanted = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({started, stop_wanted}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            started.result()
            await stop_wanted
        log.info("draining", extra={"drain_s": settings.drain_s})
    finally:
        for task in (started, stop_wanted):
            task.cancel()
        await asyncio.gather(started, stop_wanted, return_exceptions=True)
        await server.stop(settings.drain_s)
    log.info("drained")


def on_stop_signal(callback: Callable[[], object]) -> None:
    """Calls `callback` in the running loop on SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, callback)


def run(build: Callable[[], Awaitable[Stage]], settings: StageSettings) -> None:
    """Runs one stage server in this process until SIGTERM or SIGINT. An unknown engine exits with status 2."""
    configure(settings.log_level, settings.log_format)

    async def main() -> None:
        stopping = asyncio.Event()
        on_stop_signal(stopping.set)
        await serve(await build(), settings, stopping)

    try:
        asyncio.run(main())
    except UnknownEngineError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from error
