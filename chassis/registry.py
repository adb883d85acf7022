"""Engines by name: a table of import paths, imported only when chosen."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


class UnknownEngineError(ValueError):
    """No engine has that name; the message lists the names there are."""


def resolve(table: Mapping[str, str], name: str, setting: str) -> Any:
    """The object behind `name`, whose table entry reads `"package.module:attribute"`.

    `setting` is the name of the environment variable that the error should point at. Raises UnknownEngineError.
    """
    if name not in table:
        raise UnknownEngineError(f"{setting}: unknown engine {name!r}; engines: {', '.join(sorted(table))}")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
