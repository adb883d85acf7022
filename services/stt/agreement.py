"""Local agreement: which part of a growing transcript will not change any more.

Two consecutive hypotheses that begin alike are right as far as they agree (LocalAgreement-2; Liu et al., "Low-Latency
Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection", Interspeech 2020). Text is
compared in units: a word where words are spaced, a character in Chinese and Japanese, and each punctuation mark, since
the end of a hypothesis often carries a full stop that the next one takes back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Kana and ideographs, as the inside of a character class."""
_UNIT = re.compile(rf"\s*(?:[{CJK}]|(?:(?![{CJK}])\w)+(?:['’\-](?:(?![{CJK}])\w)+)*|[^\w\s])")


def units(text: str) -> list[str]:
    """The units of `text`, each with the space before it: joined, they are the text less any space at its end."""
    return _UNIT.findall(text)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A transcript so far: `stable` will not change, `unstable` may."""

    stable: str
    unstable: str


class Agreement:
    """What has become stable of one utterance, whose audio is transcribed window after window.

    Within a window every hypothesis covers all audio from the window's start. `stable` only ever grows: each value
    begins with the one before it.
    """

    def __init__(self) -> None:
        self._before = ""  # of the windows that are settled
        self._stable: list[str] = []  # of this window
        self._previous: list[str] = []

    @property
    def stable(self) -> str:
        """All text that will not change."""
        return self._before + "".join(self._stable)

    def update(self, hypothesis: str) -> Hypothesis:
        """Takes the next hypothesis of this window."""
        current = units(hypothesis)
        rest, previous_rest = self._after_stable(current), self._after_stable(self._previous)
        agreed = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(rest, previous_rest, strict=False))]
        self._stable += agreed
        self._previous = current
        return Hypothesis(self.stable, "".join(rest[len(agreed) :]))

    def settle(self, text: str) -> None:
        """Ends the window with its final text. What was stable stays, what it lacked is added to it.

        Stable text from beyond the window's end (hypotheses saw audio that now belongs to the next one) is kept for
        the next window.
        """
        final = units(text)
        covered, distance = _closest_prefix(self._stable, final)
        overhang, overhang_distance = _closest_prefix(final, self._stable)
        if overhang_distance < distance:
            kept, carried = self._stable[:overhang], self._stable[overhang:]
        else:
            kept, carried = self._stable + final[covered:], []
        self._before += "".join(kept)
        self._stable = carried
        self._previous = list(carried)

    def _after_stable(self, hypothesis: Sequence[str]) -> list[str]:
        length = len(self._stable)
        if list(hypothesis[:length]) != self._stable:
            length, _ = _closest_prefix(self._stable, hypothesis)
        return list(hypothesis[length:])


def _closest_prefix(pattern: Sequence[str], sequence: Sequence[str]) -> tuple[int, int]:
    """Length of the prefix of `sequence` with the least edit distance to `pattern`, and that distance.

    Of equally close prefixes the longest: a unit too few is better than one said twice.
    """
    row = list(range(len(sequence) + 1))
    for i, wanted in enumerate(pattern, 1):
        diagonal, row[0] = row[0], i
        for j, unit in enumerate(sequence, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != unit))
    best = min(range(len(row)), key=lambda j: (row[j], -j))
    return best, row[best]
