"""The body of a request to `/v1/chat/completions`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.llm.chat import Chat, Message, Tool
from services.llm.engines.prompt import to_messages

Body = dict[str, Any]


def to_body(
    model: str, chat: Chat, history: Sequence[Message], words: str, max_tokens_field: str, further: Mapping[str, Any]
) -> Body:
    """The request for a streamed answer to `words` after `history`; empty words: the history is continued.

    Fields of `further` replace others of their name; those that are null are left out.
    """
    messages = to_messages(chat.instructions, history, words or None)
    body: Body = {
        "model": model,
        # Where there are no instructions: some servers refuse an empty message.
        "messages": messages if messages[0]["content"] else messages[1:],
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        max_tokens_field: chat.max_output_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if chat.tools:
        # Not every server knows how to demand one tool of several; all can demand some tool of those that they see.
        offered = [tool for tool in chat.tools if not chat.required_tools or tool.name in chat.required_tools]
        body["tools"] = [_tool(tool) for tool in offered]
        body["tool_choice"] = "required" if chat.required_tools else "auto"
    return {name: value for name, value in (body | dict(further)).items() if value is not None}


def for_words(body: Body) -> Body:
    """The same request, to be answered in words."""
    return body | {"tool_choice": "none"}


def for_warming(body: Body, max_tokens_field: str) -> Body:
    """The same request for one token and not streamed: what remains of it is the server's prefix cache."""
    warming = body | {max_tokens_field: 1, "stream": False}
    warming.pop("stream_options", None)
    return warming


def _tool(tool: Tool) -> Mapping[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
