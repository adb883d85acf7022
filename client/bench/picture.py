"""The benchmark as one HTML page: how voice-to-voice is distributed, and the median turn as a waterfall. Pure.

The page is complete in itself: inline SVG and style, no script, nothing from elsewhere.
"""

from collections.abc import Mapping, Sequence
from html import escape

from client.bench.report import label
from client.bench.sessions import TurnResult
from client.bench.statistics import Run, Summary
from client.terminal.waterfall import steps

_WIDTH, _LEFT, _RIGHT = 960, 190, 76
_PLOT = _WIDTH - _LEFT - _RIGHT
_BAND, _BAR, _AXIS = 44, 20, 30
_MAX_TICKS = 8
_TICKS_MS = (50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000)
_LANES = 5
"""Dots beside each other are drawn in so many lanes, so that one does not hide the next."""

_STYLE = """
:root { color-scheme: light dark; --text: #1d2330; --dim: #6b7280; --grid: #e5e7eb; --dot: #2563eb; --back: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e5e7eb; --dim: #9ca3af; --grid: #2b303b; --dot: #60a5fa; --back: #14171d; }
}
body { background: var(--back); color: var(--text); font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto;
       max-width: 960px; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 2rem 0 .25rem; } p { color: var(--dim); margin: 0 0 .5rem; }
svg { display: block; width: 100%; height: auto; } text { fill: var(--text); font-size: 12px; }
.dim { fill: var(--dim); } .grid { stroke: var(--grid); } .dot { fill: var(--dot); fill-opacity: .45; }
.bar { fill: var(--dot); } .median { stroke: var(--text); stroke-width: 2; } .p90 { stroke: var(--dim); }
"""


def page(runs: Sequence[Run], summaries: Sequence[Summary], machine: Mapping[str, object]) -> str:
    """The HTML of runs and their summaries, which are in the same order."""
    about = ", ".join(f"{value} cores" if name == "cores" else str(value) for name, value in machine.items())
    names = [label(summary, summaries) for summary in summaries]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>voxfleet bench</title><style>{_STYLE}</style></head><body>",
        f"<h1>Voice to voice</h1><p>{escape(about)}</p>",
        "<h2>Distribution</h2>",
        "<p>Milliseconds from the last audible sample sent to the first one heard. A dot is a turn, the line the "
        "median, the thin line the 90th percentile.</p>",
        _distribution(names, runs, summaries),
    ]
    if any(summary.marks_ms for summary in summaries):
        parts += [
            "<h2>The median turn</h2>",
            "<p>Milliseconds since the server got the last speech sample; every bar is one step, from the moment when "
            "what it waits for was there.</p>",
            _waterfalls(names, summaries),
        ]
    return "\n".join([*parts, "</body></html>", ""])


def _distribution(names: Sequence[str], runs: Sequence[Run], summaries: Sequence[Summary]) -> str:
    counted = [
        [turn for turn in run.turns if turn.voice_to_voice_ms is not None and turn.failure is None and not turn.warm_up]
        for run in runs
    ]
    end = max((turn.voice_to_voice_ms or 0.0 for turns in counted for turn in turns), default=1.0)
    height = _BAND * len(runs) + _AXIS
    shapes = _axis(0.0, end, height)
    for row, (name, turns, summary) in enumerate(zip(names, counted, summaries, strict=True)):
        top = row * _BAND
        middle = top + _BAND / 2
        shapes.append(_text(0, middle + 4, name))
        shapes += [_dot(turn, number, top, end) for number, turn in enumerate(turns)]
        if (found := summary.voice_to_voice) is not None:
            for kind, value in (("p90", found.p90), ("median", found.p50)):
                x = _x(value, 0.0, end)
                shapes.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 5}" y2="{top + _BAND - 5}"/>')
            shapes.append(_text(_WIDTH - _RIGHT + 10, middle + 4, f"{found.p50:.0f} ms"))
    return _svg(height, "Distribution of voice-to-voice latency", shapes)


def _dot(turn: TurnResult, number: int, top: float, end: float) -> str:
    latency = turn.voice_to_voice_ms or 0.0
    y = top + _BAND * (number * 2 % _LANES + 1) / (_LANES + 1)
    about = escape(f"{latency:.0f} ms: {turn.question}")
    return f'<circle class="dot" cx="{_x(latency, 0.0, end):.1f}" cy="{y:.1f}" r="4"><title>{about}</title></circle>'


def _waterfalls(names: Sequence[str], summaries: Sequence[Summary]) -> str:
    drawn = [(name, steps(summary.marks_ms)) for name, summary in zip(names, summaries, strict=True)]
    drawn = [(name, found) for name, found in drawn if found]
    start = min(0.0, *(step.start_ms for _, found in drawn for step in found))
    end = max(step.end_ms for _, found in drawn for step in found)
    height = sum(_BAR * (len(found) + 2) for _, found in drawn) + _AXIS
    shapes = _axis(start, end, height)
    y = 0.0
    for name, found in drawn:
        shapes.append(_text(0, y + _BAR - 6, name, "font-weight: 600"))
        for step in found:
            y += _BAR
            left, right = _x(step.start_ms, start, end), _x(step.end_ms, start, end)
            shapes += [
                f'<text class="dim" x="12" y="{y + _BAR - 6:.1f}">{escape(step.name)}</text>',
                f'<rect class="bar" x="{left:.1f}" y="{y + 3:.1f}" width="{max(1.0, right - left):.1f}" '
                f'height="{_BAR - 6}" rx="2"/>',
                _text(_WIDTH - _RIGHT + 10, y + _BAR - 6, f"{step.duration_ms:.0f} ms"),
            ]
        y += 2 * _BAR
    return _svg(height, "Steps of the median turn", shapes)


def _axis(start: float, end: float, height: float) -> list[str]:
    span = max(1.0, end - start)
    step = next((step for step in _TICKS_MS if span / step <= _MAX_TICKS), _TICKS_MS[-1])
    shapes = []
    tick = -(-start // step) * step
    while tick <= end:
        x = _x(tick, start, end)
        shapes.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - _AXIS + 4}"/>')
        shapes.append(f'<text class="dim" text-anchor="middle" x="{x:.1f}" y="{height - _AXIS + 20}">{tick:.0f}</text>')
        tick += step
    return shapes


def _x(ms: float, start: float, end: float) -> float:
    return _LEFT + (ms - start) / max(1.0, end - start) * _PLOT


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{style}">{escape(text)}</text>'


def _svg(height: float, title: str, shapes: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, *shapes, "</svg>"])
