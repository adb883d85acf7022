"""Figures with a source: numbers, curves over a count, and distributions. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import log
from random import Random
from typing import Any


class FigureError(ValueError):
    """A figure of the data is not as it should be; the message names it and what was expected."""


class Kind(StrEnum):
    """How well a figure is known."""

    MEASURED = "measured"
    """By us, on the machine it stands for."""
    PUBLISHED = "published"
    """By others, on the machine it stands for or one like it, as the source says."""
    DERIVED = "derived"
    """Computed from published figures; the source says how."""
    SETTING = "setting"
    """Chosen: what a setting of ours says, or would be set to."""
    ASSUMED = "assumed"
    """Nobody is known to have measured it; the source says why this much."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a figure comes from. `name` is its place in the data, for example `llm.decode_token_s`."""

    name: str
    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number; its unit is the end of its name (`_s` seconds, `_gb` 10^9 bytes)."""

    value: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Curve:
    """A value for every count of jobs from 1 on: straight lines between points, the last of them continued.

    `points` are (count, value), counts ascending from 1. What a count beyond the last point costs is not known better
    than by going on as before; a curve of a single point is flat.
    """

    points: tuple[tuple[float, float], ...]
    origin: Origin

    def at(self, count: float) -> float:
        """The value for `count` jobs."""
        points = self.points
        if len(points) == 1 or count <= points[0][0]:
            return points[0][1]
        after = min(bisect_right(points, (count, float("inf"))), len(points) - 1)
        (left, low), (right, high) = points[after - 1], points[after]
        return low + (high - low) * (count - left) / (right - left)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A random value of a `shape`: constant (value), uniform (low, high), lognormal (median, sigma) or beta (a, b).

    Cut at `low` and `high`.
    """

    shape: str
    parameters: tuple[float, float]
    low: float
    high: float
    origin: Origin

    def draw(self, dice: Random) -> float:
        """One value."""
        first, second = self.parameters
        match self.shape:
            case "uniform":
                value = dice.uniform(first, second)
            case "lognormal":
                value = dice.lognormvariate(log(first), second)
            case "beta":
                value = dice.betavariate(first, second)
            case _:
                value = first
        return min(max(value, self.low), self.high)


_PARAMETERS: Mapping[str, tuple[str, str]] = {
    "constant": ("value", "value"),
    "uniform": ("low", "high"),
    "lognormal": ("median", "sigma"),
    "beta": ("a", "b"),
}


def read_figure(name: str, data: object) -> Figure:
    """A figure from `{ value, kind, source }`. Raises FigureError."""
    table = _table(name, data)
    return Figure(_number(name, table, "value"), _origin(name, table))


def read_curve(name: str, data: object) -> Curve:
    """A curve from `{ points = [[count, value], …], kind, source }`. Raises FigureError."""
    table = _table(name, data)
    points = table.get("points")
    if not isinstance(points, Sequence) or not points:
        raise FigureError(f"{name}.points: expected [[count, value], …], got {points!r}")
    found: list[tuple[float, float]] = []
    for point in points:
        if not isinstance(point, Sequence) or len(point) != 2 or not all(_is_number(each) for each in point):
            raise FigureError(f"{name}.points: expected [count, value], got {point!r}")
        found.append((float(point[0]), float(point[1])))
    counts = [count for count, _ in found]
    if counts[0] != 1 or any(right <= left for left, right in pairwise(counts)):
        raise FigureError(f"{name}.points: expected counts that ascend from 1, got {counts}")
    if any(value <= 0 for _, value in found):
        raise FigureError(f"{name}.points: expected values above 0, got {found}")
    return Curve(tuple(found), _origin(name, table))


def read_distribution(name: str, data: object) -> Distribution:
    """A distribution from `{ shape, its parameters, kind, source }`. Raises FigureError."""
    table = _table(name, data)
    shape = table.get("shape")
    if not isinstance(shape, str) or shape not in _PARAMETERS:
        raise FigureError(f"{name}.shape: expected one of {', '.join(_PARAMETERS)}, got {shape!r}")
    first, second = (_number(name, table, key) for key in _PARAMETERS[shape])
    if shape in ("lognormal", "beta") and first <= 0:
        raise FigureError(f"{name}.{_PARAMETERS[shape][0]}: expected more than 0, got {first:g}")
    low = _number(name, table, "low") if "low" in table else float("-inf")
    high = _number(name, table, "high") if "high" in table else float("inf")
    if low > high:
        raise FigureError(f"{name}: expected low to be no more than high, got {low:g} and {high:g}")
    return Distribution(shape, (first, second), low, high, _origin(name, table))


def _table(name: str, data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise FigureError(f"{name}: expected a table with kind and source, got {data!r}")
    return data


def _origin(name: str, table: Mapping[str, Any]) -> Origin:
    source = table.get("source")
    if not isinstance(source, str) or not source.strip():
        raise FigureError(f"{name}.source: expected where the figure comes from, got {source!r}")
    try:
        kind = Kind(table.get("kind", ""))
    except ValueError as error:
        raise FigureError(f"{name}.kind: expected one of {', '.join(Kind)}, got {table.get('kind')!r}") from error
    return Origin(name, kind, source)


def _number(name: str, table: Mapping[str, Any], key: str) -> float:
    value = table.get(key)
    if not _is_number(value):
        raise FigureError(f"{name}.{key}: expected a number, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
