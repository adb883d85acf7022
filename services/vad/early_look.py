"""Asks the end-of-turn engine while the silence is still being counted, so that its answer is there when it is over."""

import asyncio
from types import TracebackType
from typing import Self

from services.vad.engines.base import EndOfTurnEngine


class EarlyLook:
    """One stream's judgement under way, at most one. Leaving the context gives it up."""

    def __init__(self, engine: EndOfTurnEngine) -> None:
        self._engine = engine
        self._judgement: asyncio.Task[float | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._give_up()

    async def begin(self, turn: bytes) -> None:
        """The person may have stopped: judge `turn`, PCM s16le at 16 kHz. A judgement under way is given up."""
        await self._give_up()
        self._judgement = asyncio.create_task(self._engine.judge(turn))

    async def result(self, turn: bytes) -> float | None:
        """The person has stopped: the judgement that was begun, or one of `turn` where none was."""
        if self._judgement is None:
            return await self._engine.judge(turn)
        judgement, self._judgement = self._judgement, None
        try:
            return await judgement
        finally:
            judgement.cancel()

    async def _give_up(self) -> None:
        if self._judgement is not None:
            self._judgement.cancel()
            await asyncio.wait((self._judgement,))
            self._judgement = None
