"""One completion that runs in a thread, seen from the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from services.llm.engines.llama_server import Chunk, LlamaServer, LlamaServerError


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of a completion, whole characters, perhaps empty. Token counts are those of the `last` piece."""

    text: str
    first: bool
    last: bool
    truncated: bool
    """Ended by the limit of tokens or the end of the context, not by the model."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class Completion:
    """Starts at once; `pieces` is read by one reader at most, `cancel` stops it within a token.

    Pieces that nobody reads wait; the request's `n_predict` bounds them. `on_end` is called in the loop when the thread
    is done with the slot.
    """

    def __init__(
        self, server: LlamaServer, executor: Executor, request: Mapping[str, Any], on_end: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._refusal = ""
        self._cancelled = False
        self._silent = True
        self._on_end = on_end
        self.error: BaseException | None = None
        """Why it failed, once it has ended."""
        self._future = self._loop.run_in_executor(executor, server.complete, request, self._on_chunk)
        self._future.add_done_callback(self._end)

    def cancel(self) -> None:
        """Stops it; the reader's iteration ends. Safe at any time."""
        self._cancelled = True

    async def pieces(self) -> AsyncIterator[Piece]:
        """The text as it comes. Raises LlamaServerError where the server refused the request."""
        while (piece := await self._pieces.get()) is not None:
            yield piece
        if self.error is not None:
            raise self.error

    def _on_chunk(self, chunk: Chunk) -> bool:
        """Called in the completion's thread, which must not see an exception: it would be swallowed there."""
        if self._cancelled:
            return True
        if "error" in chunk:
            self._refusal = str(chunk["error"].get("message"))
            return True
        choice = chunk["choices"][0]
        if choice["text"] or choice["finish_reason"]:
            usage = chunk.get("usage", {})
            piece = Piece(
                text=choice["text"],
                first=self._silent,
                last=choice["finish_reason"] is not None,
                truncated=choice["finish_reason"] == "length",
                input_tokens=usage.get("prompt_tokens", 0),
                cached_tokens=usage.get("prompt_tokens_details", {}).get("cached_tokens", 0),
                output_tokens=usage.get("completion_tokens", 0),
            )
            self._silent = False
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
        return self._cancelled

    def _end(self, future: asyncio.Future[None]) -> None:
        self.error = LlamaServerError(self._refusal) if self._refusal else future.exception()
        self._pieces.put_nowait(None)
        self._on_end()
