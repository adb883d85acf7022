"""How likely it is that a turn is over, by the sound of it and by its words. Pure.

Everything that is known adds to the log-odds, as in a logistic regression, and that is where the numbers come from:
`python -m tests.bench.endpointing --fit` prints them. Words help because half a sentence may sound final ("could you
tell me if") and a whole one open.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from math import log

from services.orchestrator.characters import SENTENCE_MARKS
from services.orchestrator.interruption import words
from services.orchestrator.unfinished import SENTENCE_WORDS, is_question, is_unfinished, length


class Cue(Enum):
    """What a text says of its own end."""

    QUESTION = auto()
    """A sentence with a question mark."""
    LONG_QUESTION = auto()
    """The same with `LONG_WORDS` at least: few go on after so much that is a question already."""
    STATEMENT = auto()
    """A sentence with another mark that ends one. Recognisers set it behind many half sentences, too."""
    UNMARKED = auto()
    """Long enough for a sentence, but no mark."""
    UNFINISHED = auto()
    """Hardly any sentence ends like this: with "and", "um" or "...", or after "if" and a single clause."""
    DOUBTFUL = auto()
    """Some sentences do: in a number that may be dictated, or with a "no" or "I mean" that may begin a correction."""


WEIGHTS: Mapping[Cue, float] = {
    Cue.QUESTION: 1.0,
    Cue.LONG_QUESTION: 1.6,
    Cue.STATEMENT: 0.3,
    Cue.UNMARKED: -0.5,
    Cue.UNFINISHED: -3.2,
    Cue.DOUBTFUL: -2.7,
}
"""What each cue adds to the log-odds."""
SOUND_WEIGHT = 0.45
"""What the end-of-turn model's own log-odds count for: it is surer of itself than it is right."""
BIAS = -0.7
_SUREST = 0.99

LONG_WORDS = 8
_DICTATED = re.compile(r"(?<!\d)(?<!\d[-– ])(?!(?:1\d|20)\d\d\b)(?:\d{3,6}|\d{1,3}(?:[-– ]\d{1,3}){1,2})\W*$")
"""Digits said one by one, as recognisers write them: "555", "4-7". Whole telephone numbers are longer; years do not
count."""
_CORRECTIONS = (" no", " non", " wait", " i mean", " you know", " 不 对")


def completeness(probability: float, text: str) -> float:
    """Log-odds that the turn is over: `probability` in [0, 1] is the end-of-turn model's, `text` what was said."""
    return BIAS + SOUND_WEIGHT * log_odds(probability) + sum(WEIGHTS[cue] for cue in cues(text))


def log_odds(probability: float) -> float:
    """Of a probability in [0, 1]; the very surest count as 0.99 and 0.01."""
    sure = min(max(probability, 1 - _SUREST), _SUREST)
    return log(sure / (1 - sure))


def cues(text: str) -> frozenset[Cue]:
    """What can be told from `text`; nothing of a short answer or of no text."""
    found = set()
    size = length(text)
    if is_unfinished(text):
        found.add(Cue.UNFINISHED)
    elif size >= SENTENCE_WORDS:
        found.add(_sentence(text, size))
    if _DICTATED.search(text) or (size >= SENTENCE_WORDS and " ".join(words(text)).endswith(_CORRECTIONS)):
        found.add(Cue.DOUBTFUL)
    return frozenset(found)


def _sentence(text: str, size: float) -> Cue:
    if is_question(text):
        return Cue.LONG_QUESTION if size >= LONG_WORDS else Cue.QUESTION
    return Cue.STATEMENT if text.rstrip()[-1] in SENTENCE_MARKS else Cue.UNMARKED
