"""Calls of tools taken out of a model's reply while it is written; `tool_format` says what they look like."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from services.llm.engines.tool_format import CALL_TAIL, OPENING, WORDS_HEAD, call_head


class MalformedCallError(ValueError):
    """The reply is neither words nor a call of a tool that was offered."""


@dataclass(frozen=True, slots=True)
class CallDelta:
    """More of a call's arguments; never empty."""

    name: str
    arguments_delta: str


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A call of a tool; `arguments_json` is the JSON object that the deltas before it make in a row."""

    name: str
    arguments_json: str


Part = str | CallDelta | ParsedCall
"""What a parser finds; a string is text, never empty."""


class JsonObjectScanner:
    """Finds the end of a JSON object in text that comes in pieces, without reading what it says."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def scan(self, text: str) -> int | None:
        """How many characters of `text` are left of the object; None where it goes on after them."""
        for at, character in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._in_string:
                self._escaped = character == "\\"
                self._in_string = character != '"'
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return at + 1
        return None


class _At(Enum):
    HEAD = auto()
    WORDS = auto()
    ARGUMENTS = auto()
    TAIL = auto()


class ReplyParser:
    """Reads a reply as it is written: calls of the tools `names`, or words; without names everything is words.

    With names it begins after `OPENING`, and `WORDS_HEAD` comes before words. Whitespace around words is dropped. Words
    are passed on at once, a call's arguments as they come, and a call as soon as its arguments are whole.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._heads = {call_head(name): name for name in names} | {WORDS_HEAD: None}
        self._at = _At.HEAD if names else _At.WORDS
        self._buffer = ""
        self._space = ""
        self._spoke = False
        self._name = ""
        self._arguments = ""
        self._scanner = JsonObjectScanner()

    def feed(self, piece: str) -> list[Part]:
        """What is known after `piece`, in order. Raises MalformedCallError."""
        self._buffer += piece
        found: list[Part] = []
        steps = {
            _At.HEAD: self._head,
            _At.WORDS: self._words,
            _At.ARGUMENTS: self._more_arguments,
            _At.TAIL: self._tail,
        }
        while self._buffer and steps[self._at](found):
            pass
        return found

    def finish(self, *, truncated: bool = False) -> None:
        """The reply is over. Raises MalformedCallError where a call has no end, unless the reply was `truncated`."""
        over = self._at is _At.WORDS or (self._at is _At.TAIL and self._buffer == CALL_TAIL)
        if not (over or truncated):
            raise MalformedCallError("the reply ends before its call of a tool does")

    def _head(self, _: list[Part]) -> bool:
        """Each step takes what it knows off the buffer; False where more input is needed."""
        head = next((head for head in self._heads if self._buffer.startswith(head)), None)
        if head is None:
            if not any(head.startswith(self._buffer) for head in self._heads):
                raise MalformedCallError("the reply calls no tool that was offered")
            return False
        self._take(len(head))
        name = self._heads[head]
        if name is None:
            self._at = _At.WORDS
        else:
            self._name, self._arguments, self._scanner = name, "", JsonObjectScanner()
            self._at = _At.ARGUMENTS
        return True

    def _words(self, found: list[Part]) -> bool:
        text = self._take(None)
        text = self._space + text if self._spoke else text.lstrip()
        words = text.rstrip()
        self._space = text[len(words) :]
        if words:
            self._spoke = True
            found.append(words)
        return False

    def _more_arguments(self, found: list[Part]) -> bool:
        if not self._arguments and self._buffer[0] != "{":
            raise MalformedCallError("a call's arguments are not an object")
        end = self._scanner.scan(self._buffer)
        delta = self._take(end)
        self._arguments += delta
        found.append(CallDelta(self._name, delta))
        if end is None:
            return False
        found.append(ParsedCall(self._name, self._arguments))
        self._at = _At.TAIL
        return True

    def _tail(self, _: list[Part]) -> bool:
        further = f"{CALL_TAIL}\n{OPENING}"
        if not self._buffer.startswith(further):
            if not further.startswith(self._buffer):
                raise MalformedCallError("something else follows a call than its end or another call")
            return False
        self._take(len(further))
        self._at = _At.HEAD
        return True

    def _take(self, size: int | None) -> str:
        taken, self._buffer = (self._buffer, "") if size is None else (self._buffer[:size], self._buffer[size:])
        return taken
