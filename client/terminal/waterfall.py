"""A turn's marks as a picture: one bar a step, all on one time axis. Pure text, no colours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 80
_INDENT = 2
_BAR, _SLIVER = "█", "▏"
_TICK_STEPS_MS = (10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000)
_MAX_TICKS = 8

_STEPS: Sequence[tuple[str, str, Sequence[str]]] = (
    ("endpoint", "end of turn", ()),
    ("transcript", "transcript", ("flush", "endpoint")),
    ("first_token", "first token", ("generate", "transcript")),
    ("first_clause", "first clause", ("first_token",)),
    ("first_audio", "first audio", ("first_clause",)),
    ("audio_sent", "sent", ("first_audio",)),
)
"""Mark that ends a step, its name, and the marks it may begin with: the first one that is there and not too late."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a turn, in milliseconds since the last speech sample."""

    name: str
    start_ms: float
    end_ms: float

    @property
    def duration_ms(self) -> float:
        """How long the step took."""
        return self.end_ms - self.start_ms


def steps(marks: Mapping[str, float]) -> list[Step]:
    """The steps whose end is among the marks (names of `TurnMarks`), in the order of a turn.

    A step begins where what it waits for was there; if that mark is missing, where the step before it ended. The first
    audio of a draft waits for the end of the turn before it is sent.
    """
    found: list[Step] = []
    previous = 0.0
    for mark, name, causes in _STEPS:
        end = marks.get(mark)
        if end is None:
            continue
        start = next((marks[cause] for cause in causes if cause in marks and marks[cause] <= end), min(previous, end))
        if mark == "audio_sent" and start < marks.get("endpoint", start) <= end:
            start = marks["endpoint"]
        found.append(Step(name, start if causes else min(0.0, end), end))
        previous = end
    return found


def waterfall(marks: Mapping[str, float], width: int = WIDTH) -> list[str]:
    """The steps drawn in lines of at most `width` columns, the axis last; no line where no step is known."""
    drawn = steps(marks)
    if not drawn:
        return []
    durations = [f"  {step.duration_ms:.0f} ms" for step in drawn]
    duration_columns = max(map(len, durations))
    name_columns = max(len(step.name) for step in drawn)
    columns = max(1, width - 2 * _INDENT - name_columns - 2 - duration_columns)
    origin = min(0.0, *(step.start_ms for step in drawn))
    span = max(1.0, max(step.end_ms for step in drawn) - origin)

    def column(ms: float) -> int:
        return round((ms - origin) / span * columns)

    lines = []
    for step, duration in zip(drawn, durations, strict=True):
        start, end = column(step.start_ms), column(step.end_ms)
        bar = " " * min(start, columns - 1) + (_BAR * (end - start) or _SLIVER)
        lines.append(f"{'':{_INDENT}}{step.name:<{name_columns}}  {bar:<{columns}}{duration:>{duration_columns}}")
    return [*lines, f"{'':{_INDENT + name_columns + 2}}{_axis(origin, span, columns)}".rstrip()]


def _axis(origin: float, span: float, columns: int) -> str:
    """Round numbers of milliseconds, each beginning in the column of its instant."""
    step = next((step for step in _TICK_STEPS_MS if span / step <= _MAX_TICKS), span / _MAX_TICKS)
    axis = ""
    tick = -(-origin // step) * step
    while tick <= origin + span:
        at = round((tick - origin) / span * columns)
        label = f"{tick:.0f}"
        if at + len(label) <= columns and (not axis or at > len(axis)):
            axis = axis.ljust(at) + label
        tick += step
    return axis
