"""Where a run stands, for people: counts, money, and a guess of the time that is left. Nothing is decided by it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from kirin_batch.clock import Clock, age_of
from kirin_batch.jobs import Job
from kirin_batch.plan import SENDING, Action, PlannedJob
from kirin_batch.records import Status
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.engine import Life
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.line import Line
from kirin_batch.scheduler.observer import KindMeasures, Measures
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.slots import Slots

__all__ = ["Gauge"]

_Item = TypeVar("_Item")
_MOST_SHARE = 0.02  # of the time may go into measuring; displays ask several times a second
_SAMPLE = 200  # jobs that stand for all of their kind, where there are more


@dataclass(slots=True)
class _Jobs:
    """The jobs of one kind: how many stand where, those whose tasks are to be made, and the ages of those that run."""

    waiting: int = 0
    in_flight: int = 0
    completed: int = 0
    failed: int = 0
    ahead: list[Job] = field(default_factory=list)
    running: list[tuple[Job, float]] = field(default_factory=list)

    def end(self, outcome: Outcome) -> None:
        """Count a job that this run is done with; what it leaves to the next one still waits, or is in flight."""
        if outcome.is_usable:
            self.completed += 1
        elif outcome.status is Status.IN_FLIGHT:
            self.in_flight += 1
        elif outcome.status is Status.PENDING:
            self.waiting += 1
        else:
            self.failed += 1

    def run(self, job: Job, age: float) -> None:
        """Count a job that is being worked at."""
        self.in_flight += 1
        self.running.append((job, age))

    def wait(self, job: Job, *, is_ahead: bool) -> None:
        """Count a job that has not begun; `is_ahead`: a task is to be made for it."""
        self.waiting += 1
        if is_ahead:
            self.ahead.append(job)


@dataclass(frozen=True, slots=True)
class _Work:
    """Slots and expected seconds of the tasks of one kind that are to be made, and of those that run: samples."""

    ahead: Sequence[tuple[int, float]]
    running: Sequence[tuple[int, float]]

    @property
    def longest(self) -> float:
        """Seconds of the longest task."""
        return max((seconds for _, seconds in (*self.ahead, *self.running)), default=0.0)


class Gauge:
    """Reads the parts of a run; changes none. To be asked where the run goes on: on its event loop."""

    def __init__(
        self,
        line: Line,
        lives: Mapping[str, Life],
        *,
        slots: Slots,
        budget: Budget,
        latencies: Latencies,
        clock: Clock,
    ) -> None:
        self._line = line
        self._lives = lives
        self._slots = slots
        self._budget = budget
        self._latencies = latencies
        self._clock = clock
        self._last: Measures | None = None
        self._good_until = 0.0

    def measure(self) -> Measures:
        """The measures as they are, or were a moment ago: making them costs the more, the more jobs there are.

        Where nothing is worked at, as at the end of a run, they are as they are.
        """
        begin = self._clock.monotonic()
        if self._last is None or not self._lives or begin >= self._good_until:
            self._last = self._take()
            self._good_until = begin + (self._clock.monotonic() - begin) / _MOST_SHARE
        return self._last

    def _take(self) -> Measures:
        slots = self._slots.snapshot()
        kinds = {kind: _Jobs() for kind in slots}
        for id_, (job, planned) in self._line.jobs.items():
            jobs = kinds[job.kind]
            if outcome := self._line.outcomes.get(id_):
                jobs.end(outcome)
            elif (life := self._lives.get(id_)) and life.is_in_line:
                jobs.wait(job, is_ahead=True)
            elif life:
                jobs.run(job, life.age)
            elif (created_at := _created_at(planned)) is not None:
                jobs.run(job, age_of(created_at, self._clock))
            else:
                jobs.wait(job, is_ahead=planned.action in SENDING)
        return Measures(
            kinds={kind: _kind_measures(jobs, slots[kind]) for kind, jobs in kinds.items()},
            spent=self._budget.spent,
            reserved=self._budget.reserved,
            seconds_left=self._guess(kinds),
        )

    def _guess(self, kinds: Mapping[str, _Jobs]) -> float | None:
        """The longest of what bounds a run: a kind's work through its slots, a single task, the longest chain."""
        if not any(jobs.ahead or jobs.running for jobs in kinds.values()):
            return None
        works = {kind: self._work(jobs) for kind, jobs in kinds.items()}
        through_slots = (
            (_mean_slot_seconds(work.ahead) * len(jobs.ahead) + _mean_slot_seconds(work.running) * len(jobs.running))
            / self._slots.most(kind)
            for (kind, work), jobs in zip(works.items(), kinds.values(), strict=True)
        )
        return max(*through_slots, *(work.longest for work in works.values()), *self._chains(works))

    def _work(self, jobs: _Jobs) -> _Work:
        of = self._latencies.of
        return _Work(
            ahead=[(job.slots, of(job).remaining(0.0)) for job in _sample(jobs.ahead)],
            running=[(job.slots, of(job).remaining(age)) for job, age in _sample(jobs.running)],
        )

    def _chains(self, works: Mapping[str, _Work]) -> Iterator[float]:
        """When each job that waits for others may have ended, in seconds from now, if all take as long as their kind's
        mean: what is to be made, or what runs.
        """
        seconds_ahead = {kind: _mean_seconds(work.ahead) for kind, work in works.items()}
        seconds_running = {kind: _mean_seconds(work.running) for kind, work in works.items()}
        ends: dict[str, float] = {}
        for id_, (job, _) in self._line.jobs.items():  # jobs stand behind what they need
            if id_ not in self._line.outcomes:
                own = (seconds_running if id_ in self._lives else seconds_ahead)[job.kind]
                ends[id_] = own + max((ends.get(need, 0.0) for need in job.needs), default=0.0)
                if job.needs:
                    yield ends[id_]


def _created_at(planned: PlannedJob) -> str | None:
    """When an earlier run made the task that a job is to be taken up with."""
    record = planned.record
    return record.created_at if planned.action is Action.RESUME and record and record.task_id else None


def _kind_measures(jobs: _Jobs, slots: tuple[int, int]) -> KindMeasures:
    in_use, limit = slots
    return KindMeasures(
        waiting=jobs.waiting,
        in_flight=jobs.in_flight,
        completed=jobs.completed,
        failed=jobs.failed,
        slots_in_use=in_use,
        slot_limit=limit,
    )


def _sample(items: Sequence[_Item]) -> Sequence[_Item]:
    return items[:: max(1, len(items) // _SAMPLE)]


def _mean_slot_seconds(tasks: Sequence[tuple[int, float]]) -> float:
    return sum(slots * seconds for slots, seconds in tasks) / len(tasks) if tasks else 0.0


def _mean_seconds(tasks: Sequence[tuple[int, float]]) -> float:
    return sum(seconds for _, seconds in tasks) / len(tasks) if tasks else 0.0
