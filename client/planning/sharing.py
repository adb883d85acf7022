"""Stages that share a processor, in simulated time. Pure.

A stage serves up to `slots` jobs at once, all at the same pace: with n of them each takes `slowdown(n)` times what it
takes alone, which is how a batch behaves. A stage that is busy wants `demand(n)` of its processor; where all stages of
a processor together want more than there is, each gets the same share of what it wants (generalised processor sharing,
Parekh and Gallager 1993). As all jobs of a stage go at one pace, a stage keeps one virtual clock, and a job ends when
that has gone on by the job's work; a change costs no more than a look at each stage of the processor.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

_ROUNDING = 1e-9


class Timeline:
    """Simulated time in seconds, and what is to happen when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Does it in so many seconds; what is due at the same instant is done in the order in which it was asked."""
        self._number += 1
        heappush(self._due, (self.now + max(0.0, seconds), self._number, do))

    def run_until(self, end: float) -> None:
        """Goes on to `end`."""
        while self._due and self._due[0][0] <= end:
            self.now, _, do = heappop(self._due)
            do()
        self.now = end


@dataclass(slots=True, eq=False)
class Job:
    """`work` is the seconds that it takes alone. Urgent jobs go before the others. `on_done` is called at its end."""

    work: float
    urgent: bool
    on_done: Callable[["Job"], None]
    submitted: float = 0.0
    finished: float | None = None
    cancelled: bool = False
    running: bool = False
    left: float = 0.0
    end: float = 0.0

    @property
    def delay(self) -> float:
        """Seconds that it took longer than it would have alone; 0 while it is not done."""
        return 0.0 if self.finished is None else max(0.0, self.finished - self.submitted - self.work)


@dataclass(slots=True)
class Usage:
    """What became of a stage's jobs, and its state integrated over time, in seconds."""

    submitted: int = 0
    done: int = 0
    cancelled: int = 0
    sojourn_s: float = 0.0
    """Time in the stage of all jobs that have left it."""
    jobs_s: float = 0.0
    busy_s: float = 0.0
    card_s: float = 0.0
    """Time of the processor that it got."""
    most: int = 0


@dataclass(frozen=True, slots=True)
class StageSpeed:
    """How a stage serves. `yields`: jobs that are not urgent stand still while one that is urgent is served; otherwise
    one that has begun goes on, and the urgent only come before it in the queue."""

    slots: int
    slowdown: Callable[[float], float]
    demand: Callable[[float], float]
    yields: bool = False


class Processor:
    """Cores or cards: `capacity` is what stages want by `demand`, in the same unit."""

    def __init__(self, timeline: Timeline, capacity: float) -> None:
        if capacity <= 0:
            raise ValueError(f"capacity: expected more than 0, got {capacity:g}")
        self.timeline = timeline
        self.capacity = capacity
        self.used_s = 0.0
        self._since = 0.0
        self._stages: list[Stage] = []

    def add(self, name: str, speed: StageSpeed) -> "Stage":
        """A stage of its own on this processor."""
        stage = Stage(name, speed, self)
        self._stages.append(stage)
        return stage

    def settle(self) -> None:
        """Brings every stage up to the present, at the pace it had."""
        now = self.timeline.now
        elapsed, self._since = now - self._since, now
        if elapsed > 0:
            for stage in self._stages:
                self.used_s += stage.advance(elapsed)

    def share(self) -> None:
        """Sets every stage's pace anew."""
        wanted = sum(stage.wanted for stage in self._stages)
        throttle = min(1.0, self.capacity / wanted) if wanted else 1.0
        for stage in self._stages:
            stage.go_on(throttle)


@dataclass(slots=True)
class _Lane:
    """Jobs of one urgency: those that run, by their end on the virtual clock, and those that wait."""

    ends: list[tuple[float, int, Job]] = field(default_factory=list)
    waiting: deque[Job] = field(default_factory=deque)
    running: int = 0
    queued: int = 0

    def first(self) -> Job | None:
        """The running job that ends first."""
        while self.ends and not self.ends[0][2].running:
            heappop(self.ends)
        return self.ends[0][2] if self.ends else None

    def next(self) -> Job:
        """The job that has waited longest."""
        job = self.waiting.popleft()
        while job.cancelled:
            job = self.waiting.popleft()
        self.queued -= 1
        return job


