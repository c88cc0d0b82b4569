"""Which job in line may start now: its slots are free and the budget allows it.

A job too large for the slots that are free keeps its turn: what comes behind it may only use slots that it leaves to
others anyway, so that it is never passed by for ever, and the account is not idle while it waits. Slots that were freed
for it one after the other are dear: when it ends, others of its size take them over as they are, so many in a row.
"""

import math
from collections import Counter

from kirin_batch.clock import Clock
from kirin_batch.jobs import Job
from kirin_batch.plan import SENDING
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
        self._known: set[str] = set()  # back in line, their budget reserved already
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
            while job := self._pick(kind):
                if not self._slots.fits_total(job.slots):
                    return None  # nothing passes by what waits for slots of all kinds
                if self._is_over_budget(job) and self._budget.may_free:
                    break  # what is in flight may turn out cheaper
                self._line.take(job)
                if self._afford(job):
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

    def _start(self, job: Job) -> None:
        size = self._sizes.get(job.kind)
        if size == job.slots:
            self._in_a_row[job.kind] += 1
            if self._in_a_row[job.kind] == _MOST_IN_A_ROW or not self._line.first(job.kind, sizes={size}):
                del self._sizes[job.kind], self._in_a_row[job.kind]
                self._passers.pop(job.kind, None)
        elif size is not None:
            self._passers.setdefault(job.kind, set()).add(job.id)
        self._take_slots(job)

    def _afford(self, job: Job) -> bool:
        """Reserve the job's cost; what no end of another job can make affordable is left for a larger budget."""
        if job.id in self._known:
            return True
        if self._is_over_budget(job):
            self._line.outcomes[job.id] = Outcome(Status.PENDING, TaskError("", "over budget"))
            self._observer.stepped(job, Stage.LEFT, "over budget")
            return False
        self._budget.reserve(job, self._line.jobs[job.id][1].estimated_cost)
        return True

    def _is_over_budget(self, job: Job) -> bool:
        planned = self._line.jobs[job.id][1]
        is_new = planned.action in SENDING and job.id not in self._known
        return is_new and not self._budget.allows(job, planned.estimated_cost)

    def _take_slots(self, job: Job) -> None:
        self._slots.take(job.kind, job.slots)
        self._holding.add(job.id)

    def free(self, job: Job, *, has_ended: bool) -> None:
        """Give the job's slots back, if it has any; `has_ended`: because its task has."""
        if job.id not in self._holding:
            return
        self._holding.remove(job.id)
        for passers in self._passers.values():
            passers.discard(job.id)
        (self._slots.end if has_ended else self._slots.give_back)(job.kind, job.slots)

    def put_back(self, job: Job, *, is_refused: bool) -> None:
        """The job waits for slots again.

        One that was refused with nothing else in use lets all others go first: smaller ones may fit.
        """
        self.free(job, has_ended=False)
        self._known.add(job.id)
        if is_refused and not self._slots.is_in_use(job.kind):
            self._line.send_back(job.id)
        else:
            self._line.put_back(job.id)
