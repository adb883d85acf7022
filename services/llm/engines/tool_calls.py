"""Calls of tools in a model's text: the grammar that shapes them and the streaming parser that takes them out.

Qwen2.5's template asks for `<tool_call>` tags around a JSON object (the Hermes format). Its Coder variants prefer a
fenced block of JSON, and forcing tags on them makes them describe the call in prose instead, so both forms are read.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from services.llm.chat import Tool

MARKUP = {"<tool_call>": "</tool_call>", "```json": "```"}
"""What opens a call, and what closes it."""


class MalformedCallError(ValueError):
    """What stands between a call's markers is no call of a tool that was offered."""


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A call of a tool; `arguments_json` is a JSON object as text."""

    name: str
    arguments_json: str


def grammar(tools: Sequence[Tool], required: Collection[str]) -> str:
    """Lark grammar for llguidance: plain text or calls of `tools`; where `required` is not empty, calls of those only.

    Plain text holds no character that could open a call, so whatever looks like a call is one.
    """
    callable_tools = [tool for tool in tools if not required or tool.name in required]
    lines = [
        "%llguidance {}",
        "start: calls" if required else "start: words | calls",
        r"words: /[^`<{\s][^`<]*/",
        r'calls: call ("\n" call)*',
        "call: " + " | ".join(rf'"{opening}\n" body "\n{closing}"' for opening, closing in MARKUP.items()),
        "body: " + " | ".join(f"call_{index}" for index in range(len(callable_tools))),
    ]
    for index, tool in enumerate(callable_tools):
        schema = {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": tool.parameters},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        lines.append(f"call_{index}: %json {json.dumps(schema)}")
    return "\n".join(lines)


class ToolCallParser:
    """Takes calls of the tools `names` out of streamed text; without names everything is text.

    Whitespace around the answer and around calls is dropped. Text is passed on as soon as it cannot be the beginning of
    a call any more.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(names)
        self._openings = tuple(MARKUP) if names else ()
        self._buffer = ""
        self._space = ""
        self._spoke = False
        self._closing: str | None = None

    def feed(self, piece: str) -> list[str | ParsedCall]:
        """What is complete after `piece`: text, never empty, and calls, in order. Raises MalformedCallError."""
        self._buffer += piece
        found: list[str | ParsedCall] = []
        while self._step(found):
            pass
        return found

    def finish(self, *, truncated: bool = False) -> list[str | ParsedCall]:
        """What is left at the end. Where the answer was `truncated`, a call without its end is dropped.

        Raises MalformedCallError for such a call otherwise.
        """
        if self._closing is not None:
            if truncated:
                return []
            raise MalformedCallError("a call of a tool has no end")
        found: list[str | ParsedCall] = []
        if not (truncated and self._buffer):
            self._say(self._buffer, found)
        self._buffer = ""
        return found

    def _step(self, found: list[str | ParsedCall]) -> bool:
        """Takes one call or one run of text off the buffer; False where more input is needed."""
        if self._closing is not None:
            return self._take_call(self._closing, found)
        starts = {opening: at for opening in self._openings if (at := self._buffer.find(opening)) >= 0}
        if starts:
            opening = min(starts, key=lambda key: starts[key])
            self._say(self._buffer[: starts[opening]], found)
            self._buffer = self._buffer[starts[opening] + len(opening) :]
            self._space, self._spoke, self._closing = "", False, MARKUP[opening]
            return True
        keep = max((_overlap(self._buffer, opening) for opening in self._openings), default=0)
        said = len(self._buffer) - keep
        self._say(self._buffer[:said], found)
        self._buffer = self._buffer[said:]
        return False

    def _take_call(self, closing: str, found: list[str | ParsedCall]) -> bool:
        at = self._buffer.find(closing)
        while at >= 0:
            try:
                value = json.loads(self._buffer[:at])
            except ValueError:
                # The marker may stand inside one of the arguments.
                at = self._buffer.find(closing, at + 1)
                continue
            found.append(self._call(value))
            self._buffer = self._buffer[at + len(closing) :]
            self._closing = None
            return True
        return False

    def _call(self, value: Any) -> ParsedCall:
        if not isinstance(value, dict) or value.get("name") not in self._names:
            raise MalformedCallError("a call names no tool that was offered")
        arguments = value.get("arguments", {})
        if not isinstance(arguments, dict):
            raise MalformedCallError("a call's arguments are not an object")
        return ParsedCall(value["name"], json.dumps(arguments, ensure_ascii=False))

    def _say(self, text: str, found: list[str | ParsedCall]) -> None:
        text = self._space + text if self._spoke else text.lstrip()
        words = text.rstrip()
        self._space = text[len(words) :]
        if words:
            self._spoke = True
            found.append(words)


def _overlap(text: str, opening: str) -> int:
    """Length of the longest end of `text` that begins `opening`."""
    return next((size for size in range(min(len(text), len(opening) - 1), 0, -1) if text.endswith(opening[:size])), 0)
