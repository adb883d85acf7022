"""Puts cleaned characters together: one space where there was white space, a mark where a line or a cell ended."""

from services.orchestrator.characters import (
    CLAUSE_MARKS,
    CLOSERS,
    OPENERS,
    SENTENCE_MARKS,
    continues_letter,
    is_arrow,
    is_cjk,
    is_pictograph,
    is_wide,
)

_ENDED = SENTENCE_MARKS | CLAUSE_MARKS | OPENERS | frozenset("-")
_STICKS_TO_WORD = SENTENCE_MARKS | CLAUSE_MARKS | frozenset(")]”’»」』）】》")
_TYPOGRAPHIC_SPACES = frozenset("\u00a0\u202f\u3000")


class SpeechWriter:
    """Says what comes between two characters only when the second is known, so nothing ends in white space."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self.last = ""
        """The last character that went out, "" before the first."""
        self._last_word = ""  # the same, closing quotes and brackets not counted
        self._settle()

    def _settle(self) -> None:
        self._space = ""
        self._comma = False
        self._newlines = 0
        self._sentence_over = False
        self._gap = False
        self._gap_after_space = False

    def take(self) -> str:
        """What has gone out since the last call."""
        text = "".join(self._out)
        self._out.clear()
        return text

    @property
    def spaced(self) -> bool:
        """True if white space within a line follows the last character."""
        return bool(self._space) and not self._newlines

    @property
    def apart(self) -> bool:
        """True if anything, spoken or not, stood after the last character."""
        return bool(self._space or self._newlines or self._sentence_over or self._comma or self._gap)

    @property
    def in_word(self) -> bool:
        """True right after an ASCII letter or digit."""
        return self.last.isascii() and self.last.isalnum() and not self.apart

    def space(self, char: str = " ") -> None:
        """White space; a no-break or ideographic space stays what it is."""
        self._space = self._space or (char if char in _TYPOGRAPHIC_SPACES else " ")

    def newline(self) -> None:
        """A line ended. A sentence did too, unless the next line goes on with a small letter."""
        self._newlines += 1

    def end_sentence(self) -> None:
        """Something ended that is a sentence of its own: a list item, a heading, a row."""
        self._sentence_over = True

    def pause(self) -> None:
        """Something parted two words that are said one after the other: a cell's border, an arrow."""
        self._comma = True

    def gap(self) -> None:
        """Something was left out."""
        self._gap = True
        self._gap_after_space = self._gap_after_space or bool(self._space)

    def emit(self, char: str) -> None:
        if self.last:
            self._out.append(self._between(char))
        self._out.append(char)
        self.last = char
        if char not in CLOSERS:
            self._last_word = char
        self._settle()

    def character(self, char: str) -> None:
        """Emit `char` if it can be spoken, note that it was left out if not."""
        if is_arrow(char):
            self.pause()
        elif continues_letter(char):
            if self.last and not self.apart and (self.last.isalnum() or continues_letter(self.last)):
                self.emit(char)
        elif is_pictograph(char):
            self.gap()
        else:
            self.emit(char)

    def _between(self, char: str) -> str:
        if self._sentence_over or self._newlines:
            wrapped = self._newlines == 1 and not self._sentence_over and char.islower()
            return " " if wrapped else self._mark(".", "。")
        if self._comma and char not in _STICKS_TO_WORD:
            return self._mark(",", "，")
        if self._space:
            return "" if self._gap_after_space and char in _STICKS_TO_WORD else self._space
        if self._gap and char.isalnum() and not is_cjk(char) and not is_wide(self.last):
            return " " if self.last.isalnum() or self.last in _STICKS_TO_WORD else ""
        return ""

    def _mark(self, latin: str, cjk: str) -> str:
        mark = "" if self._last_word in _ENDED else cjk if is_wide(self._last_word) or is_wide(self.last) else latin
        return mark if is_wide(mark or self.last) else mark + " "
