"""The line in which jobs wait: which are ready, in what order, which wait for others, and how those that ended did.

First come, first served, but for jobs that others wait for: the longest chain of dependents goes first, so that the
end of a run is not one long chain that began late. Same specs, same order.
"""

import heapq
import math
from collections import deque
from collections.abc import Container, Iterable, Mapping

from kirin_batch.jobs import Job
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob
from kirin_batch.records import Status, TaskError
from kirin_batch.scheduler.outcome import Outcome

__all__ = ["Line"]

_STARTING = SENDING | {Action.RESUME, Action.FETCH, Action.UNKNOWN}
_CHAIN_SECONDS = {"image": 25.0, "video": 180.0}  # what a link of a chain weighs; fixed, so that the order is
_OTHER_SECONDS = 60.0
_CHAIN_WORTH = 4.0

_Place = tuple[float, int, str]
"""A job's place in line: the less the earlier. The negated seconds of what waits for it, when it came, its id."""


class Line:
    """Ids of jobs; those that need slots by kind, and within a kind by size, each in order."""

    def __init__(self, jobs: Mapping[str, Job], plan: Plan) -> None:
        starting = [planned for planned in plan.jobs if planned.action in _STARTING]
        self.outcomes: dict[str, Outcome] = {}
        self.jobs = {planned.job: (jobs[planned.job], planned) for planned in starting}
        self.at_gateway: deque[str] = deque()
        """Ready, and in need of no slot that is not taken already."""
        self._ready: dict[str, dict[int, list[_Place]]] = {}
        self._arrivals: dict[str, int] = {}
        self._last_arrival = 0
        self._dependents: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}
        self._is_closed = False
        for planned in starting:
            needs = self._open_needs(planned)
            if needs:
                self._missing[planned.job] = len(needs)
            for need in needs:
                self._dependents.setdefault(need, []).append(planned.job)
        self._weights = self._weigh()
        for planned in starting:
            self._make_ready(planned.job)

    def _open_needs(self, planned: PlannedJob) -> list[str]:
        """What the job waits for: nothing where its task exists, whose slots nobody counts until it is watched."""
        job = self.jobs[planned.job][0]
        return [] if _is_at_gateway(planned) else [need for need in job.needs if need in self.jobs]

    def _weigh(self) -> dict[str, float]:
        """The seconds of the longest chain of jobs that wait for each job; those that nobody waits for are left out."""
        weights: dict[str, float] = {}
        for job in reversed(self.jobs):  # jobs stand behind what they need
            if dependents := self._dependents.get(job):
                weights[job] = max(_seconds(self.jobs[other][0]) + weights.get(other, 0.0) for other in dependents)
        return weights

    def _make_ready(self, id_: str) -> None:
        if self._missing.get(id_) or self._is_closed:
            return
        if _is_at_gateway(self.jobs[id_][1]):
            self.at_gateway.append(id_)
            return
        self.put_back(id_)

    def put_back(self, id_: str) -> None:
        """The job waits for slots, at the place that it had, if it had one; in vain where nothing more may start."""
        if self._is_closed:
            return
        if id_ not in self._arrivals:
            self._arrive(id_)
        job, planned = self.jobs[id_]
        # An intent of a run that died may be a task that holds its slots already: what is new waits till it is seen.
        weight = math.inf if planned.action is Action.RESUME else self._weights.get(id_, 0.0)
        heap = self._ready.setdefault(job.kind, {}).setdefault(job.slots, [])
        heapq.heappush(heap, (-weight, self._arrivals[id_], id_))

    def send_back(self, id_: str) -> None:
        """The job waits for slots, behind all that wait now."""
        self._arrive(id_)
        self._weights.pop(id_, None)
        self.put_back(id_)

    def _arrive(self, id_: str) -> None:
        self._last_arrival += 1
        self._arrivals[id_] = self._last_arrival

    def kinds(self) -> list[str]:
        """The kinds of which a job waits for slots, the one whose first job is the first of all before the others."""
        heads = [(min(heap[0] for heap in sizes.values()), kind) for kind, sizes in self._ready.items() if sizes]
        return [kind for _, kind in sorted(heads)]

    def worth_of(self, job: Job) -> float:
        """What a second is worth by which the end of the job's task is seen late, in slots that others wait for.

        A chain of jobs that wait for it ends a second later too, and the run with it.
        """
        slots = job.slots if self._ready.get(job.kind) else 0
        return slots + (_CHAIN_WORTH if job.id in self._dependents else 0.0)

    def first(self, kind: str, *, sizes: Container[int] | None = None) -> Job | None:
        """The first job of a kind, or the first of those that take so many slots."""
        heaps = self._ready.get(kind, {}).items()
        heads = [heap[0] for slots, heap in heaps if sizes is None or slots in sizes]
        return self.jobs[min(heads)[2]][0] if heads else None

    def first_among(self, kind: str, ids: Container[str]) -> Job | None:
        """The first of some jobs of a kind; looks at all that wait."""
        places = [place for heap in self._ready.get(kind, {}).values() for place in heap if place[2] in ids]
        return self.jobs[min(places)[2]][0] if places else None

    def take(self, job: Job) -> None:
        """The job waits no longer."""
        sizes = self._ready[job.kind]
        heap = sizes[job.slots]
        if heap[0][2] == job.id:
            heapq.heappop(heap)
        else:
            heap[:] = (place for place in heap if place[2] != job.id)
            heapq.heapify(heap)
        if not heap:
            del sizes[job.slots]

    def end(self, job: str, outcome: Outcome) -> None:
        """Note how a job ended; what waited for it gets ready, or is blocked."""
        self.outcomes[job] = outcome
        for dependent in self._dependents.get(job, ()):
            if outcome.is_usable:
                self._missing[dependent] -= 1
                self._make_ready(dependent)
            elif outcome.status is not Status.IN_FLIGHT:
                self._block(dependent, job)

    def _block(self, job: str, because: str) -> None:
        blocked = [(job, because)]
        for dependent, need in blocked:  # grows on the way; a chain may be longer than Python's stack
            if dependent not in self.outcomes:
                error = TaskError("", f"it needs {need}, which has no result")
                self.outcomes[dependent] = Outcome(Status.BLOCKED, error)
                blocked += [(further, dependent) for further in self._dependents.get(dependent, ())]

    def drop_unstarted(self) -> None:
        """Start nothing more."""
        self._ready.clear()
        self.at_gateway.clear()
        self._is_closed = True

    def in_flight(self) -> Iterable[tuple[Job, PlannedJob]]:
        """Jobs whose tasks hold slots already, or may."""
        at_gateway = (start for start in self.jobs.values() if _is_at_gateway(start[1]))
        return [(job, planned) for job, planned in at_gateway if planned.action is not Action.FETCH]


def _is_at_gateway(planned: PlannedJob) -> bool:
    """Whether the job needs no slot that is not taken already."""
    has_task = planned.record is not None and planned.record.task_id is not None
    return planned.action in {Action.FETCH, Action.UNKNOWN} or (planned.action is Action.RESUME and has_task)


def _seconds(job: Job) -> float:
    return _CHAIN_SECONDS.get(job.kind, _OTHER_SECONDS)
