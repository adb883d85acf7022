"""From the chunks of a streamed chat completion to an answer's events. Pure.

Source: OpenAI's chat completion chunk object. Read leniently where servers differ: calls without an index or all with
the same one but ids of their own, ids that are repeated or missing, arguments that are empty, no usage.
"""

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError

from chassis.errors import Code, StageError
from chassis.upstream import UpstreamRefusalError, malformed
from services.llm.chat import Event, Finished, FinishReason, Message, Role, TextDelta, ToolCall, ToolCallDelta
from services.llm.engines.tool_calls import ReplyParser

DONE = "[DONE]"


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _CallPart(BaseModel):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Delta(BaseModel):
    content: str | None = None
    tool_calls: list[_CallPart] | None = None


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _PromptDetails(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


@dataclass(slots=True)
class _Call:
    """A call that is being written. `told_id` is the server's, `id` that or one made here."""

    index: int | None
    told_id: str
    id: str
    name: str = ""
    arguments: str = ""
    sent: int = 0


CallKey = tuple[str, str]
"""A call's name and its arguments, written in one way."""


def answered_calls(history: Sequence[Message]) -> frozenset[CallKey]:
    """The calls whose results have come since the person's last message."""
    said = max((at for at, message in enumerate(history) if message.role is Role.USER), default=-1)
    latest = history[said + 1 :]
    results = {message.tool_call_id for message in latest if message.role is Role.TOOL}
    return frozenset(
        _key(call.name, json.loads(call.arguments_json))
        for message in latest
        for call in message.tool_calls
        if call.id in results
    )


class CompletionReader:
    """Reads one completion.

    A call is left out where it has the name and the arguments of one in `answered` or of one before it: it could only
    have the same result. What may yet become such a call is held back until it is whole.
    """

    def __init__(self, tools: Collection[str], answered: Collection[CallKey] = ()) -> None:
        self._tools = frozenset(tools)
        self._known = set(answered)
        self._words = ReplyParser()
        self._call: _Call | None = None
        self._indices: set[int] = set()
        self._reason: str | None = None
        self._usage: _Usage | None = None
        self._deltas = 0
        self.done = False
        """Whether the server has said that nothing follows."""
        self.called = False
        """Whether a call was among the events."""
        self.repeated = False
        """Whether a call was left out."""

    def read(self, data: str) -> list[Event]:
        """What an event of the stream adds.

        Raises StageError: UPSTREAM_MALFORMED, TOOL_CALL_MALFORMED, UpstreamRefusalError where it tells an error.
        """
        if data.strip() == DONE:
            self.done = True
            return []
        try:
            chunk = _Chunk.model_validate_json(data)
        except ValidationError as problem:
            # Without the input: it may be what was said.
            fault = problem.errors(include_input=False, include_url=False)[0]
            raise malformed(f"{'.'.join(map(str, fault['loc'])) or 'event'}: {fault['msg']}") from None
        if chunk.error:
            raise UpstreamRefusalError(_status(chunk.error), {"error": chunk.error})
        self._usage = chunk.usage or self._usage
        events: list[Event] = []
        for choice in chunk.choices[:1]:
            if choice.delta.content:
                self._deltas += 1
                words = self._words.feed(choice.delta.content)
                events += [TextDelta(part) for part in words if isinstance(part, str)]
            for part in choice.delta.tool_calls or ():
                self._deltas += 1
                events += self._call_part(part)
            if choice.finish_reason:
                self._reason = choice.finish_reason
                events += self._end_call()
        return events

    def finish(self) -> Finished:
        """The stream is over. Raises StageError UPSTREAM_BROKEN (UNAVAILABLE) where the answer was not."""
        if self._reason is None and not self.done:
            message = "the upstream server ended its answer in the middle"
            raise StageError(Code.UNAVAILABLE, "UPSTREAM_BROKEN", message)
        reason = FinishReason.TOOL_CALLS if self.called else FinishReason.STOP
        if self._reason == "length":
            reason = FinishReason.LENGTH
        usage = self._usage or _Usage(completion_tokens=self._deltas)
        cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
        return Finished(reason, usage.prompt_tokens or 0, cached or 0, usage.completion_tokens or 0)

    def end(self) -> list[Event]:
        """What was held for more to come. Raises StageError TOOL_CALL_MALFORMED."""
        return self._end_call()

    def _call_part(self, part: _CallPart) -> list[Event]:
        events: list[Event] = []
        call = self._call
        if call is None or _is_another(call, part):
            events += self._end_call()
            if part.index is not None and part.index in self._indices and not part.id:
                raise malformed(f"tool_calls: expected one call after the other, got more of call {part.index}")
            if part.index is not None:
                self._indices.add(part.index)
            self._call = call = _Call(part.index, part.id or "", part.id or f"call_{secrets.token_hex(8)}")
        if part.function.name and not call.name:
            call.name = part.function.name
            if call.name not in self._tools:
                raise _bad_call("the reply calls no tool that was offered")
        call.arguments += part.function.arguments or ""
        if call.name and not any(name == call.name for name, _ in self._known):
            events += _unsent(call)
        return events

    def _end_call(self) -> list[Event]:
        call, self._call = self._call, None
        if call is None or self._reason == "length":
            return []
        if not call.name:
            raise _bad_call("a call has no name")
        call.arguments = call.arguments if call.arguments.strip() else call.arguments + "{}"
        try:
            arguments = json.loads(call.arguments)
        except ValueError as error:
            raise _bad_call("a call's arguments are not JSON") from error
        if not isinstance(arguments, dict):
            raise _bad_call("a call's arguments are not an object")
        key = _key(call.name, arguments)
        if key in self._known:
            self.repeated = True
            return []
        self._known.add(key)
        self.called = True
        return [*_unsent(call), ToolCall(call.id, call.name, call.arguments)]


def _is_another(call: _Call, part: _CallPart) -> bool:
    if part.id and call.told_id and part.id != call.told_id:
        return True
    return part.index is not None and part.index != call.index


def _unsent(call: _Call) -> list[Event]:
    delta = call.arguments[call.sent :]
    call.sent = len(call.arguments)
    return [ToolCallDelta(call.id, call.name, delta)] if delta else []


def _key(name: str, arguments: object) -> CallKey:
    return name, json.dumps(arguments, sort_keys=True)


def _bad_call(problem: str) -> StageError:
    return StageError(Code.INTERNAL, "TOOL_CALL_MALFORMED", problem)


def _status(error: object) -> int:
    """The status that an error in the middle of a stream would have had before it."""
    code = error.get("code") if isinstance(error, dict) else None
    is_status = isinstance(code, int) and HTTPStatus.BAD_REQUEST <= code < 600
    return code if is_status and isinstance(code, int) else HTTPStatus.INTERNAL_SERVER_ERROR
