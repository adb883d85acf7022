"""Turns the text stream of a language model into text that a voice can read.

What is written for the eye goes: emphasis, headings, bullets, code ticks, HTML tags, emoji, table rules. A link is its
text, an image its description, an address its host and path words. A code block is left out with its content: nobody
wants code read out, and the sentence that introduces it remains. Table cells become a list with commas. Lines, list
items and table rows end as sentences. White space is one space. Letters, digits, punctuation, currency and mathematical
signs stay as they are, because the voice's own normaliser reads them in its language.
"""

import re
from collections.abc import Callable
from typing import Final

from services.orchestrator.characters import is_cjk
from services.orchestrator.markup import (
    FENCE_LENGTH,
    URL_PREFIXES,
    Bracketed,
    Fenced,
    LineMark,
    Skipper,
    UntilText,
    UrlRest,
    line_mark,
    run_length,
    spoken_url,
    url_at,
    url_reaches_end,
)
from services.orchestrator.speech_writer import SpeechWriter

HOLD_LIMIT: Final = 256
"""Most characters ever held back, reached only inside an address, a tag or a run of one mark, which are cut there.

In prose it is one character (a space, hyphen, dollar or exclamation mark, until the next one is known), or the start of
a word for as long as it could become "https://".
"""

_ENTITIES = {
    "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&#39;": "'", "&nbsp;": " ", "&ndash;": "–",
    "&mdash;": "—", "&hellip;": "…", "&euro;": "€", "&pound;": "£", "&deg;": "°", "&times;": "×",
}  # fmt: skip
_LINE_TAGS = frozenset({
    "blockquote", "br", "dd", "details", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "section", "summary", "table", "tr", "ul",
})  # fmt: skip
_CELL_TAGS = frozenset({"td", "th"})
_HIDDEN_TAGS = frozenset({"script", "style", "think"})

_RUNS = frozenset("_`-=")
"""Marks that mean something else when repeated."""

_REFERENCE = re.compile(r"\[\^?\d{1,3}\]")
_REFERENCE_START = re.compile(r"\[\^?\d{0,3}")
_CHECKBOX = re.compile(r"\[[ xX]\]")
_CHECKBOX_START = re.compile(r"\[[ xX]?")
_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
_TAG_CLOSED = re.compile(r"\s*/?>")
_TAG_ATTRIBUTE = re.compile(r"\s+[A-Za-z_:@][\w:.-]*\s*=")
_TAG_START = re.compile(r"\s*(/|[A-Za-z_:@][\w:.-]*\s*)?")


