"""A stage server in the test's own event loop, reached over real gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio

from chassis.server import Stage, StageServer
from chassis.settings import StageSettings


@asynccontextmanager
async def serving(stage: Stage, settings: StageSettings) -> AsyncIterator[grpc.aio.Channel]:
    """Starts `stage` on a free port, waits until it is ready and gives a channel to it."""
    server = StageServer(stage, settings)
    try:
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield channel
    finally:
        await server.stop(0)
