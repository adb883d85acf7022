import subprocess
import sys
from importlib import import_module

import pytest
from typer import Typer
from typer.testing import CliRunner

from client.__main__ import COMMANDS, app

HELP = {"COLUMNS": "200", "NO_COLOR": "1"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_table_says(name: str) -> None:
    module, _, attribute = COMMANDS[name].partition(":")
    assert isinstance(getattr(import_module(module), attribute), Typer)


def test_help_lists_every_command_with_what_it_does() -> None:
    result = CliRunner().invoke(app, ["--help"], env=HELP)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    for name in COMMANDS:
        assert any(line.strip(" │").startswith(f"{name} ") for line in lines), result.output


def test_no_arguments_show_the_help() -> None:
    assert "Commands" in CliRunner().invoke(app, [], env=HELP).output


def test_an_unknown_command_is_misuse() -> None:
    result = CliRunner().invoke(app, ["dance"], env=HELP)
    assert result.exit_code == 2
    assert "No such command 'dance'" in result.output


def test_a_command_is_imported_only_when_it_is_asked_for() -> None:
    script = "import sys, client.__main__; print([name for name in sys.modules if name.startswith('client.commands.')])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
