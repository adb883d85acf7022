"""Which stages have room. Times in seconds."""

import pytest

from chassis.load import Load
from services.orchestrator.loads import Loads


def told(stage: str, load: Load, at: float) -> Loads:
    loads = Loads()
    loads.note(stage, load, at)
    return loads


@pytest.mark.parametrize(("used", "room"), [(0, True), (11, True), (12, False), (16, False), (40, False)])
def test_there_is_room_below_the_limit(used: int, room: bool) -> None:
    assert told("llm", Load(used, 16), 10.0).has_room("llm", 0.75, 10.1) is room  # 12 of 16 is 0.75


def test_a_stage_that_has_told_nothing_has_room() -> None:
    loads = told("llm", Load(4, 4), 10.0)
    assert loads.has_room("tts", 0.75, 10.0)
    assert not loads.has_room("llm", 0.75, 10.0)


def test_the_newest_load_counts() -> None:
    loads = told("llm", Load(4, 4), 10.0)
    loads.note("llm", Load(1, 4), 10.5)
    assert loads.has_room("llm", 0.75, 11.0)


def test_a_load_of_long_ago_is_not_known_any_more() -> None:
    loads = told("llm", Load(4, 4), 10.0)
    assert not loads.has_room("llm", 0.75, 14.9)
    assert loads.has_room("llm", 0.75, 15.1)


def test_a_limit_of_one_is_none_and_a_limit_of_zero_leaves_no_room() -> None:
    loads = told("llm", Load(40, 4), 10.0)
    assert loads.has_room("llm", 1.0, 10.0)
    assert not loads.has_room("tts", 0.0, 10.0)
