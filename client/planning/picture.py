"""The plan as one SVG: what people wait for as sessions are added, and predictions beside measurements. Pure."""

from collections.abc import Callable, Sequence
from html import escape

from client.planning.plan import Plan
from client.planning.validation import Comparison

_WIDTH, _HEIGHT = 960, 380
_TOP, _BOTTOM, _LEFT, _GAP = 64, 44, 64, 70
_COLOURS = ("#2563eb", "#d97706", "#059669", "#7c3aed")
_STYLE = """
.back { fill: #fff; } text { fill: #1d2330; font: 12px system-ui, sans-serif; } .dim { fill: #6b7280; }
.head { font-weight: 600; font-size: 14px; } .grid { stroke: #e5e7eb; }
.promise { stroke: #dc2626; stroke-dasharray: 5 4; }
@media (prefers-color-scheme: dark) { .back { fill: #14171d; } text { fill: #e5e7eb; } .dim { fill: #9ca3af; }
.grid { stroke: #2b303b; } }
"""
_TICKS = (1, 2, 4, 5, 8, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000)
_MAX_TICKS = 7
_FAR = 3.0
"""The axis ends at so many times the promise: beyond it nothing is promised anyway."""

Points = Sequence[tuple[float, float]]


def picture(plan: Plan, comparisons: Sequence[Comparison]) -> str:
    """The SVG, complete in itself."""
    promise = plan.promise
    curves = [
        (voice.engine, [(float(each.sessions), promise.latency_ms(each)) for each in voice.curve])
        for voice in plan.voices
    ]
    split = comparisons and any(each.measured for each in comparisons)
    width = (_WIDTH - 2 * _LEFT - _GAP) * 0.58 if split else _WIDTH - 2 * _LEFT
    title = f"p95 voice to voice, {plan.scenario.machine.title}"
    shapes = _panel(title, _LEFT, width, curves, promise.ms * _FAR, promise.ms)
    if split:
        left = _LEFT + width + _GAP
        known = [(each.predicted, each.measured) for each in comparisons if each.measured is not None]
        shapes += _panel(
            "CPU fleet: predicted (line), measured (dots)",
            left,
            _WIDTH - _LEFT - left,
            [
                ("p50", [(float(ours.sessions), ours.p(50)) for ours, _ in known]),
                ("p90", [(float(ours.sessions), ours.p(90)) for ours, _ in known]),
            ],
            1.1 * max(max(ours.p(90), run.p90_ms) for ours, run in known),
            None,
            measured=[
                [(float(run.sessions), run.p50_ms) for _, run in known],
                [(float(run.sessions), run.p90_ms) for _, run in known],
            ],
        )
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(title)}">'
    back = f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", back, *shapes, "</svg>", ""])


def _panel(
    title: str,
    left: float,
    width: float,
    curves: Sequence[tuple[str, Points]],
    highest: float,
    promise_ms: float | None,
    measured: Sequence[Points] = (),
) -> list[str]:
    most = max(x for _, points in curves for x, _ in points)
    height = _HEIGHT - _TOP - _BOTTOM

    def x(value: float) -> float:
        return left + value / most * width

    def y(value: float) -> float:
        return _TOP + height * (1 - min(value, highest) / highest)

    shapes = [f'<text class="head" x="{left:.0f}" y="22">{escape(title)}</text>']
    shapes += _grid(left, width, most, highest, x, y)
    if promise_ms is not None:
        shapes.append(_level("promise", left, width, y(promise_ms)))
    legend = left
    for number, (name, points) in enumerate(curves):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join(f"{x(sessions):.1f},{y(ms):.1f}" for sessions, ms in points if ms == ms)
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes.append(f'<rect x="{legend:.0f}" y="34" width="12" height="4" fill="{colour}"/>')
        shapes.append(f'<text x="{legend + 18:.0f}" y="41">{escape(name)}</text>')
        legend += 40 + 7 * len(name)
        for sessions, ms in measured[number] if measured else ():
            about = f"<title>{ms:.0f} ms</title>"
            shapes.append(f'<circle cx="{x(sessions):.1f}" cy="{y(ms):.1f}" r="5" fill="{colour}">{about}</circle>')
    return shapes


def _grid(
    left: float, width: float, most: float, highest: float, x: Callable[[float], float], y: Callable[[float], float]
) -> list[str]:
    shapes = []
    for ms in _ticks(highest):
        shapes += [_level("grid", left, width, y(ms)), _label(left - 8, y(ms) + 4, f"{ms:.0f}", "end")]
    foot = _HEIGHT - _BOTTOM + 18
    shapes += [_label(x(sessions), foot, f"{sessions:.0f}", "middle") for sessions in _ticks(most)]
    return [
        *shapes,
        _label(left + width / 2, _HEIGHT - 8, "sessions at once", "middle"),
        _label(left - 8, _TOP - 10, "ms", "end"),
    ]


def _level(kind: str, left: float, width: float, y: float) -> str:
    return f'<line class="{kind}" x1="{left:.0f}" x2="{left + width:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="dim" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _ticks(end: float) -> list[float]:
    step = next((step for step in _TICKS if end / step <= _MAX_TICKS), _TICKS[-1])
    return [float(step * number) for number in range(int(end // step) + 1)]
