"""Functions that replies may call, made of Python functions: their names, types and docstrings are what the model sees.

tools = Tools()

@tools.add
async def weather(city: str) -> str:
    "The weather in a city now."
    return await look_up(city)
"""

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError, validate_call
from pydantic_core import to_json

_F = TypeVar("_F", bound=Callable[..., Any])
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    description: str
    parameters: Mapping[str, object]
    call: Callable[..., Any]
    """Validates its arguments."""
    asynchronous: bool


class Tools:
    """A set of functions by name. A call has `timeout_s` seconds to come back."""

    def __init__(self, *functions: Callable[..., Any], timeout_s: float = 30.0) -> None:
        self._tools: dict[str, _Tool] = {}
        self._timeout_s = timeout_s
        for function in functions:
            self.add(function)

    def add(self, function: _F) -> _F:
        """Adds a function, sync (it runs in a thread) or async; usable as a decorator.

        Parameters need types that JSON can express; `Annotated[str, Field(description=...)]` (pydantic) describes one.
        Raises ValueError where the name is taken or a parameter cannot be given by name.
        """
        name = getattr(function, "__name__", type(function).__name__)
        if name in self._tools:
            raise ValueError(f"{name}: there is a tool of this name already")
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind not in by_name:
                raise ValueError(f"{name}: expected parameters that can be given by name, got {parameter}")
        schema = TypeAdapter[object](function).json_schema()  # type: ignore[arg-type]
        self._tools[name] = _Tool(
            name,
            inspect.getdoc(function) or "",
            {"type": "object", "properties": {}} | schema,
            validate_call(function),
            inspect.iscoroutinefunction(function),
        )
        return function

    @property
    def definitions(self) -> list[Mapping[str, object]]:
        """The tools as `session.update` takes them."""
        return [
            {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in self._tools.values()
        ]

    async def call(self, name: str, arguments: str) -> str:
        """What the function answers to these arguments (JSON): its text, or its value as JSON.

        Never raises for what the model or the function did wrong: the answer is then `{"error": ...}`, for the model to
        make something of.
        """
        tool = self._tools.get(name)
        if tool is None:
            return _error(f"no such function: {name}; there are: {', '.join(self._tools)}")
        try:
            given = json.loads(arguments or "{}")
        except ValueError as error:
            return _error(f"the arguments are not JSON: {error}")
        if not isinstance(given, dict):
            return _error("the arguments are not a JSON object")
        try:
            async with asyncio.timeout(self._timeout_s):
                value = await (tool.call(**given) if tool.asynchronous else asyncio.to_thread(tool.call, **given))
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
            return _error("; ".join(problems))
        except TimeoutError:
            return _error(f"{name} did not answer within {self._timeout_s:g} s")
        except Exception as error:
            # The application's own code, of any kind: the conversation survives it.
            log.exception("tool failed", extra={"tool": name})
            return _error(f"{name} failed: {error}")
        return value if isinstance(value, str) else to_json(value).decode()


def _error(message: str) -> str:
    return json.dumps({"error": message}, ensure_ascii=False)
