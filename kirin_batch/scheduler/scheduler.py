"""Decides which job starts when. Each job that is started lives in a task of its own (`life`), within one task group.

A job starts when what it needs is done, its slots are free and the budget allows it; of its kind, the first that became
ready goes first, so that a large job waits for its slots and is not passed by for ever. A job that waits holds nothing.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kirin_batch.clock import Clock
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.gateway.answers import Gateway
from kirin_batch.jobs import Job
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob
from kirin_batch.records import Status, TaskError
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.life import BuildParams, Rules, Surroundings, TaskLife
from kirin_batch.scheduler.observer import Observer, Stage
from kirin_batch.scheduler.outcome import Collector, Outcome, Recorder
from kirin_batch.scheduler.patience import Patience
from kirin_batch.scheduler.slots import Slots

__all__ = ["Limits", "Scheduler"]

_GRACE_SECONDS = 1.0  # for creates that are under way when an interrupt comes: their answers hold task ids

_STARTING = SENDING | {Action.RESUME, Action.FETCH, Action.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`slots` by kind; `max_cost` in USD for this run; `fail_fast` starts nothing after a failure."""

    slots: Mapping[str, int]
    max_cost: Decimal | None = None
    fail_fast: bool = False


class Scheduler:
    """One run of a plan; `run` once."""

    def __init__(  # noqa: PLR0913 - each is a part of the world that a test replaces
        self,
        *,
        gateway: Gateway,
        ledger: Recorder,
        collector: Collector,
        build_params: BuildParams,
        clock: Clock,
        observer: Observer,
        rules: Rules,
        limits: Limits,
    ) -> None:
        self._slots = Slots(limits.slots)
        self._budget = Budget(limits.max_cost)
        self._fail_fast = limits.fail_fast
        self._observer = observer
        self._around = Surroundings(
            patience=Patience(gateway, clock, observer, self._slots),
            recorder=ledger,
            collector=collector,
            clock=clock,
            observer=observer,
            rules=rules,
            build_params=build_params,
            task_began=self._grow_slots,
            task_ended=self._free_slots,
        )
        self._holding: set[str] = set()
        self._queue = _Queue({}, Plan(()))
        self._changed = asyncio.Event()
        self._stopping = False
        self._refusal: KirinError | None = None

    @property
    def spent(self) -> Decimal:
        """USD that the tasks of this run cost so far."""
        return self._budget.spent

    def stop(self) -> None:
        """Start nothing more and leave what is in flight for the next run; `run` returns within about a second."""
        self._stopping = True
        self._changed.set()

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """How the jobs ended that were started, or blocked by a failure, by id."""
        return self._queue.outcomes

    async def run(self, jobs: Mapping[str, Job], plan: Plan) -> None:
        """Carry out what `plan` says of `jobs`; `outcomes` tell of each.

        Raises GatewayRefusedError, GatewayUnreachableError, and KirinError for a disk that refuses.
        """
        self._queue = _Queue(jobs, plan)
        self._observer.began(len(plan.jobs), working=len(self._queue.waiting))
        try:
            async with asyncio.TaskGroup() as group:
                await self._dispatch(group)
        except BaseExceptionGroup as errors:
            raise _foremost(errors) from errors
        if self._refusal:
            raise self._refusal

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        lives: dict[asyncio.Task[None], TaskLife] = {}
        while not self._stopping:
            while start := self._next():
                life = TaskLife(*start, self._around)
                task = group.create_task(self._live(start[0], life))
                lives[task] = life
                task.add_done_callback(lambda task: self._end_life(lives, task))
            self._tell_measures()
            if not lives:
                return
            await self._changed.wait()
            self._changed.clear()
        await _wind_up(lives)

    def _end_life(self, lives: dict["asyncio.Task[None]", TaskLife], task: "asyncio.Task[None]") -> None:
        del lives[task]
        self._changed.set()

    async def _live(self, job: Job, life: TaskLife) -> None:
        try:
            outcome = await life.live()
        except (GatewayRefusedError, GatewayUnreachableError) as error:
            # Creates that are under way get the same answer: within the grace they take their intents back.
            self._refusal = self._refusal or error
            self.stop()
            return
        finally:
            self._free_slots(job)
        if outcome.status in {Status.IN_FLIGHT, Status.UNKNOWN}:
            self._budget.leave(job)
        else:
            is_done = outcome.status is Status.COMPLETED
            self._budget.settle(job, outcome.cost, completed=is_done, is_adopted=outcome.is_adopted)
        self._queue.end(job.id, outcome)
        if self._fail_fast and outcome.status is Status.FAILED:
            self._queue.drop_unstarted()

    def _next(self) -> tuple[Job, PlannedJob] | None:
        """The next job to start, its slots and budget taken; None where all that is ready must wait."""
        for ready in self._queue.ready.values():
            while ready:
                job, planned = ready[0]
                if not self._may_start(job, planned):
                    break
                ready.popleft()
                if self._afford(job, planned):
                    self._take_slots(job, planned)
                    return job, planned
        return None

    def _may_start(self, job: Job, planned: PlannedJob) -> bool:
        if _is_at_gateway(planned):
            return True
        if self._is_over_budget(job, planned) and self._budget.may_free:
            return False  # what is in flight may turn out cheaper
        return self._slots.fits(job.kind, job.slots)

    def _afford(self, job: Job, planned: PlannedJob) -> bool:
        """Reserve the job's cost; what no end of another job can make affordable is left for a larger budget."""
        if self._is_over_budget(job, planned):
            self._queue.outcomes[job.id] = Outcome(Status.PENDING, TaskError("", "over budget"))
            self._observer.stepped(job, Stage.LEFT, "over budget")
            return False
        if planned.action is not Action.FETCH:
            self._budget.reserve(job, planned.estimated_cost)
        return True

    def _is_over_budget(self, job: Job, planned: PlannedJob) -> bool:
        return planned.action in SENDING and not self._budget.allows(job, planned.estimated_cost)

    def _take_slots(self, job: Job, planned: PlannedJob) -> None:
        if planned.action is not Action.FETCH:
            self._slots.take(job.kind, job.slots)
            self._holding.add(job.id)

    def _free_slots(self, job: Job) -> None:
        if job.id in self._holding:
            self._holding.remove(job.id)
            self._slots.give_back(job.kind, job.slots)
            self._changed.set()

    def _grow_slots(self, job: Job) -> None:
        self._slots.grow(job.kind)
        self._changed.set()

    def _tell_measures(self) -> None:
        self._observer.measured(self._slots.snapshot(), self._budget.spent)


