"""Cuts a piece of text into units: what the model speaks in one go. Pure."""

import re
from dataclasses import dataclass

SENTENCE_MARKS = ".!?…。！？"
CLAUSE_MARKS = ",;:—，、；："
_CLOSERS = "\"'”’)]»」』】）*_"
# A mark ends a sentence where white space follows (Latin) or at once (CJK).
_SENTENCE_END = re.compile(rf"[.!?…]+[{re.escape(_CLOSERS)}]*(?=\s)|[。！？]+[{re.escape(_CLOSERS)}]*|\n+")
_CLAUSE_END = re.compile(r"[,;:—][" + re.escape(_CLOSERS) + r"]*(?=\s)|[，、；：]+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"“])(?:[A-Za-zÀ-ÿ]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|vs|etc|approx|e\.g|i\.e|Sra?|Srta|Dra?|Ud|Uds|Mme|Mlle|M)\.$"
)
_ORDINAL_MARK = re.compile(r"(?:^|\n)\s*\d{1,3}\.$")


@dataclass(frozen=True, slots=True)
class Unit:
    """Characters `start` to `end` of a piece (Unicode code points)."""

    start: int
    end: int


def units(text: str, limit: int, first_limit: int) -> list[Unit]:
    """Units of at most `limit` characters that cover `text` without gap; the first has at most `first_limit` if it can.

    Cuts after sentences; where a sentence is longer than its limit after a clause, else after a word, else anywhere.
    The first unit's limit is soft (the shorter it is the sooner it sounds): it is only cut after a clause.
    """
    found: list[Unit] = []
    start = 0
    for stop in [*_sentence_ends(text), len(text)]:
        if stop == start:
            continue
        if not found and stop - start > first_limit:
            early = _last_clause(text, start, min(stop, start + min(first_limit, limit)))
            if early is not None:
                found.append(Unit(start, early))
                start = early
        while stop - start > limit:
            cut = _cut(text, start, start + limit)
            found.append(Unit(start, cut))
            start = cut
        if stop > start:
            found.append(Unit(start, stop))
        start = stop
    return found


def _sentence_ends(text: str) -> list[int]:
    ends = []
    for match in _SENTENCE_END.finditer(text):
        before = text[: match.end()]
        if match.group() == "." and (_ABBREVIATION.search(before[-12:]) or _ORDINAL_MARK.search(before[-8:])):
            continue
        following = text[match.end() :].lstrip()
        if match.group()[0] in ".…" and following[:1].islower():
            continue
        # White space after the mark goes with the sentence it ends.
        end = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip())
        if text[:end].strip() and end < len(text):
            ends.append(end)
    return ends


def _last_clause(text: str, start: int, stop: int) -> int | None:
    ends = [match.end() for match in _CLAUSE_END.finditer(text, start, stop)]
    return ends[-1] if ends else None


def _cut(text: str, start: int, stop: int) -> int:
    clause = _last_clause(text, start, stop)
    # A cut in the first third would leave a scrap and win nothing.
    if clause is not None and clause - start > (stop - start) // 3:
        return clause
    space = text.rfind(" ", start, stop)
    return space + 1 if space > start else stop
