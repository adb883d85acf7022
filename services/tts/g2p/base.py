"""What turns text into phonemes: one phonemizer a language."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

PAUSE_PHONEMES = frozenset(' ;:,.!?—…"()“”')
"""Symbols of the phoneme alphabet that are not sounds."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The phonemes of one word or mark. Once they are heard, the source is spoken up to offset `end`.

    `phonemes` are characters of Kokoro's alphabet; none where a word is silent. In a list of segments `end` never
    decreases, and is an offset in Unicode code points.
    """

    phonemes: str
    end: int

    @property
    def is_pause(self) -> bool:
        """Whether no sound is made: punctuation, a space, or nothing."""
        return all(char in PAUSE_PHONEMES for char in self.phonemes)


def words(listing: str) -> list[str]:
    """Words listed in one string, apart by spaces."""
    return listing.split()


class Phonemizer(Protocol):
    """Text to phonemes for one language. Blocking; may be called from several threads at once."""

    def __call__(self, text: str) -> list[Segment]:
        """The segments of `text`, in order; no sound in any of them where nothing of it can be said."""
        ...


def fit(segments: Sequence[Segment], limit: int) -> list[list[Segment]]:
    """Groups of segments with at most `limit` phonemes each, cut after punctuation where possible.

    A segment longer than `limit` is cut itself; only its last part ends where it ends.
    """
    groups: list[list[Segment]] = [[]]
    length = 0
    for segment in _shortened(segments, limit):
        if length + len(segment.phonemes) > limit:
            kept, carried = _break(groups[-1])
            groups[-1] = kept
            groups.append(carried)
            length = sum(len(each.phonemes) for each in carried)
            if length + len(segment.phonemes) > limit:
                groups.append([])
                length = 0
        groups[-1].append(segment)
        length += len(segment.phonemes)
    return [group for group in groups if group]


def _shortened(segments: Sequence[Segment], limit: int) -> list[Segment]:
    short: list[Segment] = []
    start = 0
    for segment in segments:
        parts = [segment.phonemes[at : at + limit] for at in range(0, len(segment.phonemes), limit)] or [""]
        short += [Segment(part, start) for part in parts[:-1]]
        short.append(Segment(parts[-1], segment.end))
        start = segment.end
    return short


def _break(group: list[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Splits after the last punctuation of the second half, so that what follows starts a phrase."""
    for at in range(len(group) - 1, len(group) // 2 - 1, -1):
        if group[at].is_pause and group[at].phonemes.strip():
            return group[: at + 1], group[at + 1 :]
    return group, []
