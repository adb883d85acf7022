"""What the server asks of an engine. Engines are shared by all streams; what belongs to one stream is a session."""

from collections.abc import Sequence
from typing import Protocol


class Session(Protocol):
    """The frames of one stream, judged in order. Not shared; one call at a time."""

    async def judge(self, frames: Sequence[bytes]) -> Sequence[float]:
        """The speech probability in [0, 1] of each frame, PCM s16le of exactly the engine's `frame_samples`.

        Frames wait here until they are judged: there is no backlog behind this call, so a caller that awaits it before
        it reads on slows its sender down. Cancelling it gives the frames up and leaves the session fit only to close.
        """
        ...

    def close(self) -> None:
        """Frees the session at once; a call that still runs is cancelled by its caller. Closing twice does nothing."""
        ...


class Engine(Protocol):
    """Speech probabilities of consecutive frames."""

    frame_samples: int
    """Samples of one frame at 16000 Hz."""

    async def start(self) -> None:
        """Loads the model and warms it. Called once."""
        ...

    async def close(self) -> None:
        """Frees everything, also after a `start` that failed. Called once, after the last session was closed."""
        ...

    def open(self) -> Session:
        """A session with fresh state. Raises StageError (RESOURCE_EXHAUSTED) beyond the engine's capacity."""
        ...


class EndOfTurnEngine(Protocol):
    """The probability that a person who fell silent has finished the turn."""

    context_samples: int
    """Most samples at 16000 Hz that `judge` makes use of; 0 where it hears nothing."""

    async def start(self) -> None:
        """Loads the model and warms it. Called once."""
        ...

    async def close(self) -> None:
        """Frees everything, also after a `start` that failed. Called once, after the last call of `judge`."""
        ...

    async def judge(self, turn: bytes) -> float | None:
        """The probability in [0, 1] that `turn` is complete; None where the engine gives no opinion.

        `turn` is PCM s16le, 16000 Hz: the turn so far with the silence that follows it.
        """
        ...
