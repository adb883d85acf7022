"""A session with scripted stages, driven faster than real time where nothing is played."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.orchestrator import events
from services.orchestrator.clients import Stages
from services.orchestrator.session import Session
from services.orchestrator.session_config import SessionConfig
from tests.support.scripted import Script, scripted_fleet, silence, speech

EventT = TypeVar("EventT")
STEP_S = 0.02


@dataclass(slots=True)
class Talk:
    """One session and everything it has told so far."""

    session: Session
    script: Script
    told: list[events.Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, seconds: float, *, then_silence: float = 0.0) -> None:
        """Speaks in real time, then is silent in real time."""
        for pcm, length in ((speech(STEP_S), seconds), (silence(STEP_S), then_silence)):
            for _ in range(round(length / STEP_S)):
                started = time.monotonic()
                await self.session.append_audio(pcm)
                await asyncio.sleep(max(0.0, STEP_S - (time.monotonic() - started)))

    async def until(
        self, kind: type[EventT], test: Callable[[EventT], bool] = lambda _: True, count: int = 1
    ) -> EventT:
        """Waits for the `count`-th event of a kind."""
        async with asyncio.timeout(10):
            while True:
                found = [event for event in self.told if isinstance(event, kind) and test(event)]
                if len(found) >= count:
                    return found[count - 1]
                self.changed.clear()
                await self.changed.wait()

    def all(self, kind: type[EventT]) -> list[EventT]:
        """Every event of a kind so far."""
        return [event for event in self.told if isinstance(event, kind)]

    async def listen(self) -> None:
        while True:
            self.told.append(await self.session.next_event())
            self.changed.set()


@asynccontextmanager
async def talking(script: Script, **settings: Any) -> AsyncIterator[Talk]:
    """A running session over scripted stages. At its end every stream must be gone."""
    async with scripted_fleet(script, **settings) as told:
        stages = Stages(told)
        session = Session(stages, told, SessionConfig.of(told))
        talk = Talk(session, script)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(session.run())
                listener = tasks.create_task(talk.listen())
                await asyncio.sleep(0)
                try:
                    yield talk
                finally:
                    session.close()
                    listener.cancel()
            async with asyncio.timeout(5):
                while any(script.streams.values()):  # noqa: ASYNC110  # the scripted stages have no event for it
                    await asyncio.sleep(0.01)
        finally:
            await stages.close()