class SpeakableText:
    """Streaming cleaner. `push` each piece as it comes, `flush` once at the end; the same object then starts anew.

    The joined output depends on the joined input only, never on how it was cut. Output starts and ends without white
    space. At most HOLD_LIMIT characters wait for what follows them.
    """

    def __init__(self) -> None:
        self._marks: dict[str, Callable[[int, str], None]] = {
            "_": self._underscores, "`": self._backticks, "-": self._hyphens, "=": self._equals,
            "!": self._exclamation, "$": self._dollar, "#": self._hash, "@": self._at, "^": self._caret,
        }  # fmt: skip
        self._spans: dict[str, Callable[[str, bool], int | None]] = {
            "*": self._stars, "[": self._open_bracket, "]": self._close_bracket, "<": self._less_than,
            ">": self._greater_than, "&": self._ampersand, "|": self._cell_border, "｜": self._cell_border,
            "•": self._cell_border, "~": self._tilde, "～": self._tilde, "〜": self._tilde, "\\": self._drop,
            "{": self._drop, "}": self._drop,
        }  # fmt: skip
        self._reset()

    def _reset(self) -> None:
        self._held = ""
        self._writer = SpeechWriter()
        self._skipper: Skipper | None = None
        self._line_start = True
        self._line_is_block = False  # a heading or table row: it ends where its line ends
        self._in_code = False
        self._in_angle = False
        self._arrow = False  # its shaft was read, its head comes now
        self._open_brackets = 0

    def push(self, delta: str) -> str:
        """The text that is now certain; "" while all of it waits."""
        self._held += delta
        return self._clean(final=False)

    def flush(self) -> str:
        """What was still held, read as the end of the text."""
        rest = self._clean(final=True)
        self._reset()
        return rest

    def _clean(self, *, final: bool) -> str:
        held, position = self._held, 0
        while position < len(held):
            view = held[position : position + HOLD_LIMIT]
            used = self._consume(view, final or len(view) == HOLD_LIMIT)
            if used is None:
                break
            position += used
        self._held = held[position:]
        return self._writer.take()

    def _consume(self, view: str, complete: bool) -> int | None:
        """Deal with what `view` begins with; how many characters that was, or None to wait for more of them."""
        if self._skipper is not None:
            used, over = self._skipper.skip(view, complete)
            if over:
                self._skipper = None
            return used if used or over else None
        char = view[0]
        if char == "\n":
            self._newline()
            return 1
        if char.isspace():
            self._writer.space(char)
            return 1
        if self._line_start:
            mark = line_mark(view, complete)
            if mark is None:
                return None
            if mark.length:
                return self._begin_line(mark)
        if char in self._spans:
            return self._spans[char](view, complete)
        if char in self._marks:
            run = run_length(view) if char in _RUNS else 1
            if run == len(view) and not complete:
                return None
            self._marks[char](run, view[run : run + 1])
            return run
        if char in "hHwW" and not self._writer.in_word:
            url = self._url(view, complete)
            if url != 0:
                return url
        self._writer.character(char)
        self._line_start = False
        return 1

    def _emit(self, char: str) -> None:
        self._writer.emit(char)
        self._line_start = False

    # Lines.

    def _newline(self) -> None:
        self._writer.newline()
        if self._line_is_block:
            self._writer.end_sentence()
        self._line_start = True
        self._line_is_block = self._in_code = self._in_angle = False
        self._open_brackets = 0

    def _begin_line(self, mark: LineMark) -> int:
        if mark.ends_sentence:
            self._writer.end_sentence()
        if mark.fence:
            self._skipper = Fenced("~")
        self._line_is_block = self._line_is_block or mark.one_line
        return mark.length

    # Marks that the character after them decides about.

    def _underscores(self, run: int, following: str) -> None:
        before = self._writer.last
        if before.isalnum() and following.isalnum() and not (is_cjk(before) or is_cjk(following)):
            self._writer.space()

    def _backticks(self, run: int, following: str) -> None:
        if run >= FENCE_LENGTH:
            self._writer.end_sentence()
            self._skipper = Fenced("`")
        else:
            self._in_code = not self._in_code

    def _hyphens(self, run: int, following: str) -> None:
        option = self._in_code and (self._writer.spaced or not self._writer.last)
        if following == ">":
            self._arrow, self._line_start = True, False
        elif not option:
            for _ in range(run):
                self._emit("-")

    def _equals(self, run: int, following: str) -> None:
        spaced, joined = self._writer.spaced and following.isspace(), self._writer.in_word and following.isalnum()
        if following == ">":
            self._arrow, self._line_start = True, False
        elif run == 1 or spaced or joined:
            self._emit("=")

    def _exclamation(self, run: int, following: str) -> None:
        image = following == "[" and (self._writer.apart or not self._writer.last)
        if not image:
            self._emit("!")

    def _dollar(self, run: int, following: str) -> None:
        after_price = self._writer.last.isdigit() and not following.isalnum()
        of_a_country = self._writer.last.isupper() and not self._writer.apart
        if after_price or of_a_country or following.isdigit() or (following == "." and not self._writer.in_word):
            self._emit("$")

    def _hash(self, run: int, following: str) -> None:
        if following.isdigit() or (self._writer.last.isalpha() and not self._writer.apart):
            self._emit("#")

    def _at(self, run: int, following: str) -> None:
        if self._writer.in_word and following.isalnum():
            self._emit("@")

    def _caret(self, run: int, following: str) -> None:
        power_of_group = self._writer.last == ")" and not self._writer.apart
        if (self._writer.in_word or power_of_group) and (following.isalnum() or following in ("(", "-")):
            self._emit("^")

    # Marks that begin something longer. Each takes a view that starts with its mark and answers as `_consume` does.

    def _drop(self, view: str, complete: bool) -> int | None:
        self._writer.gap()
        return 1

    def _cell_border(self, view: str, complete: bool) -> int | None:
        self._writer.pause()
        return 1

    def _tilde(self, view: str, complete: bool) -> int | None:
        if len(view) < 2 and not complete:
            return None
        if view[1:2].isdigit():
            self._emit(view[0])
        return 1

    def _stars(self, view: str, complete: bool) -> int | None:
        run = run_length(view)
        spaced = view[run : run + 1].isspace()
        known = run + 1 + spaced
        if len(view) < known and not complete:
            return None
        following = view[known - 1 : known]
        product = self._writer.last.isalnum() or self._writer.last == ")"
        if spaced or self._writer.spaced:
            product = product and spaced and self._writer.spaced
        else:
            product = product and (self._in_code or (not self._writer.last.isalpha() and not following.isalpha()))
        if run == 1 and product and (following.isalnum() or following == "("):
            self._emit("×")
        return run

    def _open_bracket(self, view: str, complete: bool) -> int | None:
        whole, start = _REFERENCE, _REFERENCE_START
        if self._line_start and view[1:2] in (" ", "x", "X"):
            whole, start = _CHECKBOX, _CHECKBOX_START
        match = whole.match(view)
        length = match.end() if match else 1
        undecided = len(view) == length if match else start.fullmatch(view)
        if undecided and not complete:
            return None
        if match is None:
            self._open_brackets += 1
            return 1
        self._writer.gap()
        if view[length : length + 1] == "(":
            self._skipper = Bracketed("(", ")")
            return length + 1
        return length

    def _close_bracket(self, view: str, complete: bool) -> int | None:
        if not self._open_brackets:
            return 1
        if len(view) < 2 and not complete:
            return None
        self._open_brackets -= 1
        if view[1:2] == "(":
            self._skipper = Bracketed("(", ")")
            return 2
        if view[1:2] == "[":
            self._skipper = Bracketed("[", "]")
            return 2
        return 1

    def _ampersand(self, view: str, complete: bool) -> int | None:
        for entity, char in _ENTITIES.items():
            if view.startswith(entity):
                if char == " ":
                    self._writer.space()
                else:
                    self._emit(char)
                return len(entity)
            if entity.startswith(view) and not complete:
                return None
        self._emit("&")
        return 1

    def _greater_than(self, view: str, complete: bool) -> int | None:
        if self._arrow:
            self._arrow = False
            self._writer.pause()
        elif self._in_angle or self._in_code:
            self._in_angle = False
            self._writer.gap()
        else:
            self._emit(">")
        return 1

    def _less_than(self, view: str, complete: bool) -> int | None:
        if self._in_code:
            return self._drop(view, complete)
        if view.startswith("<!--"):
            self._skipper = UntilText("-->")
            return 4
        name = _TAG_NAME.match(view)
        undecided = name.end() == len(view) if name else view in ("<", "</", "<!", "<!-")
        if undecided and not complete:
            return None
        if name is not None:
            rest = view[name.end() :]
            closed = _TAG_CLOSED.match(rest)
            if closed is not None or _TAG_ATTRIBUTE.match(rest):
                self._tag(name.group(1).lower(), opening=view[1] != "/")
                if closed is not None:
                    return name.end() + closed.end()
                self._skipper = self._skipper or Bracketed("", ">")
                return name.end()
            if _TAG_START.fullmatch(rest) and not complete:
                return None
            if rest[:1] in (":", "@", "."):
                self._in_angle = True
                return 1
        self._emit("<")
        return 1

    def _tag(self, name: str, *, opening: bool) -> None:
        if name in _LINE_TAGS:
            self._writer.end_sentence()
        elif name in _CELL_TAGS:
            self._writer.pause()
        elif name in _HIDDEN_TAGS and opening:
            self._skipper = UntilText(f"</{name}>")

    def _url(self, view: str, complete: bool) -> int | None:
        """Length of the address at the start of `view`, 0 if there is none."""
        start = view[: len(URL_PREFIXES[0])].lower()
        if not start.startswith(URL_PREFIXES):
            return None if not complete and any(prefix.startswith(start) for prefix in URL_PREFIXES) else 0
        if url_reaches_end(view) and not complete:
            return None
        url = url_at(view)
        if len(view) == HOLD_LIMIT and url_reaches_end(view):
            url = view
            self._skipper = UrlRest()
        for char in spoken_url(url):
            if char == " ":
                self._writer.space()
            else:
                self._emit(char)
        return len(url)
