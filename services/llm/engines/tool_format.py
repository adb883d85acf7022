"""How a model is told of tools, and the one form in which it writes calls of them.

Every reply to a chat with tools begins with a line of JSON: `{"function": "none"}` and then words, or
`{"function": "<name>", "arguments": {…}}`, one a line. So whether a tool is called is the first thing that a model
decides and not a turn that its prose may take, and `OPENING`, which all replies share, is part of the prompt. Small
models that write code (Qwen2.5-Coder) call in whatever markup occurs to them where a chat template asks for tags, or
write about the call in prose; in the form of this module they decide rightly far more often.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.llm.chat import Message, Role, Tool, ToolCall

OPENING = '{"function": "'
"""What every reply begins with, and every further call."""
WORDS_HEAD = 'none"}\n'
"""What stands between `OPENING` and words."""
CALL_TAIL = "}"
"""What stands after a call's arguments."""
MOST_CALLS = 8
"""Calls in one reply."""
ONE_LINE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}
"""How llguidance is told to leave no choice of whitespace, with which a model could go on for ever, and to take schemas
with keywords that it does not know."""

_RULES = """

# Functions

You can call these functions:
{functions}

Every reply begins with one line of JSON:
{{"function": <name>, "arguments": <args-json-object>}} where the user asks for something that the function finds out \
or does. Never guess it. Its result comes in the next message.
{{"function": "none"}} and then words, where the reply needs no function: talk, general knowledge, telling the result \
of a function.

Examples:
User: Hello!
You: {{"function": "none"}}
Hello! How can I help?
User: What is the capital of Egypt?
You: {{"function": "none"}}
The capital of Egypt is Cairo.
User: 埃及最长的河是哪条？
You: {{"function": "none"}}
是尼罗河。
{examples}"""


def call_head(name: str) -> str:
    """What stands between `OPENING` and a call's arguments."""
    return f'{name}", "arguments": '


def section(tools: Sequence[Tool]) -> str:
    """What the system prompt says of the tools, to be put after the instructions; without tools nothing."""
    if not tools:
        return ""
    functions = [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools]
    told = [(tool.name, tool.description.strip().partition("\n")[0]) for tool in tools]
    calls = [f"User: {wish}\nYou: {OPENING}{call_head(name)}..." for name, wish in told if wish]
    lines = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    return _RULES.format(functions=lines, examples="\n".join(calls))


def one_line(arguments_json: str) -> str:
    """A call's arguments in the form in which a model writes them."""
    return json.dumps(json.loads(arguments_json), ensure_ascii=False)


def as_written(history: Sequence[Message]) -> list[Message]:
    """The history as a model with tools sees it: only words, calls as it would write them, results as the person's."""
    written: list[Message] = []
    for message in history:
        if message.role is Role.TOOL:
            result = f"<tool_response>\n{message.text}\n</tool_response>"
            if written and written[-1].role is Role.TOOL:
                result = f"{written.pop().text}\n{result}"
            written.append(Message(Role.TOOL, result))
        elif message.role is Role.ASSISTANT:
            lines = [f"{OPENING}{WORDS_HEAD}{message.text}"] if message.text or not message.tool_calls else []
            lines += [_line(call) for call in message.tool_calls]
            written.append(Message(Role.ASSISTANT, "\n".join(lines)))
        else:
            written.append(message)
    return [Message(Role.USER, message.text) if message.role is Role.TOOL else message for message in written]


def grammar(tools: Sequence[Tool], required: Collection[str]) -> str:
    """Lark grammar for llguidance of what follows `OPENING`: words or calls of `tools`.

    Where `required` is not empty, calls of the tools that it names and nothing else. Words hold no brace, so they never
    go over into a call.
    """
    callable_tools = [tool for tool in tools if not required or tool.name in required]
    lines = [
        "%llguidance {}",
        "start: calls" if required else "start: words | calls",
        f"words: {json.dumps(WORDS_HEAD)} text",
        r"text: /[^{\s][^{]*/",
        f"calls: call ({json.dumps(chr(10) + OPENING)} call){{0,{MOST_CALLS - 1}}}",
        "call: " + " | ".join(f"call_{index}" for index in range(len(callable_tools))),
    ]
    for index, tool in enumerate(callable_tools):
        schema: Mapping[str, Any] = {**tool.parameters, "x-guidance": ONE_LINE}
        lines.append(f"call_{index}: {json.dumps(call_head(tool.name))} arguments_{index} {json.dumps(CALL_TAIL)}")
        lines.append(f"arguments_{index}: %json {json.dumps(schema)}")
    return "\n".join(lines)


def words_grammar() -> str:
    """The grammar of a reply in which nothing may be called; what follows `OPENING` and `WORDS_HEAD`."""
    return "%llguidance {}\nstart: /[^{\\s][^{]*/"


def _line(call: ToolCall) -> str:
    return f"{OPENING}{call_head(call.name)}{one_line(call.arguments_json)}{CALL_TAIL}"
