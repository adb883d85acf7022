"""Which characters speech of unknown length speaks: by proportion, word by word, from the pace so far. Pure."""

import bisect
import unicodedata

FIRST_PACE_S = 0.065
"""Seconds that a letter takes before anything has been measured: fifteen a second."""
WIDE_WEIGHT = 3.5
"""Letters that a Chinese, Japanese or Korean character takes as long as."""
MARK_WEIGHT = 3.0
"""The pause at a punctuation mark inside a sentence."""
_MARKS = frozenset(".!?…,;:—。！？，、；：")
_LEARNING = 0.5


class Pace:
    """How long a letter takes in one stream; learns from every text that has been spoken."""

    def __init__(self, speed: float) -> None:
        self.seconds = FIRST_PACE_S / speed

    def learn(self, clock: "TextClock", seconds: float) -> None:
        """`clock`'s text took `seconds`."""
        if clock.weight:
            self.seconds += _LEARNING * (seconds / clock.weight - self.seconds)


class TextClock:
    """How far into `text` a voice of a pace has come after some seconds. `weight` is the text's length in letters."""

    def __init__(self, text: str, pace: Pace) -> None:
        self._pace = pace
        self._weights: list[float] = []
        self._ends: list[int] = []
        self.weight = 0.0
        for at, char in enumerate(text, start=1):
            self.weight += _weight(char)
            following = text[at : at + 1]
            if following and _ends_word(char, following):
                self._weights.append(self.weight)
                self._ends.append(at)

    def reached(self, seconds: float) -> int:
        """The offset after the last word that is spoken by then; never the text's end, which only its audio shows."""
        words = bisect.bisect_right(self._weights, seconds / self._pace.seconds)
        return self._ends[words - 1] if words else 0


def _weight(char: str) -> float:
    if char in _MARKS:
        return MARK_WEIGHT
    if char.isspace():
        return 0.5
    if not char.isalnum():
        return 0.0
    return WIDE_WEIGHT if _is_wide(char) else 1.0


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _ends_word(char: str, following: str) -> bool:
    """Whether a word ends between two characters: white space and marks go with the word before them."""
    if char.isspace():
        return not following.isspace()
    return _is_wide(char) and (following.isalnum() or _is_wide(following)) and following not in _MARKS
