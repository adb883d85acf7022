"""Word error rate, on text that is written one way."""

import re
from collections.abc import Sequence

# fmt: off
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
# fmt: on
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPELLINGS = {"ok": "okay"}


def normalized(text: str) -> list[str]:
    """The words of English `text`: lower case, no punctuation but apostrophes, whole numbers below 100 spelt out."""
    words = re.sub(r"[^\w\s']", " ", text.lower().replace("’", "'")).split()
    return [spelt for word in words for spelt in _spelt(_SPELLINGS.get(word, word))]


def word_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Words to substitute, insert or delete to make one of the other (Levenshtein distance)."""
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != word))
    return row[-1]


def _spelt(word: str) -> list[str]:
    if not (word.isascii() and word.isdigit() and len(word) <= 2):
        return [word]
    tens, ones = divmod(int(word), 10)
    if tens < 2:
        return [_ONES[int(word)]]
    return [_TENS[tens - 2], *([_ONES[ones]] if ones else [])]
