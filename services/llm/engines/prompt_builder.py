"""From a chat to a prompt that fits into the context, through the model's own chat template."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from chassis.errors import StageError
from services.llm.chat import Chat, Message
from services.llm.engines.prompt import (
    MARKER,
    PromptFrame,
    cut,
    drop_counts,
    split_turns,
    to_messages,
)
from services.llm.engines.tool_format import OPENING, as_written, section

log = logging.getLogger(__name__)

T = TypeVar("T")

WORDS_TOKENS = 256
"""Tokens kept free for the person's words while they are not known."""
EDGE_TOKENS = 2
"""Tokens that a tokenizer may put around a text."""


class ChatTemplate(Protocol):
    """A model's chat template and tokenizer. The calls block."""

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The conversation in the template, up to where the assistant speaks."""
        ...

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a rendered prompt."""
        ...


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """A frame that fits, and a number of tokens that it does not exceed without the person's words."""

    frame: PromptFrame
    most_tokens: int


class PromptBuilder:
    """Prompts for one model, of `context_tokens` tokens with the answer. Blocking calls go to `executor`."""

    def __init__(self, template: ChatTemplate, executor: Executor, context_tokens: int) -> None:
        self._template = template
        self._executor = executor
        self._context_tokens = context_tokens

    async def fit(self, chat: Chat, words: str | None) -> FittedPrompt:
        """The prompt of `chat` without as many of its oldest turns as it takes for `words` to fit as well.

        None: the words are not known yet. Empty: the person's last message is left out, the history is continued.
        Raises StageError CONTEXT_EXCEEDED where leaving the whole history out is not enough.
        """
        turns = split_turns(chat.history)
        budget = self._budget(chat) - (min(WORDS_TOKENS, self._context_tokens // 4) if words is None else 0)
        for dropped in drop_counts(len(turns)):
            frame = await self.render(chat, [message for turn in turns[dropped:] for message in turn], words)
            tokens = await self._most_tokens(frame.whole(words or ""), budget)
            if tokens <= budget:
                if dropped:
                    log.info("history trimmed", extra={"turns_dropped": dropped, "turns_kept": len(turns) - dropped})
                return FittedPrompt(frame, tokens)
        field = "generate.text" if words else "config.instructions"
        expected = f"a prompt of at most {budget} tokens without the history"
        raise StageError.invalid(field, expected, reason="CONTEXT_EXCEEDED")

    async def finish(self, prompt: FittedPrompt, chat: Chat, words: str) -> str:
        """The whole prompt for `words`, where `prompt` was fitted before they were known. Raises as `fit` does."""
        if not words or prompt.most_tokens + len(words.encode()) > self._budget(chat):
            prompt = await self.fit(chat, words)
        return prompt.frame.whole(words)

    async def render(self, chat: Chat, history: Sequence[Message], words: str | None) -> PromptFrame:
        """The frame of one rendering of the chat with this `history`."""
        message = None if words == "" else MARKER
        written, opening = (as_written(history), OPENING) if chat.tools else (history, "")
        messages = to_messages(chat.instructions.strip() + section(chat.tools), written, message)
        rendered = await self._in_thread(lambda: self._template.render(messages)) + opening
        return PromptFrame(rendered, "") if message is None else cut(rendered)

    def _budget(self, chat: Chat) -> int:
        return self._context_tokens - min(chat.max_output_tokens, self._context_tokens // 4)

    async def _most_tokens(self, text: str, budget: int) -> int:
        # A token is at least a byte, so most prompts fit without being counted.
        most = len(text.encode()) + EDGE_TOKENS
        return most if most <= budget else await self._in_thread(lambda: self._template.count_tokens(text))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)
