"""How many sessions keep a promise: the largest number whose 95th percentile stays within it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from client.planning.fleet import ONE_CARD, Placement
from client.planning.simulation import Outcome, Scenario, percentile, placements, simulate

MAX_GAPS = 0.01
"""Share of replies that may have a gap: who hears one in a hundred takes it for the network."""
MAX_SESSIONS = 400
PERCENT = 95


class Since(StrEnum):
    """From when on a listener's waiting is counted."""

    SPEECH = "speech"
    """The last audible sample that was said, over turns whose end was plain."""
    EVERY = "every"
    """The same over every turn, with those in which the endpointing waited on purpose."""
    DECISION = "decision"
    """The decision that the turn is over; it waits for the reply, for up to 0.6 s of silence (ADR 9)."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Voice to voice at the 95th percentile within `ms`."""

    ms: float = 500.0
    since: Since = Since.SPEECH

    def latency_ms(self, outcome: Outcome, percent: float = PERCENT) -> float:
        """The latency that is promised, as it came out."""
        values = {
            Since.SPEECH: outcome.plain_ms,
            Since.EVERY: outcome.latencies_ms,
            Since.DECISION: outcome.decided_ms,
        }
        return percentile(values[self.since], percent)

    def is_kept(self, outcome: Outcome) -> bool:
        """Whether people heard what was promised, without gaps and without waiting in vain."""
        # A percentile of nothing is no number, and keeps no promise.
        return self.latency_ms(outcome) <= self.ms and outcome.gap_share <= MAX_GAPS and not outcome.failed


class Trials:
    """One scenario with any number of sessions; each number is simulated once."""

    def __init__(self, scenario: Scenario, on_outcome: Callable[[Outcome], None] = lambda _: None) -> None:
        self.scenario = scenario
        self._on_outcome = on_outcome
        self._outcomes: dict[int, Outcome] = {}

    def outcome(self, sessions: int) -> Outcome:
        """What becomes of so many sessions."""
        if sessions not in self._outcomes:
            # A few sessions have few turns: they talk longer, so that a percentile rests on enough.
            seconds = self.scenario.seconds * max(1.0, min(10.0, 20 / sessions))
            found = simulate(replace(self.scenario, sessions=sessions, seconds=seconds))
            self._outcomes[sessions] = found
            self._on_outcome(found)
        return self._outcomes[sessions]


@dataclass(frozen=True, slots=True)
class Capacity:
    """`sessions` at most keep the promise; `best` is the outcome of that many, `beyond` of one step more (None at
    MAX_SESSIONS). 0 sessions where not even one does; `best` is then that one's outcome."""

    sessions: int
    best: Outcome
    beyond: Outcome | None
    placement: Placement


def capacity(trials: Trials, promise: Promise) -> Capacity:
    """Looks for the largest number of sessions, by doubling and then halving the interval."""

    def keeps(sessions: int) -> bool:
        return promise.is_kept(trials.outcome(sessions))

    low, high = 0, 1
    while high <= MAX_SESSIONS and keeps(high):
        low, high = high, high * 2
    high = min(high, MAX_SESSIONS + 1)
    while high - low > max(1, low // 32):
        middle = (low + high) // 2
        if keeps(middle):
            low = middle
        else:
            high = middle
    beyond = trials.outcome(high) if high <= MAX_SESSIONS else None
    return Capacity(low, trials.outcome(max(1, low)), beyond, trials.scenario.placement)


def splits(scenario: Scenario, cards: int, promise: Promise) -> Sequence[Capacity]:
    """What each way to use so many cards carries, the best first. A fleet copied whole on each card comes as ONE_CARD;
    its sessions are those of all copies."""
    alone = capacity(Trials(replace(scenario, placement=ONE_CARD)), promise)
    ways = [replace(alone, sessions=alone.sessions * cards)]
    if cards > 1:
        ways += [capacity(Trials(replace(scenario, placement=each)), promise) for each in placements(cards)]
    return sorted(ways, key=lambda way: -way.sessions)
