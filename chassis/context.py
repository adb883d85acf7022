"""Who a call is for: session, turn and trace, carried as gRPC metadata and bound to every log record.

Never metric labels: their number has no bound.
"""

import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Self

SESSION_KEY = "x-session-id"
TURN_KEY = "x-turn-id"
TRACE_KEY = "traceparent"


@dataclass(frozen=True, slots=True)
class CallContext:
    """Session and turn of one call (empty where there is none), and its W3C `traceparent` (version 00)."""

    session_id: str = ""
    turn_id: str = ""
    traceparent: str = ""

    def to_metadata(self) -> tuple[tuple[str, str], ...]:
        """The context as gRPC metadata; empty values are left out."""
        pairs = ((SESSION_KEY, self.session_id), (TURN_KEY, self.turn_id), (TRACE_KEY, self.traceparent))
        return tuple((key, value) for key, value in pairs if value)

    @classmethod
    def from_metadata(cls, metadata: Iterable[tuple[str, str | bytes]] | None) -> Self:
        """Reads what `to_metadata` wrote; other keys are ignored."""
        found = {key: value for key, value in metadata or () if isinstance(value, str)}
        return cls(found.get(SESSION_KEY, ""), found.get(TURN_KEY, ""), found.get(TRACE_KEY, ""))

    def for_turn(self, turn_id: str) -> Self:
        """The same session's context for one turn, with a trace of its own."""
        return replace(self, turn_id=turn_id, traceparent=new_traceparent())


def new_traceparent() -> str:
    """A new sampled W3C trace context header, `00-<16 bytes>-<8 bytes>-01` in hexadecimal."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


_NONE = CallContext()
current: ContextVar[CallContext] = ContextVar("voxfleet_call_context", default=_NONE)
"""The context of the running task; log records take their ids from it."""
