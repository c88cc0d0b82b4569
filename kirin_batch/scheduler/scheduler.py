"""Carries a plan out: lets each life take a step when it has what it needs, with a bounded number of steps at once.

A life that waits, for the end of its task say, is an entry in one heap and no coroutine. Steps have places: some for
requests, which due queries take before new jobs do, and some for downloads, whose tasks hold no slots any more. Lives
that wait for news of work done elsewhere take no place.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from kirin_batch.clock import Clock
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.jobs import Job
from kirin_batch.plan import Plan
from kirin_batch.records import Status
from kirin_batch.scheduler.admission import Admission
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.engine import Engine, Life
from kirin_batch.scheduler.gauge import Gauge
from kirin_batch.scheduler.life import Need, Pause
from kirin_batch.scheduler.line import Line
from kirin_batch.scheduler.observer import Observer
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.slots import Slots
from kirin_batch.scheduler.timers import Alarm, Timers

__all__ = ["Limits", "Scheduler"]

_GRACE_SECONDS = 1.0  # for creates that are under way when an interrupt comes: their answers hold task ids
_ASKING = 64  # steps that ask the gateway at once; it has as many connections at most
_SHARE = 48  # of them, those of jobs that start, and those of queries: neither keeps the other waiting for ever
_COLLECTING = 64  # steps that bring results at once, whose downloads are limited by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`slots` by kind, `total` over all kinds; `max_cost` in USD for this run.

    `fail_fast` starts nothing after a failure.
    """

    slots: Mapping[str, int]
    total: int | None = None
    max_cost: Decimal | None = None
    fail_fast: bool = False


