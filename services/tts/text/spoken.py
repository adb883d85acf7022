"""Text on its way to phonemes that never forgets where each character came from."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Self

_WORD = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Spoken:
    """A rewritten `text`, character by character tied to the source it was made from.

    `origins` has one entry a character and one for the end: the offset in the source (Unicode code points) up to which
    everything is spoken once all characters before this one are. It never decreases; the last entry is the source's
    length. A word that replaces others counts as spoken only at its end.
    """

    text: str
    origins: tuple[int, ...]

    @classmethod
    def of(cls, source: str) -> Self:
        """The source itself, unchanged."""
        return cls(source, tuple(range(len(source) + 1)))

    def sub(self, pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str]) -> "Spoken":
        """Replaces every match; where the replacement is a part of the match, its characters keep their origins."""
        parts: list[str] = []
        origins: list[int] = []
        at = 0
        for match in pattern.finditer(self.text):
            new = replacement(match) if callable(replacement) else match.expand(replacement)
            parts.append(self.text[at : match.start()])
            origins += self.origins[at : match.start()]
            parts.append(new)
            kept = match.group().find(new) if new else -1
            if kept >= 0:
                first = match.start() + kept
                origins += self.origins[first : first + len(new)]
            else:
                origins += [self.origins[match.start()]] * len(new)
            at = match.end()
        parts.append(self.text[at:])
        return Spoken("".join(parts), (*origins, *self.origins[at:]))

    def rewritten(self, text: str) -> "Spoken":
        """The same source as `text`, which somebody else's normaliser made of this: words they share are matched."""
        if text == self.text:
            return self
        old, new = _WORD.findall(self.text), _WORD.findall(text)
        starts = [0]
        for word in old:
            starts.append(starts[-1] + len(word))
        origins: list[int] = []
        for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag == "equal":
                origins += self.origins[starts[old_from] : starts[old_to]]
            else:
                length = sum(len(word) for word in new[new_from:new_to])
                origins += [self.origins[starts[old_from]]] * length
        return Spoken(text, (*origins, self.origins[-1]))
