"""No end-of-turn model: speech stops without an opinion on whether the turn is over."""

from services.vad.settings import Settings


class NoEndOfTurn:
    """Hears nothing and has no opinion."""

    context_samples = 0

    def __init__(self, settings: Settings) -> None:
        del settings

    async def start(self) -> None:
        """There is nothing to load."""

    async def close(self) -> None:
        """There is nothing to free."""

    async def judge(self, turn: bytes) -> float | None:
        """None, whatever the turn."""
        del turn
        return None