class Scheduler:
    """One run of a plan; `run` once."""

    def __init__(self, engine: Engine, *, clock: Clock, observer: Observer, limits: Limits) -> None:
        self._engine = engine
        self._clock = clock
        self._observer = observer
        self._slots = Slots(limits.slots, clock, total=limits.total)
        self._budget = Budget(limits.max_cost)
        self._fail_fast = limits.fail_fast
        engine.attach(self._slots, self._worth_of)
        self._open({}, Plan(()))
        self._lives: dict[str, Life] = {}
        self._queries = Timers()
        self._retries = Timers()
        self._due: deque[str] = deque()
        self._ended: deque[str] = deque()
        self._away: deque[str] = deque()
        self._steps: dict[Life, asyncio.Task[None]] = {}
        self._busy: Counter[_Place] = Counter()
        self._changed = asyncio.Event()
        self._stopping = False
        self._refusal: KirinError | None = None

    def _open(self, jobs: Mapping[str, Job], plan: Plan) -> None:
        self._line = Line(jobs, plan)
        self._admission = Admission(self._line, self._slots, self._budget, clock=self._clock, observer=self._observer)

    def _worth_of(self, job: Job) -> float:
        return self._line.worth_of(job)

    @property
    def spent(self) -> Decimal:
        """USD that the tasks of this run cost so far."""
        return self._budget.spent

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """How the jobs ended that were started, or blocked by a failure, by id."""
        return self._line.outcomes

    def stop(self) -> None:
        """Start nothing more and leave what is in flight for the next run; `run` returns within about a second."""
        self._stopping = True
        self._changed.set()

    async def run(self, jobs: Mapping[str, Job], plan: Plan) -> None:
        """Carry out what `plan` says of `jobs`; `outcomes` tell of each.

        Raises GatewayRefusedError, GatewayUnreachableError, and KirinError for a disk that refuses.
        """
        self._budget.know(plan.dearest)
        self._open(jobs, plan)
        gauge = Gauge(
            self._line,
            self._lives,
            slots=self._slots,
            budget=self._budget,
            latencies=self._engine.latencies,
            clock=self._clock,
        )
        self._observer.began(len(plan.jobs), working=len(self._line.jobs), measure=gauge.measure)
        try:
            async with asyncio.TaskGroup() as group:
                await self._dispatch(group)
        except BaseExceptionGroup as errors:
            raise _foremost(errors) from errors
        if self._refusal:
            raise self._refusal

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        alarm = Alarm(self._clock, group, self._changed.set)
        try:
            while not self._stopping:
                self._wake()
                while start := self._next_step():
                    self._begin_step(group, *start)
                next_moment = min(self._queries.next_due, self._retries.next_due, self._admission.opens_at)
                if not self._steps and next_moment == math.inf:
                    break
                alarm.set(next_moment)
                await self._changed.wait()
                self._changed.clear()
            await self._wind_up(group)
            await self._withdraw(group)
        finally:
            alarm.cancel()

    def _wake(self) -> None:
        now = self._clock.monotonic()
        self._due.extend(self._queries.pop_due(now))
        for job in self._retries.pop_due(now):
            self._admission.put_back(self._line.jobs[job][0], is_refused=False)

    def _next_step(self) -> tuple[str, "_Place"] | None:
        """The job that may take a step, and the place that it takes; None where all that could must wait."""
        if self._away:
            return self._away.popleft(), _Place.AWAY
        if self._ended and self._busy[_Place.DOWNLOAD] < _COLLECTING:
            return self._ended.popleft(), _Place.DOWNLOAD
        if self._busy[_Place.QUERY] + self._busy[_Place.START] < _ASKING:
            if self._due and self._busy[_Place.QUERY] < _SHARE:
                return self._due.popleft(), _Place.QUERY
            if self._busy[_Place.START] < _SHARE and (job := self._admission.next()):
                return job, _Place.START
        return None

    def _begin_step(self, group: asyncio.TaskGroup, id_: str, place: "_Place") -> None:
        job, planned = self._line.jobs[id_]
        life = self._lives.get(id_)
        if life is None:
            life = self._lives[id_] = self._engine.begin(job, planned)
        self._busy[place] += 1
        self._steps[life] = group.create_task(self._step(job, life, place))

    async def _step(self, job: Job, life: Life, place: "_Place") -> None:
        try:
            found = await life.step()
            if isinstance(found, Outcome):
                self._end(job, found)
            else:
                self._let_wait(job, found)
        except (GatewayRefusedError, GatewayUnreachableError) as error:
            # Creates that are under way get the same answer: within the grace they take their intents back.
            self._refusal = self._refusal or error
            self.stop()
        finally:
            del self._steps[life]
            self._busy[place] -= 1
            self._changed.set()

    def _let_wait(self, job: Job, pause: Pause) -> None:
        due = self._clock.monotonic() + pause.seconds
        match pause.need:
            case Need.QUERY:
                self._queries.add(job.id, due=due)
            case Need.DOWNLOAD:
                self._admission.free(job, has_ended=True)
                self._ended.append(job.id)
            case Need.SLOTS:
                self._admission.free(job, has_ended=True)
                self._retries.add(job.id, due=due)
            case Need.REFUSED_SLOTS:
                self._admission.put_back(job, is_refused=True)
            case Need.NEWS:
                self._away.append(job.id)
            case Need.LATE_NEWS:
                self._admission.free(job, has_ended=True)
                self._away.append(job.id)

    def _end(self, job: Job, outcome: Outcome) -> None:
        del self._lives[job.id]
        if outcome.status in {Status.IN_FLIGHT, Status.UNKNOWN}:
            self._admission.leave(job, is_at_work=outcome.status is Status.IN_FLIGHT)
        else:
            self._admission.free(job, has_ended=True)
            is_done = outcome.status is Status.COMPLETED
            self._budget.settle(job, outcome.cost, completed=is_done, is_adopted=outcome.is_adopted)
        self._line.end(job.id, outcome)
        if self._fail_fast and outcome.status is Status.FAILED:
            self._line.drop_unstarted()

    async def _wind_up(self, group: asyncio.TaskGroup) -> None:
        while self._away:  # what was sent in the last moment may hear of a task
            self._begin_step(group, self._away.popleft(), _Place.AWAY)
        if self._lives:
            await self._engine.recall()
        creating = [task for life, task in self._steps.items() if life.is_creating]
        for task in set(self._steps.values()) - set(creating):
            task.cancel()
        if creating:
            await asyncio.wait(creating, timeout=_GRACE_SECONDS)
        for task in tuple(self._steps.values()):
            task.cancel()

    async def _withdraw(self, group: asyncio.TaskGroup) -> None:
        """What the gateway had no slot for is left as it was before the run."""
        waiting = [life for life in self._lives.values() if life.is_in_line and life not in self._steps]
        if withdrawals := [group.create_task(life.withdraw()) for life in waiting]:
            _, late = await asyncio.wait(withdrawals, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()


class _Place(IntEnum):
    """What a step takes one of while it is under way."""

    START = 1  # a request of a job that starts
    QUERY = 2  # a query of a task that runs
    DOWNLOAD = 3
    AWAY = 4  # nothing is done here but to wait


def _foremost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that the user is told: an expected one only where there is no bug beside it."""
    expected, bugs = errors.split(KirinError)
    if bugs is not None or expected is None:
        return errors
    first: BaseException = expected
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
