"""Edges that relay to another Realtime server."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.orchestrator.settings import Settings
from tests.support.edge import Client, connected, scripted_edge, serving_edge
from tests.support.scripted import Script

FAR_KEY = "sk-of-the-far-server-1"
PATH = "/v1/realtime?model=far"


def to(url: str, **more: Any) -> str:
    """The setting by which the model `far` is relayed to `url`."""
    return json.dumps({"far": {"url": url} | more})


@asynccontextmanager
async def relaying(url: str, *, upstream: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[str]:
    """An edge that relays `far` to `url`; gives its address. Its own stages are not there."""
    quick = {"relay_timeout_s": 2.0, "relay_attempts": 4} | settings
    async with serving_edge(Settings(relays=to(url, **upstream or {}), **quick)) as address:
        yield address


@asynccontextmanager
async def relayed_edge(script: Script, **settings: Any) -> AsyncIterator[str]:
    """The same before another edge, whose stages are scripted and which asks for a key."""
    async with (
        scripted_edge(script, api_keys=FAR_KEY) as far,
        relaying(f"ws://{far}/v1/realtime", upstream={"key": FAR_KEY, "model": "voxfleet"}, **settings) as near,
    ):
        yield near


@asynccontextmanager
async def client_of(url: str, **settings: Any) -> AsyncIterator[Client]:
    """A client of an edge that relays to `url`."""
    async with relaying(url, **settings) as near, connected(near, PATH) as client:
        yield client
