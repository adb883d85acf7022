"""Where a sentence or a clause ends, told from the characters around one mark."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from services.orchestrator.characters import (
    CJK_CLAUSE_MARKS,
    CJK_CLOSERS,
    CJK_SENTENCE_MARKS,
    CLAUSE_MARKS,
    CLOSERS,
    OPENERS,
    SENTENCE_MARKS,
    is_cjk,
)

LOOKAHEAD: Final = 32
"""Characters from a mark on that may be looked at: more marks, closing quotes, white space, and the next word."""

MARKS: Final = SENTENCE_MARKS | CLAUSE_MARKS | frozenset("-\n")

_ALWAYS_FOLLOWED = frozenset({
    "dr", "mr", "mrs", "ms", "prof", "mt", "gen", "col", "sgt", "capt", "lt", "rev", "hon", "pres", "gov", "sen", "rep",
    "messrs", "vs", "cf", "approx", "ca", "e.g", "i.e", "viz", "m", "mm", "mme", "mmes", "mlle", "sra", "srta", "dra",
    "ud", "uds", "ej", "p.ej", "z.b", "d.h", "bzw", "hr", "fr", "str", "al", "av", "avda", "est", "ft", "incl", "excl",
})  # fmt: skip
"""Abbreviations after which the sentence goes on, in English, French, Spanish and German."""

_BEFORE_NUMBERS = frozenset({
    "no", "nos", "nr", "núm", "num", "fig", "figs", "vol", "vols", "p", "pp", "pág", "art", "ch", "chap", "sec", "eq",
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
})  # fmt: skip
"""Abbreviations that a number belongs to."""

_EITHER = frozenset({"inc", "ltd", "co", "corp", "bros", "jr", "sr", "st", "dept", "a.m", "p.m"})
"""Abbreviations that end a sentence as often as not: the next word tells."""

_SENTENCE_STARTERS = frozenset({
    "a", "after", "all", "also", "although", "an", "and", "another", "are", "as", "at", "because", "but", "by", "can",
    "do", "does", "each", "for", "from", "he", "her", "here", "his", "how", "however", "i", "if", "i'm", "in", "is",
    "it", "it's", "its", "let", "let's", "many", "most", "my", "no", "now", "on", "one", "or", "our", "please", "she",
    "since", "so", "some", "that", "that's", "the", "their", "then", "there", "there's", "these", "they", "this",
    "those", "to", "today", "we", "what", "when", "where", "which", "while", "who", "why", "with", "would", "yes",
    "you", "your",
    "el", "la", "los", "las", "es", "en", "un", "una", "le", "les", "il", "elle", "c'est", "je", "nous", "vous",
})  # fmt: skip
"""Words that, written with a capital after a stop, begin a sentence rather than carry on a name."""

_TOKEN = re.compile(r"[^\s()\[\]{}\"“”«»¿¡‘/\u3000-\u9fff\uff00-\uffef]*\Z")
_LONGEST_TOKEN = 24
_LIST_LABEL = re.compile(r"\d{1,3}|[^\W\d_]")
_ACRONYM = re.compile(r"([^\W\d_]\.)*[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+(['’][^\W\d_]+)?")


class Strength(IntEnum):
    NONE = 0
    CLAUSE = 1
    SENTENCE = 2


@dataclass(frozen=True, slots=True)
class Boundary:
    strength: Strength
    marks_end: int
    """Offset after the marks and the quotes and brackets that close there."""
    end: int
    """Offset after the white space too: where the next piece begins."""


def judge(text: str, mark: int, *, final: bool, in_quotes: bool = False) -> Boundary | None:
    """What `text[mark]`, one of MARKS, and the marks that follow it end.

    None means that the next characters decide and are not there yet; never if `final` or LOOKAHEAD of them are there.
    `text` begins where a piece begins. `in_quotes` says whether a straight double quote is open at `mark`.
    """
    limit = min(len(text), mark + LOOKAHEAD)
    known = final or limit == mark + LOOKAHEAD
    last, index = mark, mark + 1
    while index < limit and _belongs(text[index], text[last], in_quotes):
        if text[index] in MARKS:
            last = index
        index += 1
    end = index
    while end < limit and text[end].isspace():
        end += 1
    if end == limit and not known:
        return None
    strength = _strength(text, mark, last, index, end, limit, known)
    return None if strength is None else Boundary(strength, index, end)


def _belongs(char: str, mark: str, in_quotes: bool) -> bool:
    if char == "\n" or mark == "\n":
        return False
    if char in MARKS:
        return True
    if mark in CJK_SENTENCE_MARKS or mark in CJK_CLAUSE_MARKS:
        return char in CJK_CLOSERS or (char == '"' and in_quotes)
    return char in CLOSERS or (char == "“" and mark != "…")  # closes a German quotation


def _strength(text: str, mark: int, last: int, index: int, end: int, limit: int, known: bool) -> Strength | None:
    char, before = text[last], text[mark - 1 : mark]
    following = text[end:limit][:1]
    spaced = end > index or not following
    if char == "\n" or char in CJK_SENTENCE_MARKS:
        return Strength.SENTENCE
    if char in CJK_CLAUSE_MARKS:
        return Strength.NONE if before.isdigit() and following.isdigit() else Strength.CLAUSE
    if char == "…" or text[mark : last + 1].endswith(".."):
        return _ellipsis(char, following, spaced)
    if char == ".":
        if before and is_cjk(before):
            return Strength.SENTENCE
        return _full_stop(text, mark, end, limit, known) if spaced else _touching(before, following)
    if char in SENTENCE_MARKS:
        if not spaced:
            return Strength.SENTENCE if is_cjk(following) or following in OPENERS else Strength.NONE
        quoted = index > last + 1
        return Strength.CLAUSE if quoted and following.islower() else Strength.SENTENCE
    return _clause_mark(char, before, following, spaced)


def _ellipsis(char: str, following: str, spaced: bool) -> Strength:
    if spaced:
        return Strength.CLAUSE if following.islower() or is_cjk(following) else Strength.SENTENCE
    if char == "…" and following in OPENERS:
        return Strength.SENTENCE
    return Strength.CLAUSE if is_cjk(following) else Strength.NONE


def _touching(before: str, following: str) -> Strength:
    return Strength.SENTENCE if is_cjk(following) and not before.isdigit() else Strength.NONE


def _clause_mark(char: str, before: str, following: str, spaced: bool) -> Strength:
    numeric = before.isdigit() and following.isdigit()
    match char:
        case "—":
            ends = not numeric
        case "–" | "-":
            ends = spaced and before.isspace()
        case ",":
            ends = (spaced or is_cjk(following)) and not numeric
        case _:
            ends = spaced or is_cjk(following)
    return Strength.CLAUSE if ends else Strength.NONE


def _full_stop(text: str, mark: int, end: int, limit: int, known: bool) -> Strength | None:
    """A stop with white space after it: the end of a sentence, or of an abbreviation, an initial or a list number."""
    following = text[end:limit][:1]
    match = _TOKEN.search(text, max(0, mark - _LONGEST_TOKEN), mark)
    token = match.group() if match else ""
    if not following:
        return Strength.SENTENCE
    if _LIST_LABEL.fullmatch(token) and _begins_item(text[: mark - len(token)]):
        return Strength.NONE
    word = token.lower()
    if word in _ALWAYS_FOLLOWED or (word in _BEFORE_NUMBERS and following.isdigit()):
        return Strength.NONE
    if word in _EITHER or _ACRONYM.fullmatch(token):
        if following.islower():
            return Strength.NONE
        return _after_abbreviation(text, end, limit, known)
    return Strength.CLAUSE if following.islower() else Strength.SENTENCE


def _begins_item(before: str) -> bool:
    """True if a label that follows `before` stands at the beginning of a piece or behind the colon of a list."""
    return before.rstrip()[-1:] in (":", "：") or not any(char.isalnum() for char in before)


def _after_abbreviation(text: str, start: int, limit: int, known: bool) -> Strength | None:
    match = _WORD.match(text, start, limit)
    if match is None:
        return Strength.SENTENCE if text[start] in OPENERS else Strength.NONE
    undecided = limit - match.end() == 0 or (text[match.end()] in "'’" and limit - match.end() == 1)
    if undecided and not known:
        return None
    return Strength.SENTENCE if match.group().lower() in _SENTENCE_STARTERS else Strength.NONE
