"""What the server asks of an engine. Engines are shared by all streams; what belongs to one stream is a session."""

from collections.abc import AsyncIterator
from typing import Protocol

from chassis.load import Load
from services.llm.chat import Chat, Event


class Session(Protocol):
    """One turn of one conversation. Not shared; used from the event loop only."""

    def prefill(self, text: str) -> None:
        """Warms the prefix cache with what the person has said so far, all of it; returns at once.

        At most one prefill runs for a session. A newer text replaces one that still waits; `answer` ends them all.
        """
        ...

    async def prefilled(self) -> None:
        """Waits until the prefills asked for so far have run or were replaced."""
        ...

    def answer(self, text: str) -> AsyncIterator[Event]:
        """The answer to `text`, the whole of what the person said; empty: the history alone is continued. Called once.

        The last event is `Finished`. Of a call of a tool come the deltas, then the whole call; one that
        `FinishReason.LENGTH` cut off has deltas only. Unless a tool must be called, a call whose result has come since
        the person's last message is not made again: the answer is then in words. A slow reader does not slow the model
        down: what it has not read waits, one answer at most. Raises StageError: RESOURCE_EXHAUSTED where too many
        answers wait, INVALID_ARGUMENT where the text does not fit into the context,
        INTERNAL where the model's call of a tool cannot be read.
        """
        ...

    def close(self) -> None:
        """Stops what runs, within a token, and frees the session; it needs no loop time. Closing twice does nothing."""
        ...


class Engine(Protocol):
    """Answers turns."""

    model: str
    """Name of the model, as `ChatConfig.model` may ask for it."""

    async def start(self) -> None:
        """Loads the model and warms it. Called once."""
        ...

    async def close(self) -> None:
        """Frees everything, also after a `start` that failed. Called once, after the last session was closed."""
        ...

    def load(self) -> Load | None:
        """How near the engine is to the most answers that it gives at once; None where that has no limit."""
        ...

    async def open(self, chat: Chat, session_id: str) -> Session:
        """A session that answers one turn of `chat`; it starts to warm the prefix cache with the conversation so far.

        Sessions of the same `session_id` find each other's prefix in the cache; empty: none. Where the history is
        longer than the context the oldest turns are left out, never the instructions. Raises StageError
        (INVALID_ARGUMENT): the instructions alone are too long, the model cannot call tools.
        """
        ...
