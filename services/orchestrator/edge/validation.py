"""What is wrong with a message, in words for the person who wrote the client."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

# Types of pydantic errors with a code of their own; all others are values that do not fit.
_CODES = {
    "missing": "missing_required_parameter",
    "union_tag_not_found": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: the field's dotted path (None: the whole message), a code and a sentence."""

    param: str | None
    code: str
    message: str


def explain(problem: ValidationError, data: object) -> Fault:
    """The fault that lies deepest in `data`, which was validated; of several the first.

    Where a field may be one of several things, pydantic tells what is wrong with each; the deepest is about the one
    that was meant.
    """
    faults = [(_path(error, data), error) for error in problem.errors(include_url=False)]
    path, error = max(faults, key=lambda fault: len(fault[0]))
    param = ".".join(path) or None
    code = _CODES.get(error["type"], "invalid_value")
    got = "" if code == "missing_required_parameter" else f", got {_short(error['input'])}"
    return Fault(param, code, f"{param or 'message'}: {error['msg']}{got}")


def _path(error: ErrorDetails, data: object) -> list[str]:
    """The fields on the way to the fault. A location also names members of unions; those are no keys of the data."""
    path: list[str] = []
    here: Any = data
    last = len(error["loc"]) - 1
    for depth, part in enumerate(error["loc"]):
        is_key = isinstance(here, dict) and part in here
        is_index = isinstance(here, list) and isinstance(part, int)
        if is_key or is_index:
            here = here[part]
        elif error["type"] != "missing" or depth != last:
            continue
        path.append(str(part))
    if error["type"].startswith("union_tag"):
        path.append(str(error["ctx"]["discriminator"]).strip("'"))
    return path


def _short(value: object) -> str:
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
