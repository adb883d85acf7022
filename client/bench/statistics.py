"""From single turns to the figures of a report. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from client.bench.sessions import TurnResult
from services.stt.word_errors import normalized, word_errors

MARKS = ("endpoint", "flush", "transcript", "generate", "first_token", "first_clause", "first_audio", "audio_sent")
"""Names of `TurnMarks`, in the order of a turn without drafts."""

# Scripts without spaces between words: their errors are counted by character, as is usual for them.
_CHARACTERS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Spread:
    """How values are distributed. Percentiles are interpolated linearly between the values beside them."""

    p50: float
    p90: float
    p99: float
    max: float
    mean: float
    count: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of sessions cost. Times in seconds; by process name."""

    session_s: float
    """Seconds that sessions were connected, added up."""
    cpu_s: Mapping[str, float]
    rss_bytes: Mapping[str, int]
    client_cpu_s: float
    """CPU time of the sessions' own side."""
    blocks: int
    late_blocks: int
    """Of the `blocks` of audio sent, those that were sent when the next one was due."""


@dataclass(frozen=True, slots=True)
class Run:
    """Turns under one condition: a server, by name, and a number of sessions side by side."""

    server: str
    sessions: int
    turns: tuple[TurnResult, ...]
    load: Load


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run; None where nothing is known. Latencies in ms, shares from 0 to 1.

    Only turns behind the warm-up count, except in `warm_up_ms`. `marks_ms` are medians. `after_endpoint` is what the
    listener still waits for once the turn is known to be over; `after_endpoint_kept` the same where a draft was kept.
    """

    server: str
    sessions: int
    turns: int
    voice_to_voice: Spread | None
    warm_up_ms: float | None
    marks_ms: Mapping[str, float]
    after_endpoint: Spread | None
    after_endpoint_kept: Spread | None
    drafts_kept: float | None
    cut_offs: int
    glitches: int
    glitch_ms: float
    failed: int
    failures: Mapping[str, int]
    word_error_rate: float | None
    cpu_per_session_s: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds for each second that a session was connected, by process, and all of them as "total"."""
    client_cpu_per_session_s: float = 0.0
    rss_bytes: Mapping[str, int] = field(default_factory=dict)
    late_blocks: float = 0.0
    """Share of audio blocks that the sessions' own side sent too late."""


def spread(values: Iterable[float]) -> Spread | None:
    """The distribution of `values`; None where there are none."""
    data = np.fromiter(values, dtype=np.float64)
    if not len(data):
        return None
    p50, p90, p99 = (float(each) for each in np.percentile(data, (50, 90, 99)))
    return Spread(p50, p90, p99, float(data.max()), float(data.mean()), len(data))


def median(values: Iterable[float]) -> float | None:
    """The median; None where there are no values."""
    found = spread(values)
    return None if found is None else found.p50


def median_marks(turns: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each of MARKS over the turns that have it."""
    turns = list(turns)
    middles = {name: median(marks[name] for marks in turns if name in marks) for name in MARKS}
    return {name: middle for name, middle in middles.items() if middle is not None}


def word_error_rate(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Word errors over all (said, understood) texts, per word said; None where nothing was said."""
    errors = words = 0
    for said, understood in pairs:
        reference = _units(said)
        errors += word_errors(reference, _units(understood))
        words += len(reference)
    return errors / words if words else None


def summarize(run: Run) -> Summary:
    """The figures of one run."""
    turns = [turn for turn in run.turns if not turn.warm_up]
    heard = [turn for turn in turns if turn.failure is None]
    marked = [turn for turn in heard if turn.marks]
    return Summary(
        server=run.server,
        sessions=run.sessions,
        turns=len(turns),
        voice_to_voice=spread(_latencies(heard)),
        warm_up_ms=median(_latencies(turn for turn in run.turns if turn.warm_up and turn.failure is None)),
        marks_ms=median_marks(turn.marks for turn in marked),
        after_endpoint=spread(_after_endpoint(marked)),
        after_endpoint_kept=spread(_after_endpoint(turn for turn in marked if turn.draft == "kept")),
        drafts_kept=sum(turn.draft == "kept" for turn in marked) / len(marked) if marked else None,
        cut_offs=sum(turn.cut_off for turn in turns),
        glitches=sum(len(turn.gaps) for turn in turns),
        glitch_ms=sum(gap.duration_ms for turn in turns for gap in turn.gaps),
        failed=len(turns) - len(heard),
        failures=_counted(turn.failure for turn in turns if turn.failure is not None),
        word_error_rate=word_error_rate((turn.text, turn.understood) for turn in heard if turn.text is not None),
        cpu_per_session_s=_per_second(run.load),
        client_cpu_per_session_s=run.load.client_cpu_s / run.load.session_s if run.load.session_s else 0.0,
        rss_bytes=run.load.rss_bytes,
        late_blocks=run.load.late_blocks / run.load.blocks if run.load.blocks else 0.0,
    )


def merged(runs: Sequence[Run]) -> list[Run]:
    """Rounds of the same condition as one run each, in the order in which the conditions first appear."""
    rounds: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        rounds.setdefault((run.server, run.sessions), []).append(run)
    return [
        Run(server, sessions, tuple(turn for run in same for turn in run.turns), _added([run.load for run in same]))
        for (server, sessions), same in rounds.items()
    ]


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Growth of y for each step of x over (x, y), by least squares; None where fewer than two x differ."""
    if len({x for x, _ in points}) < 2:
        return None
    x, y = np.array(points, dtype=np.float64).T
    x -= x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def _units(text: str) -> list[str]:
    return [unit for word in normalized(text) for unit in _CHARACTERS.findall(word)]


def _latencies(turns: Iterable[TurnResult]) -> list[float]:
    return [turn.voice_to_voice_ms for turn in turns if turn.voice_to_voice_ms is not None]


def _after_endpoint(turns: Iterable[TurnResult]) -> list[float]:
    return [
        turn.marks["audio_sent"] - turn.marks["endpoint"]
        for turn in turns
        if "audio_sent" in turn.marks and "endpoint" in turn.marks
    ]


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _per_second(load: Load) -> dict[str, float]:
    if not load.session_s or not load.cpu_s:
        return {}
    each = {name: seconds / load.session_s for name, seconds in load.cpu_s.items()}
    return each | {"total": sum(each.values())}


def _added(loads: Sequence[Load]) -> Load:
    names = dict.fromkeys(name for load in loads for name in load.cpu_s)
    return Load(
        session_s=sum(load.session_s for load in loads),
        cpu_s={name: sum(load.cpu_s.get(name, 0.0) for load in loads) for name in names},
        # Memory is what is held at the end.
        rss_bytes=loads[-1].rss_bytes,
        client_cpu_s=sum(load.client_cpu_s for load in loads),
        blocks=sum(load.blocks for load in loads),
        late_blocks=sum(load.late_blocks for load in loads),
    )
