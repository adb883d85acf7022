"""The prompt as text: a chat template's output, cut in two where the person's words go.

A template is rendered once a turn with a marker in the place of those words. Whatever the person says, the prompt is
then `head + words + tail`, and the prompt of a prefill, `head + words so far`, is a prefix of it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.llm.chat import Message, Role

MARKER = "VOXFLEET-WORDS-GO-HERE"
DROP_BLOCK = 4
"""Turns are dropped by so many at once, so that the beginning of a long conversation's prompt moves seldom."""

_CONTROL = re.compile(r"<\|([^<>|]{1,64})\|>")


@dataclass(frozen=True, slots=True)
class PromptFrame:
    """The prompt before and after the person's words."""

    head: str
    tail: str

    def partial(self, words: str) -> str:
        """The prompt up to the words so far."""
        return self.head + words

    def whole(self, words: str) -> str:
        """The prompt that asks for the answer."""
        return self.head + words + self.tail


def cut(rendered: str) -> PromptFrame:
    """The frame of a prompt that was rendered with `MARKER` as its last user message."""
    head, marker, tail = rendered.rpartition(MARKER)
    if not marker:
        raise ValueError("the chat template left the user's message out")
    return PromptFrame(head, tail)


def plain(text: str) -> str:
    """`text` without surrounding whitespace, in which nothing is read as a control token such as `<|im_end|>`."""
    return _CONTROL.sub(r"< |\1| >", text).strip()


def to_messages(instructions: str, history: Sequence[Message], words: str | None) -> list[dict[str, Any]]:
    """The conversation as chat templates take it; `words` becomes the last user message, None adds none.

    The system message is there even where the instructions are empty: templates put their own in its place otherwise.
    """
    messages: list[dict[str, Any]] = [{"role": Role.SYSTEM.value, "content": instructions.strip()}]
    for message in history:
        rendered: dict[str, Any] = {"role": message.role.value, "content": plain(message.text)}
        if message.tool_calls:
            rendered["tool_calls"] = [
                {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": call.arguments_json}}
                for call in message.tool_calls
            ]
        if message.role is Role.TOOL:
            rendered["tool_call_id"] = message.tool_call_id
        messages.append(rendered)
    if words is not None:
        messages.append({"role": Role.USER.value, "content": words})
    return messages


def split_turns(history: Sequence[Message]) -> list[tuple[Message, ...]]:
    """The history in turns: each begins with a message of the person, only the first may begin with another."""
    turns: list[list[Message]] = []
    for message in history:
        if message.role is Role.USER or not turns:
            turns.append([])
        turns[-1].append(message)
    return [tuple(turn) for turn in turns]


def drop_counts(turns: int) -> Iterator[int]:
    """How many of the oldest turns to leave out, in the order to try: by blocks, then one by one, at last all."""
    yield from range(0, turns + 1, DROP_BLOCK)
    yield from range(turns // DROP_BLOCK * DROP_BLOCK + 1, turns + 1)
