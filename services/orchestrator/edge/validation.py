"""What is wrong with a message, in words for the person who wrote the client."""

import json
from dataclasses import dataclass

from pydantic import ValidationError

# Types of pydantic errors with a code of their own; all others are values that do not fit.
_CODES = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: the field's dotted path (None: the whole message), a code and a sentence."""

    param: str | None
    code: str
    message: str


def explain(problem: ValidationError, tags: frozenset[str] = frozenset()) -> Fault:
    """The first fault. `tags` are the names of union members, which pydantic puts into a field's path."""
    first = problem.errors(include_url=False)[0]
    path = list(first["loc"])
    if path and first["type"] != "union_tag_invalid" and len(path) > 1:
        path = path[1:]  # the member of the outermost union: the message's own type
    names = [str(part) for part in path if part not in tags and "[" not in str(part)]
    if first["type"].startswith("union_tag"):
        names.append("type")
    param = ".".join(names) or None
    got = "" if first["type"] == "missing" else f", got {_short(first['input'])}"
    return Fault(param, _CODES.get(first["type"], "invalid_value"), f"{param or 'message'}: {first['msg']}{got}")


def _short(value: object) -> str:
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
