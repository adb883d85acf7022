"""Cuts a stream of text into pieces for a voice: the first as early as it can be spoken, later ones whole sentences."""

import re
from dataclasses import dataclass
from typing import Final

from services.orchestrator.boundaries import LOOKAHEAD, MARKS, Boundary, Strength, judge
from services.orchestrator.characters import is_cjk, is_hiragana

CJK_LENGTH: Final = 3
"""A Han or kana character takes about as long to say as three letters, so limits count it as three."""

LONG_SENTENCE: Final = 120
"""Letters after which a sentence is cut at a clause mark: 8 s of speech, and some voices lose their way beyond it."""

SHORT_CLAUSE: Final = 40
"""Letters a clause of a long sentence has at least: cutting off less would only make it choppy."""

HARD_LIMIT: Final = 240
"""No piece is longer, in characters: 16 s of speech, about what every voice takes in one go."""


@dataclass(frozen=True, slots=True)
class Opening:
    """When one of the first pieces may end before its sentence does. Waiting longer is heard as delay, and each piece
    is spoken while the next one is made: so the first is short, and the second not much longer than that takes."""

    clause_units: int
    """A clause that may be spoken alone, in units: a Latin word counts two, a Han or kana character one."""
    words: int
    """Words without any mark after which the piece is cut where a phrase begins."""
    phrase_words: int
    """Words of such a phrase at least."""
    words_at_most: int
    """Words after which the piece is cut even where no phrase is known to begin."""
    kana_units: int
    """Units without any mark after which a Japanese piece is cut behind a particle."""


OPENINGS: Final = (
    Opening(clause_units=4, words=4, phrase_words=3, words_at_most=10, kana_units=12),
    Opening(clause_units=20, words=14, phrase_words=10, words_at_most=20, kana_units=40),
)
"""The pieces that may be shorter than a sentence, in order."""

_WORD_UNITS = 2
_WORD = re.compile(r"\S+")
_LAST_GAP = re.compile(r".*\s(?=\S)", re.DOTALL)
_PARTICLES = frozenset("はがをにでとも")

_PHRASE_STARTS = frozenset({
    "about", "after", "and", "are", "as", "at", "because", "before", "between", "but", "by", "can", "during", "for",
    "from", "had", "has", "have", "if", "in", "into", "is", "on", "or", "since", "so", "than", "that", "through", "to",
    "under", "until", "was", "were", "when", "where", "which", "while", "who", "will", "with", "without", "would",
    "aunque", "como", "con", "cuando", "desde", "donde", "era", "está", "están", "fue", "hasta", "para", "pero", "por",
    "porque", "que", "según", "sin", "sobre", "son",
    "afin", "avec", "car", "chez", "comme", "dans", "depuis", "donc", "est", "et", "mais", "ou", "où", "par", "parce",
    "pendant", "pour", "puis", "quand", "qui", "sans", "sont", "sous", "sur", "vers", "était",
    "aber", "auf", "aus", "bei", "dass", "denn", "für", "ist", "mit", "nach", "oder", "sind", "und", "von", "weil",
    "zu",
})  # fmt: skip
"""Conjunctions, prepositions and auxiliaries: a phrase begins with one of them."""

_PHRASE_GOES_ON = _PHRASE_STARTS | frozenset({
    "a", "an", "her", "his", "its", "more", "most", "my", "no", "not", "of", "our", "the", "their", "these", "this",
    "those", "very", "your", "i", "it", "he", "she", "they", "we", "you",
    "al", "de", "del", "el", "en", "la", "las", "los", "muy", "más", "se", "su", "sus", "tu", "un", "una", "y",
    "au", "aux", "ce", "ces", "cette", "des", "du", "il", "je", "le", "les", "leur", "mon", "ne", "nous", "plus",
    "sa", "ses", "son", "très", "une", "vous",
    "das", "dem", "den", "der", "die", "ein", "eine", "einen", "einer", "ich", "im", "nicht", "sehr",
})  # fmt: skip
"""Words that belong to the next one: no pause comes behind them."""

_GENITIVES = frozenset({"of", "de", "del", "du", "des"})
"""Words that belong to the one before as well: no pause comes before them."""


