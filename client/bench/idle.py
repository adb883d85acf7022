"""What sessions cost while nobody speaks: without sessions, connected, streaming silence."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from client.bench.processes import cpu_spent
from client.bench.servers import Server
from client.errors import ConnectionLostError, one_error
from client.realtime import RealtimeClient
from client.speaking import BLOCK_BYTES, stream
from client.turns import TurnRecorder

SETTLE_S = 2.0
"""Between a change and its measurement: opening sessions is not what is measured."""


@dataclass(frozen=True, slots=True)
class IdleCost:
    """CPU seconds per second by process: `empty` of the whole fleet, the others of one session on top of that."""

    sessions: int
    seconds: float
    empty: Mapping[str, float]
    silent: Mapping[str, float]
    streaming: Mapping[str, float]


async def measure_idle(
    server: Server,
    *,
    sessions: int,
    seconds: float,
    api_key: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> IdleCost:
    """Measures three times `seconds`. Raises RealtimeError where a session cannot be opened or is lost."""
    say(f"no session, {seconds:g} s")
    empty = await _cpu(server, seconds)
    async with AsyncExitStack() as stack:
        say(f"{sessions} sessions connected, {seconds:g} s")
        clients = [
            await stack.enter_async_context(RealtimeClient.connect(server.url, api_key=api_key))
            for _ in range(sessions)
        ]
        with one_error():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_drain(client)) for client in clients]
                silent = await _cpu(server, seconds)
                say(f"{sessions} sessions streaming silence, {seconds:g} s")
                silence = bytes(BLOCK_BYTES)
                tasks += [
                    group.create_task(stream(client, itertools.repeat(silence), TurnRecorder())) for client in clients
                ]
                streaming = await _cpu(server, seconds)
                for task in tasks:
                    task.cancel()
    return IdleCost(sessions, seconds, empty, _each(silent, empty, sessions), _each(streaming, empty, sessions))


async def _drain(client: RealtimeClient) -> None:
    async for _ in client:
        pass
    raise ConnectionLostError(f"the server closed the connection ({client.close_reason})")


async def _cpu(server: Server, seconds: float) -> dict[str, float]:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(SETTLE_S)
    before, started = await server.sample(), clock()
    await asyncio.sleep(seconds)
    after, ended = await server.sample(), clock()
    return {name: spent / (ended - started) for name, spent in cpu_spent(before, after).items()}


def _each(loaded: Mapping[str, float], empty: Mapping[str, float], sessions: int) -> dict[str, float]:
    return {name: (loaded[name] - empty[name]) / sessions for name in loaded if name in empty}
