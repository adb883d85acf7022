from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.planning.figures import FigureError, Kind, read_curve, read_distribution, read_figure

SOURCE = {"kind": "published", "source": "a paper"}


def test_a_figure_keeps_its_source() -> None:
    figure = read_figure("llm.decode_s", {"value": 7, **SOURCE})
    assert figure.value == 7
    assert (figure.origin.name, figure.origin.kind, figure.origin.source) == ("llm.decode_s", Kind.PUBLISHED, "a paper")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "x: expected a table"),
        ({"value": "much", **SOURCE}, r"x\.value: expected a number, got 'much'"),
        ({"value": True, **SOURCE}, r"x\.value: expected a number"),
        ({"value": 1, "kind": "published"}, r"x\.source: expected where the figure comes from"),
        ({"value": 1, "kind": "published", "source": " "}, r"x\.source"),
        ({"value": 1, "kind": "guessed", "source": "a"}, r"x\.kind: expected one of measured, .*, got 'guessed'"),
    ],
)
def test_a_figure_without_a_source_or_a_number_is_named(data: Any, message: str) -> None:
    with pytest.raises(FigureError, match=message):
        read_figure("x", data)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "expected"),
        ([[2, 1]], "ascend from 1"),
        ([[1, 1], [1, 2]], "ascend from 1"),
        ([[1, 1], [2]], r"expected \[count, value\]"),
        ([[1, 0]], "above 0"),
    ],
)
def test_a_curve_that_makes_no_sense_is_named(points: Any, message: str) -> None:
    with pytest.raises(FigureError, match=message):
        read_curve("stt.slowdown", {"points": points, **SOURCE})


def test_a_curve_is_straight_between_its_points_and_goes_on_behind_them() -> None:
    curve = read_curve("x", {"points": [[1, 1], [4, 4], [8, 6]], **SOURCE})
    assert [curve.at(count) for count in (0, 1, 2, 4, 6, 8, 10)] == [1, 1, 2, 4, 5, 6, 7]
    assert read_curve("x", {"points": [[1, 3]], **SOURCE}).at(50) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"shape": "normal"}, r"x\.shape: expected one of constant"),
        ({"shape": "uniform", "low": 1}, r"x\.high: expected a number"),
        ({"shape": "uniform", "low": 2, "high": 1}, "low to be no more than high"),
        ({"shape": "lognormal", "median": 0, "sigma": 1}, r"x\.median: expected more than 0"),
    ],
)
def test_a_distribution_that_makes_no_sense_is_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        read_distribution("x", {**data, **SOURCE})


@given(st.integers(), st.floats(0.1, 10), st.floats(0, 2), st.floats(0, 1), st.floats(1, 5))
def test_draws_stay_within_their_bounds_and_come_again_with_the_same_dice(
    seed: int, median: float, sigma: float, low: float, high: float
) -> None:
    data = {"shape": "lognormal", "median": median, "sigma": sigma, "low": low, "high": high, **SOURCE}
    distribution = read_distribution("x", data)
    first = [distribution.draw(Random(seed)) for _ in range(3)]
    assert first == [distribution.draw(Random(seed)) for _ in range(3)]
    assert all(low <= value <= high for value in first)
