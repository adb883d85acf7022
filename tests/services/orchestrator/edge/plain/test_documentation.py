"""The page on the protocol names everything that can be said."""

import re
from pathlib import Path
from typing import get_args

from client.plain_events import KINDS, Limits
from services.orchestrator.edge.plain.commands import Configure, Message

PAGE = (Path(__file__).parents[5] / "docs" / "plain-protocol.md").read_text()


def test_every_command_has_its_row() -> None:
    commands = {get_args(model.model_fields["type"].annotation)[0] for model in get_args(Message)}
    assert set(re.findall(r'^\| `\{"type":"(\w+)"', PAGE, re.MULTILINE)) == commands


def test_every_message_of_the_server_has_its_row() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*):.* \|.*\|$", PAGE, re.MULTILINE)
    assert {kind for row in rows for kind in re.findall(r"\w+", row)} == set(KINDS)


def test_every_field_of_configure_and_every_limit_is_named() -> None:
    fields = set(Configure.model_fields) - {"type", "sample_rate"} | set(Limits.__dataclass_fields__)
    assert [name for name in fields if f"`{name}`" not in PAGE] == []
