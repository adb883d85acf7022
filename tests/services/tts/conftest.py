"""The server as it is by default, loaded once for all tests that speak."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest_asyncio

from services.tts.settings import Settings
from services.tts.stage import build
from tests.support.server import serving


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to it."""
    settings = Settings(port=0)
    async with serving(await build(settings), settings) as channel:
        yield channel
