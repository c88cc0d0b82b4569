"""Which job in line may start now: its slots are free and the budget allows it.

A job too large for the slots that are free keeps its turn: what comes behind it may only use slots that it leaves to
others anyway, so that it is never passed by for ever, and the account is not idle while it waits. Slots that were freed
for it one after the other are dear: when it ends, others of its size take them over as they are, so many in a row.
"""

import math
from collections import Counter

from kirin_batch.clock import Clock
from kirin_batch.jobs import Job
from kirin_batch.plan import Action
from kirin_batch.records import Status, TaskError
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.line import Line
from kirin_batch.scheduler.observer import Observer, Stage
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.slots import Slots

__all__ = ["Admission"]


_MOST_IN_A_ROW = 32  # `benchmarks/makespan.py` shows what it saves; those that it passes by wait no longer than that


class Admission:
    """Takes jobs out of `line`, their slots and their budget taken; knows which hold slots."""

    def __init__(self, line: Line, slots: Slots, budget: Budget, *, clock: Clock, observer: Observer) -> None:
        self._line = line
        self._slots = slots
        self._budget = budget
        self._clock = clock
        self._observer = observer
        self._holding: set[str] = set()
        self._returned: set[str] = set()  # back in line, their budget reserved already
        self._sizes: dict[str, int] = {}  # by kind: of the job that waits for more slots than are free
        self._in_a_row: Counter[str] = Counter()
        self._passers: dict[str, set[str]] = {}  # by kind: what has passed it by
        for job, planned in line.in_flight():
            budget.reserve(job, planned.estimated_cost)
            self._take_slots(job)

    def next(self) -> str | None:
        """The job that starts now; None where all that wait must wait on."""
        if self._line.at_gateway:
            return self._line.at_gateway.popleft()
        now = self._clock.monotonic()
        for kind in self._line.kinds():
            if self._slots.opens_at(kind) > now:
                continue
            while job := self._line.first(kind, sizes=self._slots.out_of_reach(kind)):
                self._leave_out(job, "its slots are held by tasks that were left in flight")
            while job := self._pick(kind):
                if self._is_over_budget(job) and self._budget.may_free:  # what is in flight may turn out cheaper
                    job = self._pick_returned(kind)
                    if job is None:
                        break
                if not self._slots.fits_total(job.slots):
                    return None  # nothing passes by what waits for slots of all kinds
                if self._is_over_budget(job):
                    self._leave_out(job, "over budget")
                else:
                    self._start(job)
                    return job.id
        return None

    @property
    def opens_at(self) -> float:
        """The next moment at which a kind that jobs wait for opens; infinite where none is closed."""
        now = self._clock.monotonic()
        moments = (self._slots.opens_at(kind) for kind in self._line.kinds())
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _pick(self, kind: str) -> Job | None:
        """The first of the kind, if its slots are free; else the first that does not stand in its way."""
        kept = self._line.first(kind, sizes={self._sizes[kind]}) if kind in self._sizes else None
        if kept is None:
            self._end_row(kind)
        first = kept or self._line.first(kind)
        if first is None or self._slots.fits(kind, first.slots):
            return first
        if not self._slots.fits(kind, 1):
            return None
        self._sizes[kind] = first.slots
        passing = sum(self._line.jobs[job][0].slots for job in self._passers.get(kind, ()))
        room = self._slots.spare(kind, first.slots) - passing
        passer = self._line.first(kind, sizes=range(1, room + 1))
        return passer if passer and self._slots.fits(kind, passer.slots) else None

    def _pick_returned(self, kind: str) -> Job | None:
        """The first that need not wait for money: it would wait for an end of its own."""
        first = self._line.first_among(kind, self._returned) if self._returned else None
        return first if first and self._slots.fits(kind, first.slots) else None

    def _start(self, job: Job) -> None:
        self._line.take(job)
        if job.id in self._returned:
            self._returned.remove(job.id)
        else:
            self._budget.reserve(job, self._line.jobs[job.id][1].estimated_cost)
        size = self._sizes.get(job.kind)
        if size == job.slots:
            self._in_a_row[job.kind] += 1
            if self._in_a_row[job.kind] == _MOST_IN_A_ROW:
                self._end_row(job.kind)
        elif size is not None:
            self._passers.setdefault(job.kind, set()).add(job.id)
        self._take_slots(job)

    def _end_row(self, kind: str) -> None:
        self._sizes.pop(kind, None)
        self._in_a_row.pop(kind, None)
        self._passers.pop(kind, None)

    def _leave_out(self, job: Job, reason: str) -> None:
        """Nothing that may still come in this run can let the job start."""
        self._line.take(job)
        self._budget.leave(job)
        has_intent = job.id in self._returned or self._line.jobs[job.id][1].action is Action.RESUME
        status = Status.IN_FLIGHT if has_intent else Status.PENDING
        self._line.outcomes[job.id] = Outcome(status, TaskError("", reason))
        self._observer.stepped(job, Stage.LEFT, reason)

    def _is_over_budget(self, job: Job) -> bool:
        """An intent whose create was not answered counts as a job that is sent: it may have come to nothing."""
        planned = self._line.jobs[job.id][1]
        return job.id not in self._returned and not self._budget.allows(job, planned.estimated_cost)

    def _take_slots(self, job: Job) -> None:
        self._slots.take(job.kind, job.slots)
        self._holding.add(job.id)

    def free(self, job: Job, *, has_ended: bool) -> None:
        """Give the job's slots back, if it has any; `has_ended`: because its task has."""
        if self._let_go(job):
            (self._slots.end if has_ended else self._slots.give_back)(job.kind, job.slots)

    def leave(self, job: Job, *, is_at_work: bool) -> None:
        """The job's task outlives the run, or may: what it costs stays reserved.

        Its slots stay taken if it `is_at_work`: one that nobody finds may be nowhere, and would hold them run by run.
        """
        self._budget.leave(job)
        if self._let_go(job):
            (self._slots.leave if is_at_work else self._slots.give_back)(job.kind, job.slots)

    def _let_go(self, job: Job) -> bool:
        """Whether the job held slots; it counts as their holder no longer."""
        if job.id not in self._holding:
            return False
        self._holding.remove(job.id)
        for passers in self._passers.values():
            passers.discard(job.id)
        return True

    def put_back(self, job: Job, *, is_refused: bool) -> None:
        """The job waits for slots again.

        One that was refused with nothing else in use lets all others go first: smaller ones may fit.
        """
        self.free(job, has_ended=False)
        self._returned.add(job.id)
        if is_refused and not self._slots.is_at_work(job.kind):
            self._line.send_back(job.id)
        else:
            self._line.put_back(job.id)
