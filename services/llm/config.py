"""From the wire's `ChatConfig` to `Chat`, field by field."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from voxfleet.llm.v1 import llm_pb2

from chassis.errors import StageError
from services.llm.chat import Chat, Message, Role, Tool, ToolCall
from services.llm.settings import Settings

MAX_TEMPERATURE = 2.0
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ROLES: Mapping[int, Role] = {
    llm_pb2.ROLE_SYSTEM: Role.SYSTEM,
    llm_pb2.ROLE_USER: Role.USER,
    llm_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    llm_pb2.ROLE_TOOL: Role.TOOL,
}


def parse(config: llm_pb2.ChatConfig, model: str, defaults: Settings) -> Chat:
    """The chat that `config` describes; `model` is the only name it may ask for.

    Raises StageError (INVALID_ARGUMENT) that names the field.
    """
    if config.model not in ("", model):
        raise StageError.invalid("model", f"{model!r} or nothing, got {config.model!r}")
    offered = tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(config.tools))
    names = [tool.name for tool in offered]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise StageError.invalid(f"tools[{index}].name", f"a name of its own, got {name!r} again")
    tools, required = _choose(config.tool_choice, offered)
    return Chat(
        instructions=config.instructions,
        history=tuple(_message(message, f"history[{index}]") for index, message in enumerate(config.history)),
        tools=tools,
        required_tools=required,
        temperature=_temperature(config.temperature) if config.HasField("temperature") else defaults.temperature,
        top_p=_top_p(config.top_p) if config.HasField("top_p") else defaults.top_p,
        max_output_tokens=_max_output_tokens(config.max_output_tokens)
        if config.HasField("max_output_tokens")
        else defaults.max_output_tokens,
    )


def _choose(choice: llm_pb2.ToolChoice, offered: Sequence[Tool]) -> tuple[tuple[Tool, ...], frozenset[str]]:
    """The tools that the model sees, and those of which it must call one."""
    modes = llm_pb2.ToolChoice.Mode
    if choice.mode not in modes.values():
        raise StageError.invalid("tool_choice.mode", f"one of {', '.join(modes.keys())}, got {choice.mode}")
    if choice.name and choice.mode != llm_pb2.ToolChoice.MODE_REQUIRED:
        raise StageError.invalid("tool_choice.name", "nothing unless the mode is MODE_REQUIRED")
    if choice.mode == llm_pb2.ToolChoice.MODE_NONE:
        return (), frozenset()
    if choice.mode != llm_pb2.ToolChoice.MODE_REQUIRED:
        return tuple(offered), frozenset()
    names = frozenset(tool.name for tool in offered)
    if not names:
        raise StageError.invalid("tools", "at least one where the mode of tool_choice is MODE_REQUIRED")
    if choice.name and choice.name not in names:
        raise StageError.invalid("tool_choice.name", f"one of {', '.join(sorted(names))}, got {choice.name!r}")
    return tuple(offered), frozenset({choice.name}) if choice.name else names


def _message(message: llm_pb2.Message, field: str) -> Message:
    role = ROLES.get(message.role)
    if role is None:
        raise StageError.invalid(f"{field}.role", f"ROLE_SYSTEM, _USER, _ASSISTANT or _TOOL, got {message.role}")
    if message.tool_calls and role is not Role.ASSISTANT:
        raise StageError.invalid(f"{field}.tool_calls", "none unless the role is ROLE_ASSISTANT")
    if message.tool_call_id and role is not Role.TOOL:
        raise StageError.invalid(f"{field}.tool_call_id", "nothing unless the role is ROLE_TOOL")
    if role is Role.TOOL and not message.tool_call_id:
        raise StageError.invalid(f"{field}.tool_call_id", "the id of the call that this result answers, got nothing")
    calls = tuple(_tool_call(call, f"{field}.tool_calls[{index}]") for index, call in enumerate(message.tool_calls))
    return Message(role, message.text, calls, message.tool_call_id)


def _tool_call(call: llm_pb2.ToolCall, field: str) -> ToolCall:
    _json_object(call.arguments_json, f"{field}.arguments_json")
    return ToolCall(call.id, _tool_name(call.name, f"{field}.name"), call.arguments_json)


def _tool(tool: llm_pb2.Tool, field: str) -> Tool:
    name = _tool_name(tool.name, f"{field}.name")
    schema = {"properties": {}, **_json_object(tool.parameters_json or "{}", f"{field}.parameters_json")}
    if schema.setdefault("type", "object") != "object":
        raise StageError.invalid(f"{field}.parameters_json", f"a schema of type object, got {schema['type']!r}")
    return Tool(name, tool.description, schema)


def _tool_name(name: str, field: str) -> str:
    if not TOOL_NAME.fullmatch(name):
        raise StageError.invalid(field, f"{TOOL_NAME.pattern}, got {name!r}")
    return name


def _json_object(text: str, field: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise StageError.invalid(field, f"a JSON object, got text that is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise StageError.invalid(field, f"a JSON object, got {type(value).__name__}")
    return value


def _temperature(value: float) -> float:
    if not math.isfinite(value) or not 0 <= value <= MAX_TEMPERATURE:
        raise StageError.invalid("temperature", f"0 to {MAX_TEMPERATURE:g}, got {value:g}")
    return value


def _top_p(value: float) -> float:
    if not math.isfinite(value) or not 0 < value <= 1:
        raise StageError.invalid("top_p", f"more than 0 and at most 1, got {value:g}")
    return value


def _max_output_tokens(value: int) -> int:
    if value < 1:
        raise StageError.invalid("max_output_tokens", "1 or more, got 0")
    return value
