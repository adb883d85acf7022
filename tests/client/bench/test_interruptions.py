"""Judging interruptions. Words are counted as the recogniser and the synthesiser may both have spelt them."""

import pytest

from client.bench.interruptions import (
    Interruption,
    Listener,
    WordMatch,
    match_words,
    prefix_heard,
    summarize_barge_in,
    summarize_words,
)

SENT = "Paris is the capital of France, and it has twenty-one districts."


def hit(
    history: str | None = "Paris is the", heard: str = "Paris is the", sent: str = SENT, **times: float
) -> Interruption:
    """An interruption that was recognised."""
    return Interruption(Listener.PLAIN, recognised=True, sent=sent, history=history, heard=heard, **times)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("understood", "words"),
    [
        ("", 0),
        ("Paris is the capital", 4),
        ("Paris is the capital of France. And it has 21", 11),  # a number in figures is the same words
        ("Harris is the capital", 4),  # a word misheard
        ("Paris is the cap", 4),  # audio that ends inside a word
        ("Paris is capital", 4),  # a word not heard
        ("Paris is the the capital", 4),  # a word heard twice
    ],
)
def test_the_beginning_that_fits_best_to_what_was_understood_was_heard(understood: str, words: int) -> None:
    match = match_words(hit(heard=understood))
    assert match is not None
    assert match.heard == words


def test_nothing_was_heard_of_nothing() -> None:
    assert prefix_heard([], ["noise"]) == 0
    assert match_words(hit(history="", heard="", sent="")) == WordMatch(0, 0, 0, 0)


def test_a_history_that_is_too_long_or_too_short_is_told_apart() -> None:
    too_long = match_words(hit("Paris is the capital of", "Paris is the"))
    too_short = match_words(hit("Paris is", "Paris is the"))
    assert too_long is not None
    assert too_short is not None
    assert (too_long.difference, too_long.edits) == (2, 2)
    assert (too_short.difference, too_short.edits) == (-1, 1)


def test_the_recognisers_own_count_is_kept_beside() -> None:
    match = match_words(hit("Paris is the capital", "Paris is the cap it all"))
    assert match is not None
    assert match == WordMatch(kept=4, heard=4, understood=6, edits=3)
    assert (match.difference, match.raw_difference) == (0, -2)


def test_what_is_not_known_is_not_compared() -> None:
    assert match_words(hit(history=None)) is None
    assert match_words(Interruption(Listener.PLAIN, recognised=False, history="Paris")) is None


def test_words_are_summed_up() -> None:
    found = summarize_words([WordMatch(5, 5, 5, 0), WordMatch(4, 5, 6, 2), WordMatch(8, 5, 5, 3)])
    assert found is not None
    assert (found.count, found.exact, found.within_one, found.max) == (3, 1, 2, 3)
    assert found.mean == pytest.approx(4 / 3)
    assert (found.raw_within_one, found.raw_max, found.edits_max) == (1, 3, 3)
    assert found.raw_mean == pytest.approx(5 / 3)
    assert summarize_words([]) is None


def test_times_are_those_of_interruptions_that_were_recognised() -> None:
    missed = Interruption(Listener.PLAIN, recognised=False, silent_ms=9_000, history="")
    lost = Interruption(Listener.PLAIN, failure="the connection was lost")
    held = Interruption(Listener.REPORTING, recognised=True, silent_ms=90, told_ms=80, history=None)
    plain, reporting = summarize_barge_in([hit(silent_ms=100), hit(silent_ms=200), missed, lost, held])
    assert plain.listener is Listener.PLAIN
    assert (plain.attempts, plain.recognised, plain.failures) == (4, 2, ("the connection was lost",))
    assert plain.silent is not None
    assert (plain.silent.p50, plain.silent.max, plain.silent.count) == (150, 200, 2)
    assert plain.told is None
    assert plain.words is not None
    assert plain.words.exact == 2
    assert reporting.told is not None
    assert reporting.told.p50 == 80
    assert reporting.words is None