class _Queue:
    """Which jobs are ready, by kind and in order; which wait for others; how those that ended did."""

    def __init__(self, jobs: Mapping[str, Job], plan: Plan) -> None:
        starting = [planned for planned in plan.jobs if planned.action in _STARTING]
        self.outcomes: dict[str, Outcome] = {}
        self.ready: dict[str, deque[tuple[Job, PlannedJob]]] = {}
        self.waiting = {planned.job: (jobs[planned.job], planned) for planned in starting}
        self._dependents: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}
        self._is_closed = False
        for planned in starting:
            needs = self._open_needs(jobs[planned.job], planned)
            self._missing[planned.job] = len(needs)
            for need in needs:
                self._dependents.setdefault(need, []).append(planned.job)
        # What the gateway already runs, or may, goes first: its slots are taken whether we watch it or not.
        for planned in sorted(starting, key=lambda planned: (not _is_at_gateway(planned), planned.action in SENDING)):
            self._make_ready(planned.job)

    def _open_needs(self, job: Job, planned: PlannedJob) -> list[str]:
        """What the job waits for: nothing where its task exists, whose slots nobody counts until it is watched."""
        return [] if _is_at_gateway(planned) else [need for need in job.needs if need in self.waiting]

    def _make_ready(self, job: str) -> None:
        if not self._missing[job] and not self._is_closed:
            start = self.waiting[job]
            self.ready.setdefault(start[0].kind, deque()).append(start)

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
        self.ready.clear()
        self._is_closed = True


def _is_at_gateway(planned: PlannedJob) -> bool:
    """Whether the job needs no slot that is not taken already."""
    has_task = planned.record is not None and planned.record.task_id is not None
    return planned.action in {Action.FETCH, Action.UNKNOWN} or (planned.action is Action.RESUME and has_task)


async def _wind_up(lives: Mapping["asyncio.Task[None]", TaskLife]) -> None:
    creating = [task for task, life in lives.items() if life.is_creating]
    for task in set(lives) - set(creating):
        task.cancel()
    if creating:
        await asyncio.wait(creating, timeout=_GRACE_SECONDS)
    for task in tuple(lives):
        task.cancel()


def _foremost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that the user is told: an expected one only where there is no bug beside it."""
    expected, bugs = errors.split(KirinError)
    if bugs is not None or expected is None:
        return errors
    first: BaseException = expected
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
