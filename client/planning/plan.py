"""The whole plan of a machine: what every voice carries, how sure that is, and what it costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from client.planning.capacity import Capacity, Promise, Trials, capacity, splits
from client.planning.catalog import Machine, Prices
from client.planning.cost import hosted_minute, own_minute
from client.planning.fleet import CARD, memory_gb
from client.planning.simulation import Outcome, Scenario

DOUBT = 1.5
"""How far the figures of a card may be off, either way: a guess from how far published figures differ."""
LADDER_MS = (500.0, 600.0, 700.0, 800.0, 1000.0)
"""Other promises, to show what they would buy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePlan:
    """One voice engine on the machine. `slower` and `faster` are the sessions if its cards took DOUBT times as long, or
    that much less, `ladder` those of other promises by their ms. Costs are US dollars a minute of a session."""

    voice: str
    engine: str
    capacity: Capacity
    slower: int
    faster: int
    ladder: Sequence[tuple[float, int]]
    curve: Sequence[Outcome]
    ways: Sequence[Capacity]
    memory_gb: float
    memory_fits: bool
    own_minute: float | None
    hosted_minute: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked, and a plan for every voice."""

    scenario: Scenario
    promise: Promise
    cards: int
    voices: Sequence[VoicePlan]


def make_plan(
    scenario: Scenario,
    promise: Promise,
    prices: Prices,
    *,
    voices: Sequence[str],
    counts: Sequence[int],
    cards: int = 1,
    card_hour: float | None = None,
    hosted: float | None = None,
    on_outcome: Callable[[str, Outcome], None] = lambda _voice, _outcome: None,
) -> Plan:
    """Simulates all that the plan needs. `counts` are the sessions of the curve; `card_hour` and `hosted` (US dollars,
    a minute) go before the prices of the data."""
    found = []
    for voice in voices:
        asked = replace(scenario, voice=voice)
        trials = Trials(asked, partial(on_outcome, voice))
        most = capacity(trials, promise)
        hour = card_hour if card_hour is not None else _card_hour(scenario.machine, prices)
        ways = splits(asked, cards, promise) if cards > 1 else [most]
        memory = sum(memory_gb(scenario.machine, voice).values())
        found.append(
            VoicePlan(
                voice=voice,
                engine=scenario.machine.voices[voice].engine,
                capacity=most,
                slower=capacity(Trials(replace(asked, slower=DOUBT)), promise).sessions,
                faster=capacity(Trials(replace(asked, slower=1 / DOUBT)), promise).sessions,
                ladder=[(ms, capacity(trials, replace(promise, ms=ms)).sessions) for ms in LADDER_MS],
                curve=[trials.outcome(count) for count in counts],
                ways=ways,
                memory_gb=memory,
                memory_fits=memory <= scenario.machine.memory_gb.value,
                own_minute=None if hour is None else own_minute(hour, cards, ways[0].sessions),
                hosted_minute=hosted if hosted is not None else hosted_minute(prices, most.best),
            )
        )
    return Plan(scenario, promise, cards, found)


def has_card(machine: Machine) -> bool:
    """Whether anything runs on a card."""
    return CARD in machine.capacity


def _card_hour(machine: Machine, prices: Prices) -> float | None:
    price = prices.card_hour.get(machine.name)
    return None if price is None else price.value
