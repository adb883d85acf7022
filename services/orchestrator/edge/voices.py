"""The voices that the TTS stage has, asked once in a while."""

import time

from chassis.errors import StageError
from services.orchestrator.clients import Stages

_FRESH_S = 60.0


class VoiceCatalogue:
    """Names of the fleet's voices. Empty while the stage cannot be asked: then only the stage itself can judge."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._names: tuple[str, ...] = ()
        self._asked_at = float("-inf")

    async def names(self) -> tuple[str, ...]:
        """All voices, the stage's preference first."""
        if time.monotonic() - self._asked_at > _FRESH_S:
            try:
                self._names = await self._stages.voices()
            except StageError:
                return ()
            self._asked_at = time.monotonic()
        return self._names

    async def expected_instead(self, name: str) -> str:
        """What was expected where the fleet has no voice of that name; empty where it has, where `name` is (a default
        then), and while the stage cannot be asked."""
        names = await self.names()
        return f"one of {', '.join(names)}, got {name!r}" if name and names and name not in names else ""
