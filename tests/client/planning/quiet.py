"""Machines and talk of the simulation without chance, so that a test can do the sums."""

from dataclasses import replace

from client.planning import catalog
from client.planning.catalog import Machine, Talk
from client.planning.figures import Distribution, Figure, Kind, Origin

TEST = Origin("test", Kind.ASSUMED, "a test")


def figure(value: float) -> Figure:
    return Figure(value, TEST)


def always(value: float) -> Distribution:
    return Distribution("constant", (value, value), float("-inf"), float("inf"), TEST)


def quiet_machine(name: str = "cpu") -> Machine:
    """Jobs take exactly what the figures say."""
    return replace(catalog.machine(name), noise=figure(0), session_demand=figure(0))


def plain_talk(**changes: object) -> Talk:
    """Everybody asks the same question of ten words in 2.5 s, waits 1 s, and gets 14 words in two pieces."""
    talk = Talk(
        title="test",
        sentences=("What is the best way from here to the station?",),
        words_per_s=always(4),
        think_s=always(1),
        pause_share=figure(0),
        pause_s=always(0.5),
        done_probability=always(0.95),
        undone_probability=always(0.05),
        reply_words=always(14),
        first_clause_words=always(6),
        clause_words=always(8),
        tokens_per_word=figure(1),
        voice_words_per_s=figure(2.8),
        interrupt_share=figure(0),
        backchannel_share=figure(0),
    )
    return replace(talk, **changes)  # type: ignore[arg-type]
