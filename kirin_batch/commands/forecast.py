"""What carrying out a plan would take: slots, time, and which jobs would not fit into the budget. Sends nothing.

The run is played through with the time that each task is expected to take: jobs start in the order of the plan as slots
get free and what they need is done, and each is paid for as it is estimated.
"""

import heapq
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from kirin_batch.clock import Clock, SystemClock, age_of
from kirin_batch.jobs import Job
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob
from kirin_batch.project import Project
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.learned import Latencies, load_latencies

__all__ = ["Forecast", "SlotNeed", "forecast_run"]

_TAKING = SENDING | {Action.RESUME}  # what holds slots while its task runs


@dataclass(frozen=True, slots=True)
class SlotNeed:
    """Of one kind: how many slots all tasks take together, and how many may be in use at once."""

    needed: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`seconds` until the last task may have ended; None where nothing is to be waited for. `over_budget`: jobs that
    `max_cost` USD do not suffice for, and those that need them, in the order of the plan.
    """

    slots: Mapping[str, SlotNeed] = field(default_factory=dict)
    seconds: float | None = None
    max_cost: Decimal | None = None
    over_budget: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form of `plan --format json`."""
        return {
            "slots": {kind: {"needed": need.needed, "limit": need.limit} for kind, need in self.slots.items()},
            "expected_seconds": None if self.seconds is None else round(self.seconds),
            "max_cost": None if self.max_cost is None else str(self.max_cost),
            "over_budget": list(self.over_budget),
        }


def forecast_run(
    plan: Plan,
    jobs: Mapping[str, Job],
    project: Project,
    *,
    max_cost: Decimal | None = None,
    latencies: Latencies | None = None,
    clock: Clock | None = None,
) -> Forecast:
    """The forecast for a plan; `max_cost` replaces that of kirin.yaml, `latencies` what runs of the project learned."""
    most = project.settings.max_cost if max_cost is None else max_cost
    taking = {planned.job: planned for planned in plan.jobs if planned.action in _TAKING}
    if not taking:
        return Forecast(max_cost=most)
    needed = Counter[str]()
    for job in taking:
        needed[jobs[job].kind] += jobs[job].slots
    limits = project.settings.slots
    course = _Course(taking, jobs, limits, _budget_of(plan, jobs, most), latencies or load_latencies(project.latencies))
    course.play(clock or SystemClock())
    return Forecast(
        slots={kind: SlotNeed(needed[kind], limits[kind]) for kind in limits if needed[kind]},
        seconds=course.now or None,
        max_cost=most,
        over_budget=tuple(job for job in taking if job not in course.started),
    )


def _budget_of(plan: Plan, jobs: Mapping[str, Job], most: Decimal | None) -> Budget:
    """The budget as a run begins with it: what is in flight already is reserved, and nothing else."""
    budget = Budget(most)
    budget.know(plan.dearest)
    for planned in plan.jobs:
        if planned.action is Action.UNKNOWN or _running_since(planned):
            budget.reserve(jobs[planned.job], planned.estimated_cost)
            budget.leave(jobs[planned.job])
    return budget


def _running_since(planned: PlannedJob) -> str | None:
    """When the task was made that the job is to be taken up with."""
    record = planned.record
    return record.created_at if planned.action is Action.RESUME and record and record.task_id else None


class _Course:
    """A run on a clock of its own: `now` is in seconds from its beginning, `started` are the jobs that began."""

    def __init__(
        self,
        taking: Mapping[str, PlannedJob],
        jobs: Mapping[str, Job],
        limits: Mapping[str, int],
        budget: Budget,
        latencies: Latencies,
    ) -> None:
        self.now = 0.0
        self.started: set[str] = set()
        self._taking = taking
        self._jobs = jobs
        self._limits = limits
        self._free = dict(limits)
        self._budget = budget
        self._latencies = latencies
        self._ready: dict[str, deque[Job]] = {kind: deque() for kind in limits}
        self._ends: list[tuple[float, str]] = []
        self._missing: dict[str, int] = {}
        self._dependents: dict[str, list[Job]] = {}

    def play(self, clock: Clock) -> None:
        for id_, planned in self._taking.items():
            job = self._jobs[id_]
            if since := _running_since(planned):
                self._begin(job, self._latencies.of(job).remaining(age_of(since, clock)))
            else:
                self._line_up(job)
        self._start_ready()
        while self._ends:
            self.now, ended = heapq.heappop(self._ends)
            self._end(self._jobs[ended])
            self._start_ready()

    def _line_up(self, job: Job) -> None:
        needs = [need for need in job.needs if need in self._taking]
        if not needs:
            self._ready[job.kind].append(job)
            return
        self._missing[job.id] = len(needs)
        for need in needs:
            self._dependents.setdefault(need, []).append(job)

    def _start_ready(self) -> None:
        for kind, ready in self._ready.items():
            while ready and self._slots(ready[0]) <= self._free[kind]:
                job = ready.popleft()
                cost = self._taking[job.id].estimated_cost
                if self._budget.allows(job, cost):
                    self._budget.reserve(job, cost)
                    self._budget.settle(job, None, completed=True)
                    self._begin(job, self._latencies.of(job).remaining(0.0))

    def _slots(self, job: Job) -> int:
        """A job that is larger than the account runs alone, as far as this goes."""
        return min(job.slots, self._limits[job.kind])

    def _begin(self, job: Job, seconds: float) -> None:
        self.started.add(job.id)
        self._free[job.kind] -= self._slots(job)
        heapq.heappush(self._ends, (self.now + seconds, job.id))

    def _end(self, job: Job) -> None:
        self._free[job.kind] += self._slots(job)
        for dependent in self._dependents.get(job.id, ()):
            self._missing[dependent.id] -= 1
            if not self._missing[dependent.id]:
                self._ready[dependent.kind].append(dependent)
