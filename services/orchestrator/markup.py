"""Stretches of markup that are passed over without being spoken, and how they end.

A skipper is asked with the text that is next. It answers how many characters to throw away and whether the stretch is
over; (0, False) means that it cannot tell yet. `complete` says that no more text will come into this view. An answer
given early is the one that would be given with more text at hand, so the result does not depend on how text arrives.
"""

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

FENCE_LENGTH = 3
_RULE_LENGTH = 3
_LONGEST_HEADING = 6
_BULLETS = frozenset("•◦▪‣●○■□·")


class Skipper(Protocol):
    def skip(self, view: str, complete: bool) -> tuple[int, bool]: ...


def run_length(view: str) -> int:
    """How often the first character of `view` is repeated at its start."""
    return len(view) - len(view.lstrip(view[0]))


@dataclass(frozen=True, slots=True)
class LineMark:
    """What a line begins with and nobody says."""

    length: int
    """Characters, 0 if there is no such mark."""
    ends_sentence: bool = True
    """The line before it is a sentence of its own."""
    one_line: bool = False
    """So is this line: a heading or a table row."""
    fence: bool = False
    """A code block begins."""


_NO_MARK = LineMark(0)


def line_mark(view: str, complete: bool) -> LineMark | None:
    """The list, quote, heading, rule or table mark that the line begins with; None if it takes more text to tell."""
    char = view[0]
    if char in _BULLETS or char == "|":
        return LineMark(1, one_line=char == "|")
    if char not in "#>:-–+*_=~":
        return _NO_MARK
    run = run_length(view)
    if run == len(view) and not complete:
        return None
    following = view[run : run + 1]
    alone = not following or following.isspace()
    bullet = run == 1 and alone
    match char:
        case "#" if run <= _LONGEST_HEADING and alone:
            return LineMark(run, one_line=True)
        case ">" if not following.isdigit() and following != "=":
            return LineMark(run, ends_sentence=False)
        case ":" if following and following in "-|\n":
            return LineMark(run)
        case "~" if run >= FENCE_LENGTH:
            return LineMark(run, fence=True)
        case "_" | "=" if run >= _RULE_LENGTH:
            return LineMark(run, ends_sentence=alone)
        case "-" if run >= _RULE_LENGTH or bullet or following in "|:" or (run == 1 and following.isalpha()):
            return LineMark(run)
        case "*" if run >= _RULE_LENGTH or bullet:
            return LineMark(run, ends_sentence=alone)
        case "+" | "–" if bullet:
            return LineMark(run)
        case _:
            return _NO_MARK


@dataclass(slots=True)
class Bracketed:
    """The inside of a link target, a reference or a tag, up to the bracket that closes it or the end of the line."""

    opener: str
    closer: str
    depth: int = 1

    def skip(self, view: str, complete: bool) -> tuple[int, bool]:
        for index, char in enumerate(view):
            if char == "\n":
                return index, True
            if char == self.closer:
                self.depth -= 1
                if self.depth == 0:
                    return index + 1, True
            elif char == self.opener:
                self.depth += 1
        return len(view), False


@dataclass(slots=True)
class UntilText:
    """A comment or an element that is not for reading, up to and with its end mark (any case)."""

    end: str

    def skip(self, view: str, complete: bool) -> tuple[int, bool]:
        found = view.lower().find(self.end)
        if found >= 0:
            return found + len(self.end), True
        return (len(view) if complete else max(0, len(view) - len(self.end) + 1)), False


@dataclass(slots=True)
class UrlRest:
    """What is left of an address that was too long to be held."""

    def skip(self, view: str, complete: bool) -> tuple[int, bool]:
        used = len(view) - len(view.lstrip(_URL_CHARACTERS))
        return used, used < len(view)


@dataclass(slots=True)
class Fenced:
    """A code block, up to a fence on a line of its own, or a fence on the line where it began."""

    mark: str
    at_line_start: bool = False
    on_first_line: bool = True

    def skip(self, view: str, complete: bool) -> tuple[int, bool]:
        index = 0
        while index < len(view):
            char = view[index]
            if char == self.mark and (self.at_line_start or self.on_first_line):
                run = run_length(view[index:])
                if index + run == len(view) and not complete:
                    return index, False
                if run >= FENCE_LENGTH:
                    return index + run, True
                self.at_line_start = False
                index += run
                continue
            if char == "\n":
                self.at_line_start, self.on_first_line = True, False
            elif char not in " \t>":
                self.at_line_start = False
            index += 1
        return index, False


URL_PREFIXES = ("https://", "http://", "www.")
_URL_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"
_URL = re.compile(f"[{re.escape(_URL_CHARACTERS)}]*")
_FILE_WORDS = frozenset({"index", "html", "htm", "php", "asp", "aspx"})
_LONGEST_SPOKEN_NUMBER = 4


def url_at(view: str) -> str:
    """The address at the start of `view`, without the punctuation of the sentence around it."""
    match = _URL.match(view)
    url = match.group().rstrip(".,;:!?'*_") if match else ""
    while url.endswith((")", "]")) and url.count("(") < url.count(")") + url.count("]"):
        url = url[:-1].rstrip(".,;:!?'*_")
    return url


def url_reaches_end(view: str) -> bool:
    return _URL.fullmatch(view) is not None


def spoken_url(url: str) -> str:
    """Host and path words: "https://www.example.com/news/my-day_2.html?id=7" → "example.com news my day 2".

    Query, fragment, user and port are left out, and so are path words that are identifiers rather than words.
    """
    address = re.sub(r"^(https?://)?(www\.)?", "", url, flags=re.IGNORECASE)
    location, _, path = re.split(r"[?#]", address, maxsplit=1)[0].partition("/")
    host = re.split(r"[^A-Za-z0-9.-]", location.rpartition("@")[2], maxsplit=1)[0]
    words = (word for word in re.split(r"[\W_]+", unquote(path)) if word and word.lower() not in _FILE_WORDS)
    spoken = (word for word in words if word.isalpha() or (word.isdigit() and len(word) <= _LONGEST_SPOKEN_NUMBER))
    return " ".join((host, *spoken))
