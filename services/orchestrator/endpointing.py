"""How much silence ends a turn. Pure: the end-of-turn probability in, seconds of silence out."""

from dataclasses import dataclass
from typing import Protocol


class Endpointing(Protocol):
    """Decides how long the silence after speech must be for the turn to be over."""

    def needed_silence_s(self, probability: float | None) -> float:
        """Seconds of silence, given the probability in [0, 1] that the speaker is done (None: unknown)."""
        ...


@dataclass(frozen=True, slots=True)
class FixedSilence:
    """The same silence after every utterance, whatever was said."""

    silence_s: float = 0.5

    def needed_silence_s(self, probability: float | None) -> float:
        return self.silence_s
