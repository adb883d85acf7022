from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.planning.sharing import Job, Processor, Stage, StageSpeed, Timeline


def flat(_count: float) -> float:
    return 1.0


def steeply(count: float) -> float:
    return 1 + 0.3 * (count - 1)


@dataclass(frozen=True)
class Arrival:
    at: float
    work: float
    urgent: bool
    cancel_after: float | None
    stage: int


arrivals = st.lists(
    st.builds(
        Arrival,
        at=st.floats(0, 5),
        work=st.floats(0.001, 2),
        urgent=st.booleans(),
        cancel_after=st.none() | st.floats(0, 2),
        stage=st.integers(0, 1),
    ),
    max_size=25,
)


class Bench:
    """Two stages on one processor, and every job that was put in, by its number."""

    def __init__(self, speed: StageSpeed, capacity: float = 1.0) -> None:
        self.timeline = Timeline()
        self.processor = Processor(self.timeline, capacity)
        self.stages = [self.processor.add(name, speed) for name in ("one", "two")]
        self.jobs: dict[int, Job] = {}
        self.order: list[int] = []

    def put(self, number: int, arrival: Arrival) -> None:
        stage = self.stages[arrival.stage]

        def submit() -> None:
            job = stage.submit(arrival.work, lambda _: self.order.append(number), urgent=arrival.urgent)
            self.jobs[number] = job
            if arrival.cancel_after is not None:
                self.timeline.after(arrival.cancel_after, lambda: stage.cancel(job))

        self.timeline.after(arrival.at, submit)

    def run(self, every: list[Arrival]) -> "Bench":
        for number, arrival in enumerate(every):
            self.put(number, arrival)
        self.timeline.run_until(1000.0)
        self.processor.settle()
        return self

    def finished(self) -> list[float]:
        return [self.jobs[number].finished or 0.0 for number in sorted(self.jobs)]


def speeds(slots: int, *, yields: bool = False, steep: bool = True) -> StageSpeed:
    return StageSpeed(slots, steeply if steep else flat, lambda count: 0.4 * count, yields)


@given(arrivals, st.integers(1, 4), st.booleans())
def test_no_job_is_lost_and_none_is_done_twice(every: list[Arrival], slots: int, yields: bool) -> None:
    bench = Bench(speeds(slots, yields=yields)).run(every)
    assert len(bench.order) == len(set(bench.order))
    for number, stage in enumerate(bench.stages):
        usage = stage.usage
        assert usage.submitted == sum(arrival.stage == number for arrival in every)
        assert usage.submitted == usage.done + usage.cancelled
        assert stage.running == stage.jobs == 0
    for number, job in bench.jobs.items():
        assert (job.finished is not None) == (number in bench.order) != job.cancelled


@given(arrivals, st.integers(1, 4), st.booleans())
def test_littles_law_holds(every: list[Arrival], slots: int, yields: bool) -> None:
    # L = λ W over a time that begins and ends empty: the time integral of the jobs inside is the sum of their sojourns.
    for stage in Bench(speeds(slots, yields=yields)).run(every).stages:
        assert stage.usage.jobs_s == pytest.approx(stage.usage.sojourn_s, abs=1e-6)
        assert stage.usage.busy_s <= stage.usage.jobs_s + 1e-6


@given(arrivals, st.integers(1, 4), st.booleans())
def test_nothing_is_done_sooner_than_alone_and_no_more_is_used_than_there_is(
    every: list[Arrival], slots: int, yields: bool
) -> None:
    bench = Bench(speeds(slots, yields=yields), capacity=0.7).run(every)
    for job in bench.jobs.values():
        if job.finished is not None:
            assert job.finished - job.submitted >= job.work - 1e-6
    assert bench.processor.used_s <= 0.7 * 1000 + 1e-6
    assert sum(stage.usage.card_s for stage in bench.stages) == pytest.approx(bench.processor.used_s)


@given(arrivals, st.integers(1, 3))
def test_more_servers_never_hurt(every: list[Arrival], slots: int) -> None:
    every = [Arrival(each.at, each.work, True, None, each.stage) for each in every]
    few = Bench(speeds(slots, steep=False), capacity=100).run(every).finished()
    more = Bench(speeds(slots + 1, steep=False), capacity=100).run(every).finished()
    assert all(later >= sooner - 1e-6 for later, sooner in zip(few, more, strict=True))


@given(arrivals, st.integers(1, 3), st.floats(1.0, 3.0))
def test_a_faster_processor_never_hurts(every: list[Arrival], slots: int, factor: float) -> None:
    every = [Arrival(each.at, each.work, True, None, 0) for each in every]
    slow = Bench(speeds(slots), capacity=0.5).run(every).finished()
    fast = Bench(speeds(slots), capacity=0.5 * factor).run(every).finished()
    assert all(later >= sooner - 1e-6 for later, sooner in zip(slow, fast, strict=True))


@given(arrivals)
@settings(max_examples=30)
def test_the_same_jobs_end_at_the_same_times(every: list[Arrival]) -> None:
    first, second = Bench(speeds(2)).run(every), Bench(speeds(2)).run(every)
    assert (first.order, first.finished()) == (second.order, second.finished())


def test_two_jobs_of_a_batch_take_as_long_as_the_curve_says() -> None:
    bench = Bench(speeds(4), capacity=10).run([Arrival(0, 1.0, True, None, 0), Arrival(0, 1.0, True, None, 0)])
    assert bench.finished() == pytest.approx([1.3, 1.3])


def test_stages_that_want_more_than_there_is_are_slowed_down_alike() -> None:
    # Each wants 0.4 of the processor, which has 0.6: both go at three quarters of their pace.
    bench = Bench(speeds(1), capacity=0.6).run([Arrival(0, 3.0, True, None, 0), Arrival(0, 3.0, True, None, 1)])
    assert bench.finished() == pytest.approx([4.0, 4.0])


def test_the_urgent_go_first_but_what_has_begun_goes_on() -> None:
    every = [Arrival(0, 1, False, None, 0), Arrival(0.1, 1, False, None, 0), Arrival(0.2, 1, True, None, 0)]
    assert Bench(speeds(1)).run(every).order == [0, 2, 1]


def test_a_stage_that_yields_stands_still_for_the_urgent_and_loses_nothing() -> None:
    every = [Arrival(0, 1, False, None, 0), Arrival(0.5, 1, True, None, 0)]
    bench = Bench(speeds(1, yields=True)).run(every)
    assert bench.finished() == pytest.approx([2.0, 1.5])


def test_what_is_cancelled_leaves_its_slot_to_the_next() -> None:
    bench = Bench(speeds(1)).run([Arrival(0, 9, True, 1.0, 0), Arrival(0, 1, True, None, 0)])
    assert bench.jobs[1].finished == pytest.approx(2.0)
    assert bench.jobs[1].delay == pytest.approx(1.0)
    assert bench.jobs[0].delay == 0


def test_a_processor_needs_some_capacity() -> None:
    with pytest.raises(ValueError, match="capacity: expected more than 0, got 0"):
        Processor(Timeline(), 0)


def test_stages_of_a_name_are_told_apart_by_their_processor() -> None:
    timeline = Timeline()
    stage = Processor(timeline, 1).add("llm", speeds(1))
    assert isinstance(stage, Stage)
    assert stage.wanted == 0
