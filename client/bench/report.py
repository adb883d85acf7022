"""Tables of a benchmark, at most 100 columns wide, and its JSON."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from client.bench.idle import IdleCost
from client.bench.interruptions import BargeIn
from client.bench.soak import Sampling, Soak
from client.bench.statistics import Run, Spread, Summary

WIDTH = 100
UNKNOWN = "—"
SHOWN_MARKS = {
    "endpoint": "end of\nturn",
    "transcript": "text",
    "first_token": "first\ntoken",
    "first_clause": "first\nclause",
    "first_audio": "first\naudio",
    "audio_sent": "sent",
}
"""Marks that have a column, and its head."""
BARGE_IN_TIMES = {
    "told": "told",
    "last_received": "last",
    "received": "after",
    "silent": "silent",
    "unstopped": "dry",
}
"""Times of `BargeIn` and the heads of their columns."""
LATE_SHARE = 0.01
"""Share of late audio from which on the figures say as much about this machine as about the server."""


def make_console(*, stderr: bool = False) -> Console:
    """A console no wider than 100 columns, and exactly so wide where it is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def new_table(*heads: str) -> Table:
    """An empty table without lines; the first column is text that may wrap, the others are figures that do not."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=bool(number))
    return table


def titled(title: str, table: Table, note: str = "") -> RenderableType:
    """A table below its title and above what is to be known about it."""
    return Group(Text(title, "bold"), table, *([Text(note, "dim")] if note else []))


def late_warning(share: float) -> str:
    """What a share of audio that was sent late says."""
    return f"{share:.1%} of the audio was sent late; this machine is too busy"


def turn_tables(summaries: Sequence[Summary]) -> list[RenderableType]:
    """Latencies, marks and costs of every condition, and what must be known to believe them."""
    parts: list[RenderableType] = [_latencies(summaries)]
    if any(summary.marks_ms for summary in summaries):
        parts.append(_marks(summaries))
    if any(summary.cpu_per_session_s for summary in summaries):
        parts += [_cpu(summaries), _memory(summaries)]
    warnings = _warnings(summaries)
    return [*parts, *([Text("\n".join(warnings), "yellow")] if warnings else [])]


def idle_table(cost: IdleCost) -> RenderableType:
    """CPU of each process while nobody speaks."""
    table = new_table("process", "no session", "connected", "streaming silence")
    columns = (cost.empty, cost.silent, cost.streaming)
    for name in cost.empty:
        table.add_row(name, *(_milliseconds(column.get(name)) for column in columns))
    table.add_row("total", *(_milliseconds(sum(column.values())) for column in columns), style="bold")
    return titled(
        f"CPU of {cost.sessions} idle sessions, ms for each second, measured for {cost.seconds:g} s each",
        table,
        "The first column is the whole fleet, the others are one session on top of that.",
    )


def soak_row(sampling: Sampling) -> str:
    """What the processes hold, on one line."""
    held = "  ".join(f"{name} {_megabytes(each.rss_bytes)}" for name, each in sampling.processes.items())
    return f"{sampling.turns:>4} turns  {held} MB"


def soak_table(soak: Soak) -> RenderableType:
    """Memory over the turns, its growth, open files and threads before and after."""
    first, last = soak.samplings[0], soak.samplings[-1]
    names = list(last.processes)
    table = new_table("", *names)
    for sampling in soak.samplings:
        held = (sampling.processes.get(name) for name in names)
        table.add_row(f"{sampling.turns} turns, MB", *(UNKNOWN if s is None else _megabytes(s.rss_bytes) for s in held))
    growth = (soak.growth_bytes(name) for name in names)
    table.add_row("growth, KB a turn", *(UNKNOWN if g is None else f"{g / 1024:.1f}" for g in growth), style="bold")
    table.add_row("threads", *(_change(first, last, name, "threads") for name in names))
    table.add_row("open files", *(_change(first, last, name, "open_files") for name in names))
    failed = f"{len(soak.failures)} turns failed, the first: {soak.failures[0]}" if soak.failures else "No turn failed."
    return titled("Memory over the turns", table, failed)


def barge_in_tables(found: Sequence[BargeIn]) -> list[RenderableType]:
    """How soon it was silent, and what the history keeps, for each kind of client."""
    times = new_table("", *BARGE_IN_TIMES.values(), "recog-\nnised")
    words = new_table("", "exact", "within\n1 word", "mean", "max", "raw\nwithin 1", "raw\nmean", "raw\nmax", "edits")
    for each in found:
        spreads = (getattr(each, name) for name in BARGE_IN_TIMES)
        times.add_row(each.listener.value, *map(_three, spreads), f"{each.recognised}/{each.attempts}")
        if (summary := each.words) is not None:
            shares = (f"{count}/{summary.count}" for count in (summary.exact, summary.within_one))
            raw = (f"{summary.raw_within_one}/{summary.count}", f"{summary.raw_mean:.2f}", str(summary.raw_max))
            words.add_row(
                each.listener.value, *shares, f"{summary.mean:.2f}", str(summary.max), *raw, f"{summary.edits_mean:.2f}"
            )
    failed = [f"{each.listener.value}: {failure}" for each in found for failure in each.failures]
    return [
        titled(
            "Interruptions, ms after the first audible sample of the speech: p50/p90/max",
            times,
            "Told: to hold or to stop. Last: arrival of the last audio. After: audio that arrived after the start of "
            "the speech. Silent: the last sample was played by a loudspeaker that does as it is told; dry: by one that "
            "plays all it gets.",
        ),
        titled(
            "Words in the history against words heard",
            words,
            "Heard: the beginning of the sent text that fits best to what a recogniser understands of the played "
            "audio; raw: the words that it understands, edits: their distance to the history.",
        ),
        *([Text("\n".join(failed), "yellow")] if failed else []),
    ]


def turns_json(runs: Sequence[Run], summaries: Sequence[Summary], settings: Mapping[str, object]) -> dict[str, object]:
    """All that was measured: the figures and every single turn."""
    return {
        "machine": machine(),
        "settings": dict(settings),
        "summaries": [asdict(summary) for summary in summaries],
        "runs": [asdict(run) for run in runs],
    }


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def label(summary: Summary, summaries: Sequence[Summary]) -> str:
    """Names the condition: its sessions, and its server where there are several."""
    sessions = f"{summary.sessions} session{'s' if summary.sessions > 1 else ''}"
    return f"{sessions}, {summary.server}" if len({each.server for each in summaries}) > 1 else sessions


def _latencies(summaries: Sequence[Summary]) -> RenderableType:
    heads = ("p50", "p90", "max", "warm-up", "turns", "drafts\nkept", "cut\noff", "gaps", "failed", "word\nerrors")
    table = new_table("", *heads)
    for each in summaries:
        spread = each.voice_to_voice
        values = (spread.p50, spread.p90, spread.max) if spread is not None else (None, None, None)
        table.add_row(
            label(each, summaries),
            *(_number(value) for value in values),
            _number(each.warm_up_ms),
            str(each.turns),
            _percent(each.drafts_kept, 0),
            str(each.cut_offs),
            str(each.glitches),
            str(each.failed),
            _percent(each.word_error_rate, 1),
        )
    return titled("Voice to voice, ms: from the last audible sample sent to the first one heard", table)


def _marks(summaries: Sequence[Summary]) -> RenderableType:
    table = new_table("", *SHOWN_MARKS.values(), "after\nend", "draft\nkept")
    for each in summaries:
        table.add_row(
            label(each, summaries),
            *(_number(each.marks_ms.get(name)) for name in SHOWN_MARKS),
            _number(each.after_endpoint.p50 if each.after_endpoint else None),
            _number(each.after_endpoint_kept.p50 if each.after_endpoint_kept else None),
        )
    return titled(
        "Medians of the server's marks, ms after it got the last speech sample",
        table,
        "After end: from the decision that the turn is over to the first audio sent; behind it where a draft was kept.",
    )


def _cpu(summaries: Sequence[Summary]) -> RenderableType:
    names = list(dict.fromkeys(name for each in summaries for name in each.cpu_per_session_s if name != "total"))
    table = new_table("", *names, "total", "this\nclient")
    for each in summaries:
        costs = (*(each.cpu_per_session_s.get(name) for name in (*names, "total")), each.client_cpu_per_session_s)
        table.add_row(label(each, summaries), *(_milliseconds(cost) for cost in costs))
    return titled("CPU, ms for each second of a session", table)


def _memory(summaries: Sequence[Summary]) -> RenderableType:
    names = list(dict.fromkeys(name for each in summaries for name in each.rss_bytes))
    table = new_table("", *names, "total")
    for each in summaries:
        held = (_megabytes(each.rss_bytes[name]) if name in each.rss_bytes else UNKNOWN for name in names)
        table.add_row(label(each, summaries), *held, _megabytes(sum(each.rss_bytes.values())))
    return titled("Memory at the end, MB resident", table)


def _warnings(summaries: Sequence[Summary]) -> list[str]:
    lines = []
    for each in summaries:
        name = label(each, summaries)
        lines += [f"{name}: {count} × {reason}" for reason, count in each.failures.items()]
        if each.late_blocks > LATE_SHARE:
            lines.append(f"{name}: {late_warning(each.late_blocks)}")
    return lines


def _change(first: Sampling, last: Sampling, name: str, field: str) -> str:
    before, after = (getattr(each.processes.get(name), field, None) for each in (first, last))
    return f"{UNKNOWN if before is None else before} → {UNKNOWN if after is None else after}"


def _three(spread: Spread | None) -> str:
    return UNKNOWN if spread is None else f"{spread.p50:.0f}/{spread.p90:.0f}/{spread.max:.0f}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"


def _percent(share: float | None, digits: int) -> str:
    return UNKNOWN if share is None else f"{share * 100:.{digits}f} %"


def _milliseconds(seconds: float | None) -> str:
    # Adding zero takes the sign of a negative zero away.
    return UNKNOWN if seconds is None else f"{round(seconds * 1000, 1) + 0.0:.1f}"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f}"
