"""What is written down of simulated sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """A turn that was answered. Times in seconds; `delays` is how long each stage took longer than alone.

    `plain`: the endpointing asked for no more than its shortest silence.
    """

    ended_at: float
    voice_to_voice_s: float
    after_decision_s: float
    plain: bool
    draft: bool
    speech_s: float
    delays: Mapping[str, float]


@dataclass(slots=True)
class Log:
    """What happened in all sessions from `since` on (seconds)."""

    since: float = 0.0
    turns: list[TurnRecord] = field(default_factory=list)
    replies: int = 0
    replies_with_gaps: int = 0
    reply_s: float = 0.0
    drafts_discarded: int = 0
    drafts_skipped: int = 0
    cut_offs: int = 0
    interruptions: int = 0
    failed: int = 0
