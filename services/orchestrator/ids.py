"""Ids of what a session makes: items, responses, turns."""

import secrets


def new_id(kind: str) -> str:
    """A new id such as `item_1f3a…`."""
    return f"{kind}_{secrets.token_hex(12)}"
