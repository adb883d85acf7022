"""Clients of one stage alone, and a way to know that nothing of them is left running."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI

from tests.support.edge import scripted_edge
from tests.support.scripted import Script

# Multipart clients look into them, and would read the machine's tables inside the event loop.
mimetypes.init()


@asynccontextmanager
async def openai_client(script: Script, **settings: Any) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client over scripted stages; at its end every stream must be gone."""
    async with scripted_edge(script, **settings) as address:
        async with await asyncio.to_thread(new_openai_client, address) as client:
            yield client
        await freed(script)


def new_openai_client(address: str) -> AsyncOpenAI:
    """The client; making it reads files."""
    return AsyncOpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0)


async def freed(script: Script) -> None:
    """Waits until no stage has a stream."""
    async with asyncio.timeout(5):
        while any(script.streams.values()):  # noqa: ASYNC110  # the scripted stages have no event for it
            await asyncio.sleep(0.01)


async def serving(script: Script, stage: str) -> None:
    """Waits until a stage has a stream."""
    async with asyncio.timeout(5):
        while not script.streams[stage]:  # noqa: ASYNC110  # the scripted stages have no event for it
            await asyncio.sleep(0.01)
