"""Which language an utterance is in, where nobody told."""

from collections.abc import Mapping
from dataclasses import dataclass

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


def likeliest(probabilities: Mapping[str, float]) -> Language:
    """The language with the highest probability."""
    code = max(probabilities, key=lambda code: probabilities[code])
    return Language(code, probabilities[code])


def is_settled(language: Language, speech_s: float) -> bool:
    """Whether `language`, detected in `speech_s` seconds of speech, should be kept for the rest of the utterance."""
    sure = speech_s >= SURE_SPEECH_S and language.probability >= SURE_PROBABILITY
    return sure or speech_s >= ENOUGH_SPEECH_S
