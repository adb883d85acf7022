"""The `voxfleet` command. Each sub-command is a typer application of its own, imported only when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
import typer.core

COMMANDS: Mapping[str, str] = {
    "up": "client.commands.up:app",
    "talk": "client.commands.talk:app",
    "demo": "client.commands.demo:app",
    "bench": "client.commands.bench:app",
    "plan": "client.commands.plan:app",
    "weights": "client.commands.weights:app",
}
"""Sub-command → `module:attribute` of its `typer.Typer`, in the order in which `--help` lists them."""


class LazyGroup(typer.core.TyperGroup):
    """A group whose members come from `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = typer.main.get_command(getattr(import_module(module), attribute))
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with every local variable would put what people said on the screen.
    pretty_exceptions_enable=False,
)


@app.callback()
def voxfleet() -> None:
    """A real-time voice assistant on hardware its owner controls."""


if __name__ == "__main__":
    app()
