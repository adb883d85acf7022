"""The plan for people, as tables at most 100 columns wide, and for programs. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from client.bench.report import UNKNOWN, new_table, titled
from client.planning.capacity import Promise, Since
from client.planning.catalog import Prices, origins
from client.planning.fleet import CARD, STAGES, memory_gb
from client.planning.plan import DOUBT, Plan, VoicePlan, has_card
from client.planning.simulation import Outcome, first_to_saturate
from client.planning.validation import CALIBRATED, Comparison

SINCE: Mapping[Since, str] = {
    Since.SPEECH: "after the last audible sample, turns whose end is plain",
    Since.EVERY: "after the last audible sample, every turn",
    Since.DECISION: "after the decision that the turn is over",
}


def tables(plan: Plan, comparisons: Sequence[Comparison]) -> list[RenderableType]:
    """Everything that the command prints, in its order."""
    scenario, promise = plan.scenario, plan.promise
    heading = Group(
        Text(scenario.machine.title, "bold"),
        Text(scenario.talk.title, "dim"),
        Text(f"promise: p95 within {promise.ms:.0f} ms {SINCE[promise.since]}", "dim"),
    )
    parts: list[RenderableType] = [heading, _answers(plan)]
    parts += [_curve(voice, promise) for voice in plan.voices]
    parts.append(_ladder(plan))
    if plan.cards > 1:
        parts += [_ways(voice, plan.cards) for voice in plan.voices]
    if has_card(scenario.machine):
        parts += [_memory(plan), _shares(plan)]
    if comparisons:
        parts.append(validation_table(comparisons))
    return [*parts, Text(_notes(plan), "dim")]


def validation_table(comparisons: Sequence[Comparison]) -> RenderableType:
    """Predicted against measured."""
    table = new_table("CPU fleet, sessions", "p50 ms", "measured", "error", "p90 ms", "measured", "error", "p95 ms")
    for each in comparisons:
        sessions = f"{each.predicted.sessions}" + (" (calibrated)" if each.predicted.sessions == CALIBRATED else "")
        run = each.measured
        table.add_row(
            sessions,
            _ms(each.predicted.p(50)),
            UNKNOWN if run is None else _ms(run.p50_ms),
            _percent(each.p50_error),
            _ms(each.predicted.p(90)),
            UNKNOWN if run is None else _ms(run.p90_ms),
            _percent(each.p90_error),
            _ms(each.predicted.p(95)),
        )
    return titled(
        "How far to believe it",
        table,
        "figures of one session are in the data; those of several are predicted from it",
    )


def plan_json(plan: Plan, prices: Prices, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Everything as plain data, with the origin of every figure."""
    scenario = plan.scenario
    return {
        "machine": scenario.machine.title,
        "talk": scenario.talk.title,
        "promise": {"p95_ms": plan.promise.ms, "since": plan.promise.since.value},
        "cards": plan.cards,
        "voices": {
            voice.voice: {
                "engine": voice.engine,
                "sessions": voice.capacity.sessions,
                f"sessions_if_{DOUBT:g}_times_slower": voice.slower,
                f"sessions_if_{DOUBT:g}_times_faster": voice.faster,
                "first_to_saturate": _saturates(voice),
                "sessions_by_promise_ms": {f"{ms:g}": sessions for ms, sessions in voice.ladder},
                "splits": [{"cards": way.placement.text, "sessions": way.sessions} for way in voice.ways],
                "memory_gb": voice.memory_gb,
                "usd_a_minute": voice.own_minute,
                "usd_a_minute_hosted": voice.hosted_minute,
                "curve": [_outcome_json(outcome) for outcome in voice.curve],
            }
            for voice in plan.voices
        },
        "validation": [
            {
                "sessions": each.predicted.sessions,
                "predicted": {f"p{percent}_ms": _number(each.predicted.p(percent)) for percent in (50, 90, 95)},
                "measured": None
                if each.measured is None
                else {"p50_ms": each.measured.p50_ms, "p90_ms": each.measured.p90_ms, "source": each.measured.source},
                "p50_error": each.p50_error,
                "p90_error": each.p90_error,
            }
            for each in comparisons
        ],
        "figures": [
            {"name": origin.name, "kind": origin.kind.value, "source": origin.source}
            for origin in origins([scenario.machine, scenario.talk, prices])
        ],
    }


def _answers(plan: Plan) -> RenderableType:
    table = new_table(
        "voice", "sessions", f"{DOUBT:g}× slower", f"{DOUBT:g}× faster", "saturates first", "$ a minute", "hosted API"
    )
    for voice in plan.voices:
        table.add_row(
            voice.engine,
            Text(str(voice.ways[0].sessions), "bold"),
            str(voice.slower),
            str(voice.faster),
            _saturates(voice) or UNKNOWN,
            _usd(voice.own_minute),
            _usd(voice.hosted_minute),
        )
    cards = f"{plan.cards} cards" if plan.cards > 1 else "one card"
    where = cards if has_card(plan.scenario.machine) else "this machine"
    note = f"slower and faster: one card if its figures were off by {DOUBT:g}, either way" if plan.cards > 1 else ""
    return titled(f"Sessions on {where}", table, note)


