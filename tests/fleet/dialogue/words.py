"""Texts compared as a listener would: by their words, Chinese by its sound. Pure."""

import re
from collections.abc import Sequence

from pypinyin import lazy_pinyin

from services.stt.word_errors import normalized, word_errors

_HAN = re.compile("([\u4e00-\u9fff]+)")


def words(text: str) -> list[str]:
    """The words of `text`: lower case, numbers below 100 spelt out; of Chinese its syllables without tones.

    A recogniser writes homophones, and traditional characters as often as simplified ones.
    """
    parts: list[str] = []
    for index, part in enumerate(_HAN.split(text)):
        parts += lazy_pinyin(part) if index % 2 else normalized(part)
    return parts


def contains(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` follow each other in `text`."""
    said, wanted = words(text), words(phrase)
    return any(said[start : start + len(wanted)] == wanted for start in range(len(said) - len(wanted) + 1))


def closest_prefix(pattern: Sequence[str], sequence: Sequence[str]) -> tuple[int, int]:
    """Length of the prefix of `sequence` that is most like `pattern`, and the words in which they differ.

    Of several that of about the same length as `pattern`.
    """
    distances = [(word_errors(pattern, sequence[:length]), length) for length in range(len(sequence) + 1)]
    distance, length = min(distances, key=lambda each: (each[0], abs(each[1] - len(pattern))))
    return length, distance
