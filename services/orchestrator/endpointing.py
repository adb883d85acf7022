"""How much silence ends a turn. Pure: what is known of the turn in, seconds of silence out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.orchestrator.completeness import completeness


class Endpointing(Protocol):
    """Decides how long the silence after speech must be for the turn to be over."""

    def needed_silence_s(self, probability: float | None, text: str = "") -> float:
        """Seconds of silence, given the probability in [0, 1] that the speaker is done, by the sound of it (None:
        unknown), and what was said ("": not known yet)."""
        ...

    @property
    def draft_patience_s(self) -> float:
        """Seconds of silence that may be waited for a draft to be ready, where less would end the turn."""
        ...


@dataclass(frozen=True, slots=True)
class FixedSilence:
    """The same silence after every utterance, whatever was said: the protocol's `server_vad`."""

    silence_s: float = 0.5

    @property
    def draft_patience_s(self) -> float:
        return 0.0

    def needed_silence_s(self, probability: float | None, text: str = "") -> float:
        return self.silence_s


class Eagerness(StrEnum):
    """How soon a turn is taken; the values are the protocol's. `auto` is `medium`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class _Patience:
    """Silence after a turn that is taken for complete and after one that is not, in seconds, and the log-odds from
    which on, and up to which, that is so. In between the silence grows evenly with the doubt."""

    soon_s: float
    late_s: float
    complete: float
    incomplete: float

    def silence_s(self, log_odds: float) -> float:
        doubt = (self.complete - log_odds) / (self.complete - self.incomplete)
        return self.soon_s + (self.late_s - self.soon_s) * min(max(doubt, 0.0), 1.0)


# Speakers leave each other some 200 ms in every language studied (Stivers et al. 2009), so nothing shorter would feel
# faster; a little more spares most of the pauses that people make at a comma. The log-odds were chosen on the training
# half of `python -m tests.bench.endpointing`: medium takes 19 of 20 complete turns soon, low and high lie on either
# side of it.
_MEDIUM = _Patience(soon_s=0.25, late_s=2.0, complete=-0.8, incomplete=-1.8)
_PATIENCE: Mapping[Eagerness, _Patience] = {
    Eagerness.LOW: _Patience(soon_s=0.4, late_s=4.0, complete=0.0, incomplete=-2.0),
    Eagerness.MEDIUM: _MEDIUM,
    Eagerness.HIGH: _Patience(soon_s=0.2, late_s=1.0, complete=-1.5, incomplete=-3.0),
    Eagerness.AUTO: _MEDIUM,
}
# At least so much silence where the sound or the words are not known: about as long as people wait for one another at
# most. Words mostly come sooner, and no turn can be answered without them, so waiting for them costs nothing.
_UNKNOWN_S = 0.7
_NO_OPINION = 0.5
# While the reply is still being prepared nobody could hear it, so taking the turn would win nothing, and speech that
# goes on meanwhile need not be cut off. Pauses in running speech that pass for ends are mostly shorter than this.
_DRAFT_PATIENCE_S = 0.6


@dataclass(frozen=True, slots=True)
class SemanticEndpointing:
    """Soon after a sentence that is complete, late after one that is not: the protocol's `semantic_vad`."""

    eagerness: Eagerness = Eagerness.AUTO

    @property
    def draft_patience_s(self) -> float:
        return _DRAFT_PATIENCE_S

    def needed_silence_s(self, probability: float | None, text: str = "") -> float:
        likely = completeness(_NO_OPINION if probability is None else probability, text)
        silence_s = _PATIENCE[self.eagerness].silence_s(likely)
        return silence_s if text and probability is not None else max(silence_s, _UNKNOWN_S)
