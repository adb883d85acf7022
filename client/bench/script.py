"""What the sessions of a benchmark will do, planned before they begin. Pure: the same seed gives the same plan."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from client.bench.questions import Question

PAUSE_S = (1.0, 2.0)
"""Shortest and longest time that a person waits after a reply before the next question."""
STAGGER_S = 4.0
"""All sessions have begun after this time, evenly spread, so that their turns do not fall together."""


@dataclass(frozen=True, slots=True)
class SessionScript:
    """What one session does: it begins after `start_s`; each reply is followed by a pause in seconds."""

    start_s: float
    turns: Sequence[tuple[float, Question]]


def scripts(questions: Sequence[Question], sessions: int, turns: int, seed: str) -> list[SessionScript]:
    """The scripts of `sessions` sessions: a warm-up question and `turns` more in each, no question twice in a row."""
    return [_script(questions, number, sessions, turns + 1, f"{seed}/{number}") for number in range(sessions)]


def _script(questions: Sequence[Question], number: int, sessions: int, turns: int, seed: str) -> SessionScript:
    dice = random.Random(seed)  # noqa: S311 - a plan, not a secret
    # The first begins at once; each of the others at a random instant of its own share of the time.
    start_s = (number + dice.random()) * STAGGER_S / sessions if number else 0.0
    said = itertools.islice(_shuffled(questions, dice), turns)
    return SessionScript(start_s, [(dice.uniform(*PAUSE_S), each) for each in said])


def _shuffled(questions: Sequence[Question], dice: random.Random) -> Iterator[Question]:
    last: Question | None = None
    while True:
        order = dice.sample(questions, len(questions))
        if order[0] is last:
            order.reverse()
        yield from order
        last = order[-1]
