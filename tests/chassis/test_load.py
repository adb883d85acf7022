"""How near a stage is to its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.load import Load


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_load_arrives_as_it_was_told(used: int, limit: int) -> None:
    assert Load.parse(str(Load(used, limit))) == Load(used, limit)


def test_what_waits_counts_above_the_limit() -> None:
    assert str(Load(5, 16)) == "5/16"
    assert [Load(0, 4).share, Load(3, 4).share, Load(6, 4).share] == [0.0, 0.75, 1.5]


@pytest.mark.parametrize("text", ["", "5", "5/", "/16", "a/b", "1/0", "-1/4", "5/16/3", "None"])
def test_what_is_no_load_is_not_read(text: str) -> None:
    assert Load.parse(text) is None


@pytest.mark.parametrize(("used", "limit"), [(-1, 4), (0, 0), (1, -4)])
def test_a_load_of_nothing_is_an_error(used: int, limit: int) -> None:
    with pytest.raises(ValueError, match=f"expected at least 0/1, got {used}/{limit}"):
        Load(used, limit)
