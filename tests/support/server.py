"""A stage server in the test's own event loop, reached over real gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from chassis.errors import StageError
from chassis.grpc_errors import from_status
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


async def refusal(call: "grpc.aio.StreamStreamCall[Any, Any]") -> StageError:
    """Why a stream was refused that has been sent nothing. (A write that meets the refusal would hide the reason.)"""
    async with asyncio.timeout(10):
        return from_status(await call.code(), await call.details(), await call.trailing_metadata(), "stage")
