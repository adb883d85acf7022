"""English: the normaliser and phonemizer of hibari-tts (misaki's American English), and what they leave unread."""

import re

from hibari.g2p import G2P
from hibari.g2p.normalize import normalize

from services.tts.g2p.base import Segment
from services.tts.text.clean import clean
from services.tts.text.spoken import Spoken

_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\be\.\s?g\.(?=\W|$)", re.IGNORECASE), "for example"),
    (re.compile(r"\bi\.\s?e\.(?=\W|$)", re.IGNORECASE), "that is"),
    (re.compile(r"\b([A-Z])#(?!\w)"), r"\1 sharp"),
    (re.compile(r"\b([A-Z])\+\+(?!\w)"), r"\1 plus plus"),
    # The normaliser reads "#" as "hashtag" wherever it is not before a number.
    (re.compile(r"#(?=[^\s\d])"), "hashtag "),
    (re.compile(r"#(?!\d)"), " "),
    (re.compile(r"(?<=\d)\s?bn\b"), " billion"),
    (re.compile(r"(?<=\d)\s?[*×]\s?(?=\d)"), " times "),
    (re.compile(r"(?<=\d)\s?÷\s?(?=\d)"), " divided by "),
    (re.compile(r"[\[\]{}<>\\^_*]"), " "),
    # The number reader ends at quadrillions.
    (re.compile(r"(?<=\d)(?=\d*\d{15})|(?<=\d{15})(?=\d)"), " "),
    # Letters of other scripts: this voice cannot read them.
    (re.compile(r"[^\W\d_A-Za-zÀ-ɏ]+"), " "),
)


class EnglishPhonemizer:
    """Misaki-style phonemes for English. The lexicon and tagger take half a second to load."""

    def __init__(self) -> None:
        self._g2p = G2P()

    def __call__(self, text: str) -> list[Segment]:
        spoken = clean(Spoken.of(text), "dot")
        for pattern, replacement in _REWRITES:
            spoken = spoken.sub(pattern, replacement)
        spoken = spoken.rewritten(normalize(spoken.text))
        return self.segments(spoken)

    def segments(self, spoken: Spoken) -> list[Segment]:
        """The segments of text that is already in words and numbers."""
        found: list[Segment] = []
        at = 0
        for token in self._g2p.phonemize_tokens(self._g2p.tokenize(spoken.text)):
            at = min(at + len(token.text), len(spoken.text))
            found.append(Segment(token.phonemes or "", spoken.origins[at]))
            if token.whitespace:
                at = min(at + len(token.whitespace), len(spoken.text))
                found.append(Segment(" ", spoken.origins[at]))
        return found
