"""Japanese: words and pronunciations by MeCab with IPADIC, phonemes as Kokoro v1.0 was trained on them."""

import re
import threading
import unicodedata

import ipadic  # type: ignore[import-untyped]
from fugashi import GenericTagger  # type: ignore[import-untyped]

from services.tts.g2p import kana
from services.tts.g2p.base import Segment
from services.tts.g2p.english import EnglishPhonemizer
from services.tts.g2p.japanese_numbers import read_numbers
from services.tts.text.clean import clean
from services.tts.text.spoken import Spoken

_LATIN = re.compile(r"[A-Za-z][A-Za-z'’.+#-]*")
_MARKS = {
    **dict.fromkeys("、，,", ","), **dict.fromkeys("。．.", "."), **dict.fromkeys("！!", "!"),
    **dict.fromkeys("？?", "?"), **dict.fromkeys("：:", ":"), **dict.fromkeys("；;", ";"),
    **dict.fromkeys("「『《【«“", "“"), **dict.fromkeys("」』》】»”", "”"), **dict.fromkeys("（(", "("),
    **dict.fromkeys("）)", ")"), **dict.fromkeys("～〜", "—"), "…": "…", "—": "—",
}  # fmt: skip
_OPENING = frozenset("“(")
# Index of the pronunciation in IPADIC's feature list; unknown words have no such field.
_PRONUNCIATION = 8


class JapanesePhonemizer:
    """Kokoro's Japanese phonemes, one segment a morpheme. Latin words are read as English."""

    def __init__(self, english: EnglishPhonemizer) -> None:
        self._english = english
        self._tagger = GenericTagger(ipadic.MECAB_ARGS)
        self._tagger_lock = threading.Lock()  # MeCab keeps the sentence inside the tagger

    def __call__(self, text: str) -> list[Segment]:
        # Width variants are folded one character at a time, which keeps offsets.
        folded = "".join(_fold(char) for char in text)
        spoken = read_numbers(clean(Spoken.of(folded), "ドット"))
        with self._tagger_lock:
            words = [(word.surface, tuple(word.feature)) for word in self._tagger(spoken.text)]
        found: list[Segment] = []
        at = 0
        for surface, feature in words:
            start = spoken.text.find(surface, at)
            at = start + len(surface)
            end = spoken.origins[at]
            if surface in _MARKS:
                found += (
                    [Segment(_MARKS[surface], end)]
                    if _MARKS[surface] in _OPENING
                    else [Segment(_MARKS[surface] + " ", end)]
                )
                continue
            if _LATIN.fullmatch(surface):
                sounds = self._english.segments(Spoken(surface, spoken.origins[start : at + 1]))
            else:
                read = feature[_PRONUNCIATION] if len(feature) > _PRONUNCIATION else kana.to_katakana(surface)
                sounds = [Segment(kana.phonemes(read), end)]
            if found and _needs_space(found[-1].phonemes, sounds[0].phonemes if sounds else ""):
                found.append(Segment(" ", spoken.origins[start]))
            found += sounds
        return found


def _needs_space(before: str, after: str) -> bool:
    """Words are apart, but a stop (ʔ) belongs to both of its sides."""
    return bool(before and after) and before[-1] not in " ʔ“(" and after[0] != "ʔ"


def _fold(char: str) -> str:
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 else char
