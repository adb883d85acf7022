"""What a stream asks and what it is answered, free of any wire format and any engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any


class Role(StrEnum):
    """Who said a message; the values are the names that chat templates use."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; `arguments_json` is a JSON object as text."""

    id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation; `tool_calls` only of the assistant, `tool_call_id` only of a tool."""

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is a JSON Schema whose type is object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chat:
    """The conversation before the turn that is being answered, and how to answer it."""

    instructions: str
    history: tuple[Message, ...]
    tools: tuple[Tool, ...]
    required_tools: frozenset[str]
    """Names of tools of which one must be called; empty: the model decides."""
    temperature: float
    top_p: float
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text; never empty, never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a call's arguments, never empty; all of a call's in a row are the `arguments_json` of its `ToolCall`."""

    id: str
    name: str
    arguments_delta: str


class FinishReason(Enum):
    """Why an answer ended."""

    STOP = "stop"
    """The model ended it."""
    LENGTH = "length"
    """The most tokens, or the end of the context, were reached."""
    TOOL_CALLS = "tool_calls"
    """The model called tools and waits for their results."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer: tokens of the whole prompt, of those found in the cache, and generated."""

    reason: FinishReason
    input_tokens: int
    cached_tokens: int
    output_tokens: int


Event = TextDelta | ToolCallDelta | ToolCall | Finished
