"""Which language an utterance is in, where nobody told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SURE_SPEECH_S = 1.0
SURE_PROBABILITY = 0.8
ENOUGH_SPEECH_S = 3.0
"""Speech after which the likeliest language is taken whatever its probability: more of it rarely changes the answer."""


UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Languages written without spaces between words."""


@dataclass(frozen=True, slots=True)
class Language:
    """An ISO 639-1 code (the model's own where there is none) and its probability in [0, 1]."""

    code: str
    probability: float


WEAKEST = 0.001
"""What a look leaves a language that it rules out: no look is beyond doubt, a foreign name at the end swings it."""
EXPECTED_ODDS = 4.0
"""How much likelier than the others the language is that the person spoke last."""


class Belief:
    """Which language it is, after several looks at the same utterance. Immutable.

    Looks are multiplied as if they were independent; each counts in proportion to the speech it saw, up to a second.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = weights or {}

    @classmethod
    def expecting(cls, code: str) -> Self:
        """The belief before anything was heard, where the person spoke `code` last ("": nothing is expected)."""
        return cls({code: EXPECTED_ODDS} if code else None)

    def after(self, look: Mapping[str, float], speech_s: float) -> Self:
        """The belief after a look at `speech_s` seconds of speech. All looks name the same languages."""
        strength = min(1.0, speech_s)
        weights = {
            code: self._weights.get(code, 1.0) * max(probability, WEAKEST) ** strength
            for code, probability in look.items()
        }
        total = sum(weights.values())
        return type(self)({code: weight / total for code, weight in weights.items()})

    @property
    def likeliest(self) -> Language:
        """The likeliest language. Only after a look."""
        code = max(self._weights, key=lambda code: self._weights[code])
        return Language(code, self._weights[code])


def is_settled(language: Language, speech_s: float) -> bool:
    """Whether `language`, detected in `speech_s` seconds of speech, should be kept for the rest of the utterance."""
    sure = speech_s >= SURE_SPEECH_S and language.probability >= SURE_PROBABILITY
    return sure or speech_s >= ENOUGH_SPEECH_S
