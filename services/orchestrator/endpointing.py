"""How much silence ends a turn. Pure: what is known of the turn in, seconds of silence out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Endpointing(Protocol):
    """Decides how long the silence after speech must be for the turn to be over."""

    def needed_silence_s(self, probability: float | None, text: str = "") -> float:
        """Seconds of silence, given the probability in [0, 1] that the speaker is done, by the sound of it (None:
        unknown), and what was said ("": not known yet)."""
        ...


@dataclass(frozen=True, slots=True)
class FixedSilence:
    """The same silence after every utterance, whatever was said: the protocol's `server_vad`."""

    silence_s: float = 0.5

    def needed_silence_s(self, probability: float | None, text: str = "") -> float:
        return self.silence_s


class Eagerness(StrEnum):
    """How soon a turn is taken; the values are the protocol's. `auto` is `medium`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    AUTO = "auto"


# Silence after a turn that is certainly complete, and after one that certainly is not, in seconds. The gap between two
# speakers is about 200 ms in every language studied (Stivers et al. 2009), so nothing shorter would feel faster.
_LIMITS_S = {
    Eagerness.LOW: (0.4, 4.0),
    Eagerness.MEDIUM: (0.2, 2.0),
    Eagerness.HIGH: (0.2, 1.0),
    Eagerness.AUTO: (0.2, 2.0),
}
# At or above this probability a turn counts as complete.
COMPLETE = 0.7
# Silence that ends a turn where nothing is known of it: about as long as people wait for one another at most.
_UNKNOWN_S = 0.7
# How complete a text is at least, by the mark it ends with. Recognisers set marks by the grammar of what was said,
# which the sound of it does not tell: a question mark is seldom wrong, a full stop sometimes ends half a sentence.
_ASKED, _SAID = 0.6, 0.35


def _completeness(text: str) -> float:
    ending = text.rstrip()[-3:]
    if ending.endswith(("?", "？", "؟")):
        return _ASKED
    return _SAID if ending.endswith((".", "!", "。", "！", "।")) and ending != "..." else 0.0


@dataclass(frozen=True, slots=True)
class SemanticEndpointing:
    """Soon after a sentence that is complete, late after one that is not: the protocol's `semantic_vad`."""

    eagerness: Eagerness = Eagerness.AUTO

    def needed_silence_s(self, probability: float | None, text: str = "") -> float:
        soon_s, late_s = _LIMITS_S[self.eagerness]
        if probability is None:
            return min(max(soon_s, _UNKNOWN_S), late_s)
        doubt = max(0.0, COMPLETE - max(probability, _completeness(text))) / COMPLETE
        return soon_s + (late_s - soon_s) * doubt