class ClauseSplitter:
    """Streaming splitter. `push` text as it comes, `flush` once at the end; the same object then starts anew.

    The pieces, joined, are the text. White space belongs to the piece before it. What the pieces are depends on the
    text only, never on how it was cut: a boundary is given out once the characters behind its mark make it certain, at
    most LOOKAHEAD of them, usually a space and one more. A piece that ends at a mark has a letter or digit in it; only
    the last piece, and one cut at HARD_LIMIT, may be mere punctuation.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._text = ""
        self._in_quotes = False  # a straight double quote is open where the text begins
        self._spoken_pieces = 0
        self._start_piece()

    def _start_piece(self) -> None:
        self._scanned = 0  # everything before was looked at
        self._length = 0  # of what was scanned, in letters
        self._speech = False  # there is a letter or digit in it
        self._clause_end = 0  # last place where this piece may be cut if its sentence turns out long

    def push(self, text: str) -> list[str]:
        """The pieces that have become certain, in order."""
        pieces = []
        for start in range(0, len(text), HARD_LIMIT):  # so that what is left to cut, and the work for it, stays bounded
            self._text += text[start : start + HARD_LIMIT]
            pieces += self._pieces(final=False)
        return pieces

    def flush(self) -> list[str]:
        """The rest, read as the end of the text."""
        pieces = self._pieces(final=True)
        self._reset()
        return pieces

    def _pieces(self, *, final: bool) -> list[str]:
        pieces = []
        while self._text and (end := self._next_cut(final)) is not None:
            piece, self._text = self._text[:end], self._text[end:]
            self._in_quotes ^= piece.count('"') % 2 == 1
            self._spoken_pieces += any(char.isalnum() for char in piece)
            self._start_piece()
            pieces.append(piece)
        return pieces

    def _next_cut(self, final: bool) -> int | None:
        text = self._text
        while self._scanned < len(text):
            index = self._scanned
            char, step = text[index], 1
            if self._speech and char in MARKS:
                in_quotes = self._in_quotes ^ (text.count('"', 0, index) % 2 == 1)
                boundary = judge(text, index, final=final, in_quotes=in_quotes)
                if boundary is None:
                    return None
                if self._cuts(boundary, index):
                    return boundary.end
                step = boundary.marks_end - index
            elif self._speech and (opening := self._opening) is not None:
                if index + 1 == len(text) and not final:
                    return None
                if end := self._break_in_opening(index, opening):
                    return end
            self._scan(text[index : index + step])
            if self._length > LONG_SENTENCE and self._clause_end:
                return self._clause_end
            if self._length >= HARD_LIMIT - LOOKAHEAD:
                gap = _LAST_GAP.match(text, 0, self._scanned)
                return gap.end() if gap else self._scanned
        return len(text) if final else None

    def _scan(self, passage: str) -> None:
        self._scanned += len(passage)
        for char in passage:
            self._length += CJK_LENGTH if is_cjk(char) else 1
            self._speech = self._speech or char.isalnum()

    def _cuts(self, boundary: Boundary, mark: int) -> bool:
        """True if the piece ends at this boundary; otherwise a clause's end is noted for later."""
        if boundary.strength is not Strength.CLAUSE:
            return boundary.strength is Strength.SENTENCE
        if self._opening is not None:
            return _units(self._text[:mark]) >= self._opening.clause_units
        if self._length >= SHORT_CLAUSE:
            self._clause_end = boundary.end
        return self._length > LONG_SENTENCE

    @property
    def _opening(self) -> Opening | None:
        return OPENINGS[self._spoken_pieces] if self._spoken_pieces < len(OPENINGS) else None

    def _break_in_opening(self, index: int, opening: Opening) -> int | None:
        """Where an opening piece, without any mark up to `index`, can be cut: before a phrase or behind a particle."""
        text, following = self._text, self._text[index + 1 : index + 2]
        if text[index].isspace() and following.isalnum():
            return _phrase_break(text[:index], opening)
        behind_particle = text[index] in _PARTICLES and is_cjk(following) and not is_hiragana(following)
        return index + 1 if behind_particle and _units(text[: index + 1]) >= opening.kana_units else None


def _units(text: str) -> int:
    cjk = sum(map(is_cjk, text))
    words = re.findall(r"\w+(?:['’.,:-]\w+)*", "".join(" " if is_cjk(char) else char for char in text))
    return cjk + _WORD_UNITS * len(words)


def _phrase_break(text: str, opening: Opening) -> int | None:
    """Offset of a word of `text` (whole words) that an opening piece can end before, None if it should go on."""
    words = [match for match in _WORD.finditer(text) if any(char.isalnum() for char in match.group())]
    if len(words) < opening.words:
        return None
    plain = [match.group().strip("\"'“”‘’«»()[],.;:").lower() for match in words]
    for count in range(len(words) - 1, opening.phrase_words - 1, -1):
        anywhere = len(words) >= opening.words_at_most and plain[count] not in _GENITIVES
        phrase_starts = anywhere or plain[count] in _PHRASE_STARTS
        if phrase_starts and plain[count - 1] not in _PHRASE_GOES_ON:
            return words[count].start()
    return None
