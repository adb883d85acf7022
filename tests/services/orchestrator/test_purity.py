"""What decides knows no network, no event loop and no clock."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

DECIDES = (
    *(
        "turn",
        "turn_events",
        "turn_config",
        "endpointing",
        "interruption",
        "conversation",
        "playout",
        "marks",
        "events",
        "outcome",
    ),
    *("loads", "sentences", "boundaries", "speakable", "markup", "languages", "characters", "speech_writer"),
    *("edge.plain.intake", "edge.plain.keepalive"),
)
FORBIDDEN = {"grpc", "asyncio", "time", "threading", "socket", "datetime"}
IMPORTED = "import sys, services.orchestrator.{}; print(*sys.modules)"


def imports_of(module: str) -> set[str]:
    """What the source of a module of ours imports, by the first part of the name."""
    path = Path(*module.split("."))
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name.partition(".")[0] for alias in aliases}
            case ast.ImportFrom(module=str(origin)):
                names.add(origin.partition(".")[0])
    return names


@pytest.mark.parametrize("name", DECIDES)
def test_a_module_that_decides_imports_nothing_that_waits_or_tells_the_time(name: str) -> None:
    # A fresh interpreter: here everything has been imported by other tests already.
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(name)], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = run.stdout.split()
    assert f"services.orchestrator.{name}" in loaded
    assert not {"grpc", "asyncio"} & set(loaded)
    # The interpreter has the clock loaded itself, and the libraries may use it: our own sources must not.
    ours = [module for module in loaded if module.startswith(("services.", "chassis."))]
    assert {module: found for module in ours if (found := imports_of(module) & FORBIDDEN)} == {}


def test_the_check_finds_what_it_looks_for() -> None:
    assert {"asyncio", "time"} <= imports_of("services.orchestrator.session")