def _curve(voice: VoicePlan, promise: Promise) -> RenderableType:
    table = new_table("sessions", "p50", "p95", "all p95", "busiest", "waits, p95", "gaps", "drafts kept", "turns")
    for outcome in voice.curve:
        slowest = first_to_saturate(outcome)
        p95 = promise.latency_ms(outcome)
        table.add_row(
            str(outcome.sessions),
            _ms(promise.latency_ms(outcome, 50)),
            Text(_ms(p95), "green" if promise.is_kept(outcome) else "red"),
            _ms(outcome.p(95)),
            f"{max(outcome.processors.values()):.0%}",
            f"{slowest} {outcome.loads[slowest].delay_p95_s * 1000:.0f} ms",
            f"{outcome.gap_share:.0%}",
            f"{outcome.drafts_kept:.0%}",
            str(outcome.turns),
        )
    return titled(
        voice.engine,
        table,
        "ms; busiest: share of the card or the cores in use; waits: of the stage that is slowed down most",
    )


def _ladder(plan: Plan) -> RenderableType:
    steps = [ms for ms, _ in plan.voices[0].ladder]
    table = new_table("p95 within", *(f"{ms:.0f} ms" for ms in steps))
    for voice in plan.voices:
        table.add_row(voice.engine, *(str(sessions) for _, sessions in voice.ladder))
    return titled("What other promises would buy, sessions on one card", table)


def _ways(voice: VoicePlan, cards: int) -> RenderableType:
    table = new_table(f"{voice.engine}: {cards} cards as", "sessions")
    for way in voice.ways:
        whole = way.placement.cards == 1
        table.add_row(
            f"the whole fleet on each ({way.placement.text})" if whole else way.placement.text, str(way.sessions)
        )
    return table


def _memory(plan: Plan) -> RenderableType:
    machine = plan.scenario.machine
    table = new_table("GB on one card", *STAGES[1:], "together", f"of {machine.memory_gb.value:.0f}")
    for voice in plan.voices:
        held = memory_gb(machine, voice.voice)
        table.add_row(
            voice.engine,
            *(f"{held.get(stage, 0.0):.0f}" for stage in STAGES[1:]),
            f"{voice.memory_gb:.0f}",
            "fits" if voice.memory_fits else Text("too much", "red"),
        )
    return table


def _shares(plan: Plan) -> RenderableType:
    table = new_table("share of the card's time", *STAGES[1:], "idle", "with sessions")
    for voice in plan.voices:
        best = voice.capacity.best
        used = [best.loads[stage].processor for stage in STAGES[1:]]
        idle = max(0.0, 1 - sum(used))
        table.add_row(voice.engine, *(f"{share:.0%}" for share in (*used, idle)), str(best.sessions))
    return table


def _notes(plan: Plan) -> str:
    machine = plan.scenario.machine
    counted = Counter(origin.kind.value for origin in origins(machine))
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted.most_common())
    lines = [
        f"figures of {machine.name}: {kinds}; every one with its source in client/planning/data/{machine.name}.toml"
    ]
    if CARD in machine.capacity and not any(
        origin.kind.value == "measured" for origin in origins([machine.stt.slowdown, machine.llm.slowdown])
    ):
        lines.append(
            "no figure of the card was measured by us: take the order of magnitude, and measure before you buy"
        )
    most = max(voice.ways[0].sessions for voice in plan.voices)
    processes = -(-most // int(machine.orchestrator_sessions.value))
    if processes > 1:
        lines.append(
            f"{processes} orchestrators: one process serves {machine.orchestrator_sessions.value:.0f} sessions"
        )
    return "\n".join(lines)


def _saturates(voice: VoicePlan) -> str | None:
    outcome = voice.capacity.beyond
    return None if outcome is None else first_to_saturate(outcome)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "sessions": outcome.sessions,
        "turns": outcome.turns,
        **{f"p{percent}_ms": _number(outcome.p(percent)) for percent in (50, 90, 95, 99)},
        **{f"plain_p{percent}_ms": _number(outcome.p(percent, plain=True)) for percent in (50, 95)},
        "doubtful_share": outcome.doubtful_share,
        "drafts_kept": outcome.drafts_kept,
        "gap_share": outcome.gap_share,
        "cut_offs": outcome.cut_offs,
        "failed": outcome.failed,
        "processors": dict(outcome.processors),
        "stages": {
            name: {"busy": load.busy, "jobs": load.jobs, "delay_ms": load.delay_s * 1000}
            for name, load in outcome.loads.items()
        },
    }


def _number(value: float) -> float | None:
    return None if isnan(value) else value


def _ms(value: float) -> str:
    return UNKNOWN if isnan(value) else f"{value:.0f}"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None or isnan(value) else f"{value:+.0%}"


def _usd(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"
