"""Prints what pyproject.toml requires, one requirement a line: `requirements.py [EXTRA …]`.

An image installs what its service needs before the code is copied, so that a change of code leaves these layers alone.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_ITSELF = re.compile(r"voxfleet\[([\w,-]+)\]")


def requirements(project: Mapping[str, list[str]], extras: Sequence[str]) -> Iterator[str]:
    """The requirements of `extras`, those that name other extras of the project resolved."""
    for extra in extras:
        for requirement in project[extra]:
            if itself := _ITSELF.fullmatch(requirement):
                yield from requirements(project, itself[1].split(","))
            else:
                yield requirement


def main(pyproject: Path, extras: Sequence[str]) -> int:
    """Prints the requirements of `extras`, of the project itself where none is named."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    if unknown := sorted(set(extras) - set(optional)):
        sys.stderr.write(f"unknown extra {', '.join(unknown)}; extras: {', '.join(optional)}\n")
        return 2
    sys.stdout.writelines(
        f"{line}\n" for line in (requirements(optional, extras) if extras else project["dependencies"])
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path("pyproject.toml"), sys.argv[1:]))
