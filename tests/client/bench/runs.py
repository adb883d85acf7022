"""Results of benchmarks as tests need them."""

from typing import Any

from client.bench.sessions import TurnResult
from client.bench.statistics import Load, Run


def turn(latency_ms: float | None = 500.0, **changes: Any) -> TurnResult:
    """A turn that was heard after `latency_ms`."""
    fields: dict[str, Any] = {"session": 0, "warm_up": False, "question": "Is it noon?", "text": "Is it noon?"}
    return TurnResult(**(fields | {"voice_to_voice_ms": latency_ms, "understood": "is it noon"} | changes))


def load(**changes: Any) -> Load:
    """What ten seconds of sessions cost."""
    fields: dict[str, Any] = {
        "session_s": 10.0,
        "cpu_s": {"stt": 2.0, "llm": 3.0},
        "rss_bytes": {"stt": 100 << 20, "llm": 200 << 20},
        "client_cpu_s": 0.5,
        "blocks": 500,
        "late_blocks": 0,
    }
    return Load(**(fields | changes))


def run(*turns: TurnResult, server: str = "default", sessions: int = 1, **changes: Any) -> Run:
    """A run of these turns."""
    return Run(server, sessions, turns, load(**changes))
