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
