"""Runs a fleet with so many sessions for so long, and sums up what people heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

import numpy as np

from client.planning.catalog import Machine, Talk
from client.planning.fleet import ONE_CARD, STAGES, Fleet, Placement
from client.planning.records import Log
from client.planning.session import Session
from client.planning.sharing import Timeline, Usage

WARM_UP_S = 20.0
STAGGER_S = 10.0
"""Sessions begin within this time, so that their turns do not fall together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is simulated: `sessions` at once for `seconds` behind the warm-up."""

    machine: Machine
    talk: Talk
    voice: str
    sessions: int
    seconds: float = 180.0
    placement: Placement = ONE_CARD
    drafts: bool = True
    network_s: float = 0.0
    """Both ways together, added to every answer."""
    slower: float = 1.0
    """Factor on all work on cards: what if the data are too good?"""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a stage was: the share of the time that it had work, of its processor that it got, the jobs in it on
    average, and the seconds that its critical jobs took longer than alone, mean and 95th percentile."""

    busy: float
    processor: float
    jobs: float
    delay_s: float
    delay_p95_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a scenario. Latencies in ms, from the last audible sample said to the first heard; NaN where no turn
    was answered. `plain_ms` are those of turns whose end was plain: what the others take longer is patience, not load.
    `decided_ms` run from the decision that the turn is over."""

    sessions: int
    seconds: float
    turns: int
    latencies_ms: Sequence[float]
    plain_ms: Sequence[float]
    decided_ms: Sequence[float]
    doubtful_share: float
    drafts_kept: float
    drafts_skipped: int
    gap_share: float
    cut_offs: int
    interruptions: int
    failed: int
    speech_s: float
    reply_s: float
    loads: Mapping[str, Load]
    processors: Mapping[str, float]
    usage: Mapping[str, Usage]

    def p(self, percent: float, *, plain: bool = False) -> float:
        """A percentile of the latencies, in ms."""
        return percentile(self.plain_ms if plain else self.latencies_ms, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """A percentile, linear between the values beside it; NaN where there are none."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


def simulate(scenario: Scenario) -> Outcome:
    """Runs a scenario. The same scenario gives the same outcome."""
    timeline = Timeline()
    fleet = Fleet(
        timeline,
        scenario.machine,
        scenario.voice,
        scenario.placement,
        scenario.sessions,
        slower=scenario.slower,
    )
    log = Log(since=WARM_UP_S)
    for number in range(scenario.sessions):
        session = Session(number, fleet, scenario.talk, log, str(scenario.seed), scenario.drafts)
        session.begin(Random(f"{scenario.seed}/{number}/start").uniform(0.0, STAGGER_S))  # noqa: S311
    total_s = WARM_UP_S + scenario.seconds
    timeline.run_until(total_s)
    for processor in fleet.processors.values():
        processor.settle()
    network_ms = scenario.network_s * 1000
    turns = log.turns
    return Outcome(
        sessions=scenario.sessions,
        seconds=scenario.seconds,
        turns=len(turns),
        latencies_ms=[turn.voice_to_voice_s * 1000 + network_ms for turn in turns],
        plain_ms=[turn.voice_to_voice_s * 1000 + network_ms for turn in turns if turn.plain],
        decided_ms=[turn.after_decision_s * 1000 + network_ms for turn in turns],
        doubtful_share=sum(not turn.plain for turn in turns) / len(turns) if turns else 0.0,
        drafts_kept=sum(turn.draft for turn in turns) / len(turns) if turns else 0.0,
        drafts_skipped=log.drafts_skipped,
        gap_share=log.replies_with_gaps / log.replies if log.replies else 0.0,
        cut_offs=log.cut_offs,
        interruptions=log.interruptions,
        failed=log.failed,
        speech_s=sum(turn.speech_s for turn in turns),
        reply_s=log.reply_s,
        loads={
            name: _load(fleet.stages[name].usage, [turn.delays.get(name, 0.0) for turn in turns], total_s)
            for name in STAGES
        },
        processors={
            name: processor.used_s / total_s / processor.capacity for name, processor in fleet.processors.items()
        },
        usage={name: stage.usage for name, stage in fleet.stages.items()},
    )


def first_to_saturate(outcome: Outcome) -> str:
    """The stage that makes people wait longest beyond what it takes alone."""
    return max(STAGES, key=lambda name: outcome.loads[name].delay_p95_s)


def placements(cards: int, stages: Sequence[str] = ("stt", "llm", "tts")) -> list[Placement]:
    """Every way to put the stages on exactly so many cards; cards are alike, so their order does not count."""
    found: list[Placement] = []

    def place(index: int, used: int, of: dict[str, int]) -> None:
        if index == len(stages):
            if used == cards:
                found.append(Placement(cards, dict(of)))
            return
        for card in range(min(used + 1, cards)):
            place(index + 1, max(used, card + 1), {**of, stages[index]: card})

    place(0, 0, {})
    return [next(same) for _, same in groupby(found, key=lambda each: each.text)]


def _load(usage: Usage, delays: Sequence[float], total_s: float) -> Load:
    return Load(
        busy=usage.busy_s / total_s,
        processor=usage.card_s / total_s,
        jobs=usage.jobs_s / total_s,
        delay_s=float(np.mean(delays)) if delays else 0.0,
        delay_p95_s=float(np.percentile(delays, 95)) if delays else 0.0,
    )
