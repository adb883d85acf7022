"""The header by which relays know a session that has come back to them. Pure.

Each relay adds a name of its own to `Voxfleet-Relayed-By`, as RFC 8586 has it for content delivery networks.
"""

import re
from collections.abc import Iterable

HEADER = "Voxfleet-Relayed-By"
MOST = 4
"""Relays that a session may pass. Behind a load balancer a session may come back to another replica each time."""

_HOP = re.compile(r"[A-Za-z0-9_-]{1,32}")


class LoopError(Exception):
    """The session has come back, or has come too far."""


def onward(received: Iterable[str], own: str) -> str:
    """The header's value for the next server. `received` are its values in the request, `own` is this relay's name.

    Raises LoopError.
    """
    passed = [hop for value in received for part in value.split(",") if _HOP.fullmatch(hop := part.strip())]
    if own in passed:
        raise LoopError("the session has come back to the relay that sent it: check the addresses of the relays")
    if len(passed) >= MOST:
        raise LoopError(f"the session has passed {MOST} relays: check the addresses of the relays")
    return ", ".join([*passed, own])
