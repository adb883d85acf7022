"""How many answers a vLLM engine takes on."""

import pytest

from chassis.errors import Code, StageError
from chassis.load import Load
from services.llm.engines.vllm_admission import Admission


def test_answers_beyond_those_that_run_wait_and_count_as_load() -> None:
    admission = Admission(limit=2, max_waiting=1)
    seen = []
    for _ in range(3):
        admission.enter()
        seen.append((admission.waiting, admission.load))
    assert seen == [(0, Load(1, 2)), (0, Load(2, 2)), (1, Load(3, 2))]


def test_one_more_is_refused_and_takes_no_place() -> None:
    admission = Admission(limit=1, max_waiting=1)
    admission.enter()
    admission.enter()
    with pytest.raises(StageError) as caught:
        admission.enter()
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "SLOTS_EXHAUSTED")
    assert admission.load == Load(2, 1)


def test_who_leaves_makes_room() -> None:
    admission = Admission(limit=1, max_waiting=0)
    admission.enter()
    admission.leave()
    assert admission.load == Load(0, 1)
    admission.enter()