class Stage:
    """One stage on its processor."""

    def __init__(self, name: str, speed: StageSpeed, processor: Processor) -> None:
        self.name = name
        self.usage = Usage()
        self._speed = speed
        self._processor = processor
        self._urgent, self._patient = _Lane(), _Lane()
        self._clock = 0.0
        self._pace = 0.0
        self._throttle = 1.0
        self._first: float | None = None
        self._number = 0
        self._version = 0

    @property
    def running(self) -> int:
        """Jobs that are served now."""
        return self._urgent.running + self._patient.running

    @property
    def urgent(self) -> int:
        """Urgent jobs that are served or wait."""
        return self._urgent.running + self._urgent.queued

    @property
    def jobs(self) -> int:
        """Jobs that are served or wait."""
        return self.urgent + self._patient.running + self._patient.queued

    @property
    def wanted(self) -> float:
        """What it wants of its processor now."""
        return self._speed.demand(self.running) if self.running else 0.0

    def submit(self, work: float, on_done: Callable[[Job], None], *, urgent: bool = True) -> Job:
        """A new job."""
        job = Job(work, urgent, on_done, self._processor.timeline.now, left=work)
        self.usage.submitted += 1
        self._processor.settle()
        lane = self._urgent if urgent else self._patient
        lane.waiting.append(job)
        lane.queued += 1
        self._fill()
        return job

    def cancel(self, job: Job) -> None:
        """Takes it out; one that is done, or was taken out before, stays as it is."""
        if job.cancelled or job.finished is not None:
            return
        self._processor.settle()
        lane = self._urgent if job.urgent else self._patient
        if job.running:
            lane.running -= 1
        else:
            lane.queued -= 1
        job.cancelled, job.running = True, False
        self.usage.cancelled += 1
        self.usage.sojourn_s += self._processor.timeline.now - job.submitted
        self._fill()

    def advance(self, elapsed: float) -> float:
        """Serves for `elapsed` seconds at the pace it has; gives what it used of its processor."""
        running = self.running
        usage = self.usage
        usage.jobs_s += elapsed * self.jobs
        if not running:
            return 0.0
        used = elapsed * self._speed.demand(running) * self._throttle
        self._clock += elapsed * self._pace
        usage.busy_s += elapsed
        usage.card_s += used
        return used

    def go_on(self, throttle: float) -> None:
        """Serves with `throttle` of what it wants of its processor."""
        pace = throttle / self._speed.slowdown(self.running) if self.running else 0.0
        first = min((job.end for lane in (self._urgent, self._patient) if (job := lane.first())), default=None)
        self._throttle = throttle
        if (pace, first) == (self._pace, self._first):
            return  # its next end is due when it was
        self._pace, self._first = pace, first
        self._version += 1
        if first is not None:
            version = self._version
            due = max(0.0, first - self._clock) / pace
            self._processor.timeline.after(due, lambda: self._end(version))

    def _end(self, version: int) -> None:
        if version != self._version:
            return
        self._first = None  # what was due has come
        self._processor.settle()
        now = self._processor.timeline.now
        ended: list[Job] = []
        for lane in (self._urgent, self._patient):
            while (job := lane.first()) is not None and job.end <= self._clock + _ROUNDING:
                heappop(lane.ends)
                lane.running -= 1
                job.running, job.finished = False, now
                self.usage.done += 1
                self.usage.sojourn_s += now - job.submitted
                ended.append(job)
        self._fill()
        for job in ended:
            job.on_done(job)

    def _fill(self) -> None:
        """Gives slots to those who wait, the urgent first."""
        urgent, patient = self._urgent, self._patient
        if self._speed.yields and (urgent.running or urgent.queued):
            while patient.running:
                self._suspend()
        while urgent.queued and self.running < self._speed.slots:
            self._start(urgent, urgent.next())
        if not (self._speed.yields and urgent.running):
            while patient.queued and self.running < self._speed.slots:
                self._start(patient, patient.next())
        self.usage.most = max(self.usage.most, self.jobs)
        self._processor.share()

    def _start(self, lane: _Lane, job: Job) -> None:
        self._number += 1
        job.running, job.end = True, self._clock + job.left
        heappush(lane.ends, (job.end, self._number, job))
        lane.running += 1

    def _suspend(self) -> None:
        """The job that is not urgent and has most left waits again, with what it has done."""
        entry = max(each for each in self._patient.ends if each[2].running)
        self._patient.ends.remove(entry)
        self._patient.ends.sort()
        job = entry[2]
        job.running, job.left = False, max(0.0, job.end - self._clock)
        self._patient.running -= 1
        self._patient.queued += 1
        self._patient.waiting.appendleft(job)
