"""Which stream gets which slot."""

import pytest

from chassis.errors import Code, StageError
from services.llm.engines.slots import Lease, Priority, SlotPool


def ask(pool: SlotPool, key: str, priority: Priority = Priority.ANSWER) -> Lease:
    return pool.request(key, priority, lambda: None)


def served(pool: SlotPool, *keys: str) -> list[int | None]:
    """The slots that sessions get one after the other, each giving its slot back before the next asks."""
    slots = []
    for key in keys:
        lease = ask(pool, key)
        slots.append(lease.slot)
        lease.release()
    return slots


def test_a_session_comes_back_to_its_slot() -> None:
    assert served(SlotPool(3, 0), "a", "b", "a", "b", "c", "a") == [0, 1, 0, 1, 2, 0]


def test_a_new_session_takes_the_slot_used_least_recently() -> None:
    assert served(SlotPool(2, 0), "a", "b", "a", "c", "a", "b") == [0, 1, 0, 1, 0, 1]


def test_a_session_whose_slot_is_busy_takes_another() -> None:
    pool = SlotPool(2, 0)
    assert [ask(pool, "a").slot, ask(pool, "a").slot] == [0, 1]


def test_a_session_waits_for_its_slot_if_that_is_about_to_be_free() -> None:
    pool = SlotPool(2, 1)
    first = ask(pool, "a")
    first.end_soon()
    second = ask(pool, "a")
    assert second.slot is None
    first.release()
    assert second.slot == 0


def test_waiting_for_its_slot_a_session_holds_nobody_up() -> None:
    pool = SlotPool(2, 1)
    first = ask(pool, "a")
    first.end_soon()
    ask(pool, "a")
    assert ask(pool, "b").slot == 1


def test_answers_are_served_before_prefills_and_then_by_arrival() -> None:
    pool = SlotPool(1, 2)
    holder = ask(pool, "a")
    order: list[str] = []

    def wait(name: str, priority: Priority) -> Lease:
        return pool.request(name, priority, lambda: order.append(name))

    waiting = [wait("prefill", Priority.PREFILL), wait("first", Priority.ANSWER), wait("second", Priority.ANSWER)]
    holder.release()
    for lease in (waiting[1], waiting[2], waiting[0]):
        assert lease.slot == 0
        lease.release()
    assert order == ["first", "second", "prefill"]
    assert pool.busy == 0


def test_a_prefill_waits_until_the_answers_have_begun_although_a_slot_is_idle() -> None:
    pool = SlotPool(3, 0)
    answers = [ask(pool, "a"), ask(pool, "b")]
    prefill = ask(pool, "c", Priority.PREFILL)
    answers[0].begun()
    assert prefill.slot is None
    answers[1].begun()
    assert prefill.slot == 2


def test_a_prefill_does_not_wait_for_an_answer_that_was_given_up() -> None:
    pool = SlotPool(2, 0)
    answer = ask(pool, "a")
    prefill = ask(pool, "b", Priority.PREFILL)
    answer.release()
    assert prefill.slot == 1


def test_the_load_is_the_answers_that_run_or_wait() -> None:
    pool = SlotPool(2, 2)
    assert str(pool.load) == "0/2"
    first = ask(pool, "a")
    first.begun()
    ask(pool, "b", Priority.PREFILL)
    assert str(pool.load) == "1/2"
    waiting = [ask(pool, "c"), ask(pool, "d"), ask(pool, "e", Priority.PREFILL)]
    assert str(pool.load) == "3/2"
    first.release()
    assert waiting[0].slot == 0
    assert str(pool.load) == "2/2"


def test_one_answer_too_many_is_refused_and_leaves_nothing_behind() -> None:
    pool = SlotPool(1, 1)
    holder, waiting = ask(pool, "a"), ask(pool, "b")
    with pytest.raises(StageError) as caught:
        ask(pool, "c")
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "SLOTS_EXHAUSTED")
    waiting.release()
    assert (pool.busy, pool.waiting) == (1, 0)
    holder.release()
    assert pool.busy == 0


def test_releasing_twice_frees_no_other_s_slot() -> None:
    pool = SlotPool(1, 0)
    first = ask(pool, "a")
    first.release()
    ask(pool, "b")
    first.release()
    assert pool.busy == 1
