"""From a completion's pieces to a reply's events, without the calls that a model makes for nothing."""

import secrets
from collections.abc import Collection, Sequence

from chassis.errors import Code, StageError
from services.llm.chat import Event, Message, Role, TextDelta, ToolCall, ToolCallDelta
from services.llm.engines.completion import Piece
from services.llm.engines.tool_calls import CallDelta, MalformedCallError, ParsedCall, Part, ReplyParser
from services.llm.engines.tool_format import one_line


def answered_calls(history: Sequence[Message]) -> frozenset[ParsedCall]:
    """The calls whose results have come since the person's last message."""
    said = max((at for at, message in enumerate(history) if message.role is Role.USER), default=-1)
    latest = history[said + 1 :]
    results = {message.tool_call_id for message in latest if message.role is Role.TOOL}
    calls = [call for message in latest for call in message.tool_calls if call.id in results]
    return frozenset(ParsedCall(call.name, one_line(call.arguments_json)) for call in calls)


class ReplyReader:
    """Reads one reply; every call gets an id when it begins.

    A call is left out where it has the name and the arguments of one in `answered` or of one before it in the reply: it
    could only have the same result. What may yet become such a call is held back until it differs.
    """

    def __init__(self, tools: Collection[str], answered: Collection[ParsedCall] = ()) -> None:
        self._parser = ReplyParser(tools)
        self._known = set(answered)
        self._arguments = ""
        self._held = ""
        self._call_id = ""
        self.called = False
        """Whether a call was among the events."""
        self.repeated = False
        """Whether a call was left out."""

    def read(self, piece: Piece) -> list[Event]:
        """What `piece` adds. Raises StageError TOOL_CALL_MALFORMED (INTERNAL)."""
        try:
            found = self._parser.feed(piece.text)
            if piece.last:
                self._parser.finish(truncated=piece.truncated)
        except MalformedCallError as error:
            raise StageError(Code.INTERNAL, "TOOL_CALL_MALFORMED", str(error)) from error
        return [event for part in found for event in self._events(part)]

    def _events(self, part: Part) -> list[Event]:
        match part:
            case str():
                return [TextDelta(part)]
            case CallDelta(name, delta):
                self._arguments += delta
                self._held += delta
                if any(call.name == name and call.arguments_json.startswith(self._arguments) for call in self._known):
                    return []
                return self._release(name)
            case ParsedCall(name, arguments_json):
                if part in self._known:
                    self.repeated = True
                    events: list[Event] = []
                else:
                    self.called = True
                    self._known.add(part)
                    events = [*self._release(name), ToolCall(self._call_id, name, arguments_json)]
                self._arguments = self._held = self._call_id = ""
                return events

    def _release(self, name: str) -> list[Event]:
        self._call_id = self._call_id or f"call_{secrets.token_hex(8)}"
        held, self._held = self._held, ""
        return [ToolCallDelta(self._call_id, name, held)] if held else []
