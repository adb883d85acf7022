"""Interruptions judged: how soon the reply fell silent, and whether the history holds the words that were heard. Pure.

Every time is in milliseconds after the first audible sample of the interruption was sent, never below 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate

from client.bench.statistics import Spread, spread
from services.stt.word_errors import normalized, word_errors


class Listener(Enum):
    """What the client does when the reply is interrupted."""

    REPORTING = "reporting"
    """Asks for voxfleet's extensions: is held when told so, and reports where its loudspeaker is."""
    TRUNCATING = "truncating"
    """Plays on until `speech_started`, then says with `conversation.item.truncate` what was heard, as OpenAI's do."""
    PLAIN = "plain"
    """Plays on until `speech_started` and says nothing of it."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """One attempt to interrupt a reply, `at_ms` into what was heard of it.

    `recognised`: the reply was cancelled because of it. `last_received_ms`: arrival of the last audio of the reply;
    `received_ms`: the length of all audio of it that arrived after the start of the speech. `silent_ms`: its last
    sample was played, by a loudspeaker that stops when it is told to; `unstopped_ms` by one that plays all it gets.
    `told_ms`: the client was told to hold or to stop (None: never). `played_ms`: the length of all that the obedient
    loudspeaker played of the reply. `sent` is the text of all audio that was sent, `history` what the conversation
    keeps of it (None: it does not say), `heard` what a recogniser understands of the audio that was played. `failure`:
    why nothing of this is known.
    """

    listener: Listener
    at_ms: float = 0.0
    recognised: bool = False
    last_received_ms: float = 0.0
    received_ms: float = 0.0
    silent_ms: float = 0.0
    unstopped_ms: float = 0.0
    told_ms: float | None = None
    played_ms: float = 0.0
    understood: str = ""
    sent: str = ""
    history: str | None = None
    heard: str = ""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class WordMatch:
    """History against ears. `kept` words are in the history; `heard` words of the sent text were played, by the prefix
    of it that fits best to what the recogniser understood, and `understood` is how many words it understood itself.
    `edits` changes one of the two texts into the other."""

    kept: int
    heard: int
    understood: int
    edits: int

    @property
    def difference(self) -> int:
        """Words that the history has too many, or too few (negative)."""
        return self.kept - self.heard

    @property
    def raw_difference(self) -> int:
        """The same against the recogniser's own count, which errs where the audio ends inside a word."""
        return self.kept - self.understood


@dataclass(frozen=True, slots=True)
class WordSummary:
    """How far the history is from what was heard, over `count` interruptions, in words."""

    count: int
    exact: int
    within_one: int
    mean: float
    max: int
    raw_within_one: int
    raw_mean: float
    raw_max: int
    edits_mean: float
    edits_max: int


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The figures of one kind of client. Spreads are over the interruptions that were recognised; None without any."""

    listener: Listener
    attempts: int
    recognised: int
    failures: tuple[str, ...]
    told: Spread | None
    last_received: Spread | None
    received: Spread | None
    silent: Spread | None
    unstopped: Spread | None
    words: WordSummary | None


def prefix_heard(sent: Sequence[str], understood: Sequence[str]) -> int:
    """How many words of `sent` were heard by somebody who understood `understood`.

    The prefix with the fewest wrong letters, so that a word which the end of the audio cuts counts as far as it was
    heard; of several the one with the most similar number of words.
    """
    errors = _prefix_errors(" ".join(understood), " ".join(sent))
    ends = [0, *accumulate(len(word) + 1 for word in sent)]
    return min(range(len(ends)), key=lambda count: (errors[max(0, ends[count] - 1)], abs(len(understood) - count)))


def match_words(interruption: Interruption) -> WordMatch | None:
    """Compares the words; None where the history is not known or the interruption was not one."""
    if interruption.history is None or not interruption.recognised:
        return None
    kept, understood = normalized(interruption.history), normalized(interruption.heard)
    heard = prefix_heard(normalized(interruption.sent), understood)
    return WordMatch(len(kept), heard, len(understood), word_errors(understood, kept))


def summarize_words(matches: Sequence[WordMatch]) -> WordSummary | None:
    """The figures of all comparisons; None where there are none."""
    if not matches:
        return None
    off = [abs(match.difference) for match in matches]
    raw = [abs(match.raw_difference) for match in matches]
    edits = [match.edits for match in matches]
    count = len(matches)
    return WordSummary(
        count=count,
        exact=sum(each == 0 for each in off),
        within_one=sum(each <= 1 for each in off),
        mean=sum(off) / count,
        max=max(off),
        raw_within_one=sum(each <= 1 for each in raw),
        raw_mean=sum(raw) / count,
        raw_max=max(raw),
        edits_mean=sum(edits) / count,
        edits_max=max(edits),
    )


def summarize_barge_in(interruptions: Iterable[Interruption]) -> list[BargeIn]:
    """One summary for each kind of client, in the order in which they first appear."""
    by_listener: dict[Listener, list[Interruption]] = {}
    for each in interruptions:
        by_listener.setdefault(each.listener, []).append(each)
    return [_summarize(listener, attempts) for listener, attempts in by_listener.items()]


def _prefix_errors(text: str, whole: str) -> list[int]:
    """The Levenshtein distance from `text` to each prefix of `whole`, the empty one first."""
    row = list(range(len(whole) + 1))
    for i, wanted in enumerate(text, 1):
        diagonal, row[0] = row[0], i
        for j, char in enumerate(whole, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != char))
    return row


def _summarize(listener: Listener, attempts: Sequence[Interruption]) -> BargeIn:
    known = [each for each in attempts if each.failure is None]
    hits = [each for each in known if each.recognised]
    return BargeIn(
        listener=listener,
        attempts=len(attempts),
        recognised=len(hits),
        failures=tuple(each.failure for each in attempts if each.failure is not None),
        told=spread(each.told_ms for each in hits if each.told_ms is not None),
        last_received=spread(each.last_received_ms for each in hits),
        received=spread(each.received_ms for each in hits),
        silent=spread(each.silent_ms for each in hits),
        unstopped=spread(each.unstopped_ms for each in hits),
        words=summarize_words([match for each in hits if (match := match_words(each)) is not None]),
    )
