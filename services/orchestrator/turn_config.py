"""How a session takes turns."""

from dataclasses import dataclass, field

from services.orchestrator.endpointing import Endpointing, FixedSilence


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """How turns are taken. `detection` off means push-to-talk: only the client's commit ends a turn."""

    detection: bool = True
    endpointing: Endpointing = field(default_factory=FixedSilence)
    create_response: bool = True
    interrupt_response: bool = True
    drafts: bool = False
    prefix_s: float = 0.3
    transcript_timeout_s: float = 15.0
    idle_timeout_s: float | None = None
