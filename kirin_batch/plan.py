"""What a run would do, and why: the manifest against what is recorded. Decides, and does nothing.

The rule that saves money: a job is created only where no record, its own or that of an id which asks for something else
by now, already has a task of its digest.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from kirin_batch.changes import Change
from kirin_batch.error_codes import is_content_refusal, is_transient
from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.prices import Estimates, Source
from kirin_batch.records import Output, Record, Status

__all__ = ["SENDING", "WORK", "Action", "Plan", "PlanOptions", "PlannedJob", "make_plan", "pick"]


class Action(StrEnum):
    """What a run does with a job; the words of `plan`."""

    CREATE = "create"
    RESUME = "resume"
    FETCH = "fetch"
    RETRY = "retry"
    FAILED = "failed"
    UNKNOWN = "unknown"
    MOVE = "move"
    BLOCKED = "blocked"
    ORPHAN = "orphan"
    NONE = "none"


SENDING = frozenset({Action.CREATE, Action.RETRY})
"""Actions that make a new task, which costs."""

WORK = SENDING | {Action.RESUME, Action.FETCH, Action.MOVE}
"""Actions that leave something else behind than they found."""

_PRICED = SENDING | {Action.RESUME, Action.UNKNOWN}  # what is in flight has an estimate, because a budget counts it
_STUCK = frozenset({Action.FAILED, Action.UNKNOWN, Action.BLOCKED})
_SETTLED = frozenset({Action.NONE, Action.ORPHAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One line of a plan.

    `record` is where the run starts from (None: nothing is known of a task), `attempt` and `external_task_id` are those
    of the task that the action is about. `moved_from` is the id under which the record stands in the lockfile,
    `taken_from` the id of another job, whose history the record's task is taken from. `estimated_cost` is None where
    nothing is sent, and where no price is known: then there is no `estimate_source` either.
    """

    job: str
    model: str
    action: Action
    reason: str
    digest: str
    external_task_id: str
    attempt: int = 1
    record: Record | None = None
    moved_from: str | None = None
    taken_from: str | None = None
    estimated_cost: Decimal | None = None
    estimate_source: Source | None = None
    changes: tuple[Change, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the job's task is of another request than it has now."""
        return self.action is not Action.ORPHAN and self.record is not None and self.record.digest != self.digest

    @property
    def is_stale(self) -> bool:
        """Whether the job has results, and they are of requests that it does not make any more."""
        record = self.record
        if record is None or self.action is Action.ORPHAN:
            return False
        made = {task.digest for task in record.tasks if task.status is Status.COMPLETED}
        return bool(made) and self.digest not in made


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs in the order of the specs, orphans last. `dearest`: USD of the dearest task that is known, or expected."""

    jobs: tuple[PlannedJob, ...]
    dearest: Decimal | None = None

    def count(self) -> dict[str, int]:
        """How many jobs each action has, in the order of `Action`, without zeros."""
        actions = [planned.action for planned in self.jobs]
        return {str(action): actions.count(action) for action in Action if action in actions}

    @property
    def estimated_cost(self) -> Decimal | None:
        """USD of all that would be created, a job of unknown price as the dearest known; None where none is known."""
        costs = [planned.estimated_cost for planned in self.jobs if planned.action in SENDING]
        known = [cost for cost in costs if cost is not None]
        if self.dearest is None and self.unpriced:
            return None
        return sum(known, Decimal(0)) + self.unpriced * (self.dearest or 0)

    @property
    def unpriced(self) -> int:
        """How many jobs would be created of whose price nothing is known."""
        return sum(planned.action in SENDING and planned.estimated_cost is None for planned in self.jobs)

    @property
    def has_work(self) -> bool:
        """Whether a run would do anything."""
        return any(planned.action in WORK for planned in self.jobs)

    @property
    def is_settled(self) -> bool:
        """Whether every job has its results: there is nothing to do, and nothing that only the user could mend."""
        return all(planned.action in _SETTLED for planned in self.jobs)

    def settled_records(self) -> tuple[Record, ...]:
        """The records of the jobs that have their results."""
        return tuple(planned.record for planned in self.jobs if planned.record and planned.action is Action.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the user and kirin.yaml decide: `retries` after transient failures, what to send again on demand, and which
    jobs are `excluded`: what needs their results must have them already. `takes_made_up`: whether prices of a sandbox
    may be told where no other is known.
    """

    namespace: str = ""
    retries: int = 1
    retry_failed: bool = False
    resend: Container[str] = ()
    excluded: Container[str] = ()
    takes_made_up: bool = False
    download: bool = True


def make_plan(
    jobs: Mapping[str, Job],
    records: Mapping[str, Record],
    *,
    is_present: Callable[[Output], bool],
    estimates: Estimates,
    options: PlanOptions,
) -> Plan:
    """The plan for `jobs`, which stand in the order of their dependencies.

    `is_present` tells whether a result is on disk as it was recorded. Records of jobs that no spec has are orphans,
    but for those that a job of the same digest takes along (a rename).
    """
    moves = _find_moves(jobs, records)
    planner = _Planner(records, moves, _find_left(jobs, records, moves), _find_refusals(records), is_present, options)
    planned: dict[str, PlannedJob] = {}
    for job in jobs.values():
        decision = planner.decide(job)
        reason = _find_block(job, planned, options.excluded) if decision.action in SENDING else None
        if reason:
            decision = replace(decision, action=Action.BLOCKED, reason=reason)
        planned[job.id] = _price(decision, job, estimates)
    taken = {decision.moved_from for decision in planned.values()}
    orphans = [_orphan(record) for id_, record in sorted(records.items()) if id_ not in jobs and id_ not in taken]
    return Plan((*planned.values(), *orphans), _dearest(planned.values(), estimates))


def _dearest(planned: Iterable[PlannedJob], estimates: Estimates) -> Decimal | None:
    """What a job of unknown price counts as; not looked for where nothing is to be paid."""
    costs = [decision.estimated_cost for decision in planned if decision.action in _PRICED]
    known = [cost for cost in (*costs, estimates.dearest if costs else None) if cost is not None]
    return max(known, default=None)


def _find_block(job: Job, planned: Mapping[str, PlannedJob], excluded: Container[str]) -> str | None:
    """Why a job cannot be sent, if so: what it needs, which stands before it in `planned`, will have no result."""
    for need in job.needs:
        if planned[need].action in _STUCK:
            return f"it needs {need}, which has no result"
        if need in excluded and planned[need].action not in {Action.NONE, Action.FETCH}:
            return f"it needs {need}, which is excluded"
    return None


def _price(decision: PlannedJob, job: Job, estimates: Estimates) -> PlannedJob:
    estimate = estimates.of(job) if decision.action in _PRICED else None
    if estimate is None:
        return decision
    return replace(decision, estimated_cost=estimate.cost, estimate_source=estimate.source)


def _find_moves(jobs: Mapping[str, Job], records: Mapping[str, Record]) -> dict[str, Record]:
    """For each job without a task of its digest, the record of a job that is gone and asked for the same, in order."""
    gone: dict[str, list[Record]] = {}
    for id_, record in sorted(records.items(), reverse=True):
        if id_ not in jobs:
            gone.setdefault(record.digest, []).append(record)
    moves = {}
    for job in jobs.values():
        if gone.get(job.digest) and not _has_task(records.get(job.id), job.digest):
            moves[job.id] = gone[job.digest].pop()
    return moves


def _find_left(
    jobs: Mapping[str, Job], records: Mapping[str, Record], moves: Mapping[str, Record]
) -> dict[str, tuple[str, Record]]:
    """For each job that has no task of its digest and takes no record along, a task that another id had and does not
    ask for any more, with that id: names that were shifted, a job renamed while a change was taken back.
    """
    lacking = [job for job in jobs.values() if job.id not in moves and not _has_task(records.get(job.id), job.digest)]
    wanted = {job.digest for job in lacking}
    left: dict[str, list[tuple[str, Record]]] = {digest: [] for digest in wanted}
    for id_, record in sorted(records.items()) if wanted else ():
        for digest in wanted & {task.digest for task in record.tasks}:
            if id_ not in jobs or jobs[id_].digest != digest:
                left[digest].append((id_, _best(record.tasks, digest)))
    for found_tasks in left.values():  # first where it was asked for last: there its files are
        found_tasks.sort(key=lambda found: found[1] is not records[found[0]])
    used = {record.external_task_id for id_, record in records.items() if _asks_for(jobs.get(id_), record)}
    used |= {record.external_task_id for record in moves.values()}
    found = {}
    for job in lacking:
        free = ((id_, task) for id_, task in left[job.digest] if task.external_task_id not in used)
        if holder := next(free, None):
            found[job.id] = holder
            used.add(holder[1].external_task_id)
    return found


def _asks_for(job: Job | None, record: Record) -> bool:
    return job is not None and job.digest == record.digest


def _has_task(record: Record | None, digest: str) -> bool:
    return record is not None and digest in {task.digest for task in record.tasks}


def _find_refusals(records: Mapping[str, Record]) -> dict[str, Record]:
    """The tasks whose content was refused, by digest; a request that passed since is none."""
    tasks = [task for record in records.values() for task in record.tasks]
    passed = {task.digest for task in tasks if task.status is Status.COMPLETED}
    refused = (task for task in tasks if task.error and is_content_refusal(task.error.code))
    return {task.digest: task for task in refused if task.digest not in passed}


def _orphan(record: Record) -> PlannedJob:
    return PlannedJob(
        job=record.job,
        model=record.model,
        action=Action.ORPHAN,
        reason="no spec has this job any more",
        digest=record.digest,
        external_task_id=record.external_task_id,
        attempt=record.attempt,
        record=record,
    )


@dataclass(frozen=True, slots=True)
class _Planner:
    records: Mapping[str, Record]
    moves: Mapping[str, Record]
    left: Mapping[str, tuple[str, Record]]
    refusals: Mapping[str, Record]
    is_present: Callable[[Output], bool]
    options: PlanOptions

    def decide(self, job: Job) -> PlannedJob:
        """What to do with `job`, looking at nothing but its own record."""
        record = self.records.get(job.id)
        if job.id in self.moves:
            return self._move(job, self.moves[job.id], record)
        return self._take_over(job, *self.left[job.id], record) if job.id in self.left else self._decide(job, record)

    def _decide(self, job: Job, record: Record | None) -> PlannedJob:
        """What to do with a job that takes nothing from one that is gone."""
        if record is None:
            return self._send(job, None, "new")
        if record.digest == job.digest:
            return self._go_on(job, record)
        recalled = _recall(record, job.digest)
        if recalled:
            return self._go_on(job, recalled)
        if job.fixed_task_id and _is_used_up(job.external_task_id, record):
            told = f"its external_task_id {job.external_task_id} is used up by an earlier request: give it a new one"
            return _planned(job, record, Action.BLOCKED, told)
        return self._send(job, record, f"take {job.take}" if record.take != job.take else "its request changed")

    def _refused_before(self, job: Job, record: Record | None) -> PlannedJob | None:
        """Another job's request was the same, and was refused for its content: so will this one be."""
        refusal = self.refusals.get(job.digest)
        if refusal is None or refusal.error is None or self.options.retry_failed:
            return None
        told = f"the same request was refused as {refusal.job}: {refusal.error.message} ({refusal.error.code})"
        return _planned(job, record, Action.FAILED, told)

    def _move(self, job: Job, moved: Record, own: Record | None) -> PlannedJob:
        """Go on with the record of a job that is gone; what stood under the new id becomes earlier."""
        mine = (*own.earlier, replace(own, earlier=())) if own else ()
        # A merge of branches of which one renamed the job leaves its earlier tasks under both ids.
        known = {(task.external_task_id, task.task_id) for task in mine}
        theirs = (task for task in moved.earlier if (task.external_task_id, task.task_id) not in known)
        earlier = (*mine, *theirs)
        decision = self._go_on(job, replace(moved, job=job.id, earlier=earlier))
        action = Action.MOVE if decision.action is Action.NONE else decision.action
        reason = f"it was {moved.job}" + ("" if action is Action.MOVE else f"; {decision.reason}")
        return replace(decision, action=action, reason=reason, moved_from=moved.job)

    def _take_over(self, job: Job, holder: str, task: Record, own: Record | None) -> PlannedJob:
        """Go on with a task that another id had; its history stays with that."""
        earlier = (*own.earlier, replace(own, earlier=())) if own else ()
        decision = self._go_on(job, replace(task, job=job.id, earlier=earlier))
        action = Action.MOVE if decision.action is Action.NONE else decision.action
        reason = f"{holder} asked for it before" + ("" if action is Action.MOVE else f"; {decision.reason}")
        return replace(decision, action=action, reason=reason, taken_from=holder)

    def _go_on(self, job: Job, record: Record) -> PlannedJob:
        match record.status:
            case Status.COMPLETED:
                return self._keep(job, record)
            case Status.IN_FLIGHT:
                told = "its task is in flight" if record.task_id else "its create was not answered"
                return _planned(job, record, Action.RESUME, told)
            case Status.UNKNOWN:
                return self._resend(job, record)
            case _:
                return self._retry(job, record)

    def _keep(self, job: Job, record: Record) -> PlannedJob:
        missing = sum(not self.is_present(output) for output in record.outputs)
        if missing and self.options.download:
            told = f"{missing} of {len(record.outputs)} results are not on disk"
            return _planned(job, record, Action.FETCH, told)
        return _planned(job, record, Action.NONE, "up to date")

    def _resend(self, job: Job, record: Record) -> PlannedJob:
        has_same_id = job.fixed_task_id and job.external_task_id == record.external_task_id
        if job.id in self.options.resend and not has_same_id:
            return self._send(job, record, "sent again by request", attempt=record.attempt + 1)
        first = "give it a new external_task_id, then " if has_same_id else ""
        told = f"nobody knows whether its task exists; {first}`--resend {job.id}` sends it again and may pay twice"
        return _planned(job, record, Action.UNKNOWN, told)

    def _retry(self, job: Job, record: Record) -> PlannedJob:
        code = record.error.code if record.error else ""
        told = f" ({code})" if code else ""
        because = f"{record.error.message}{told}" if record.error else "it failed"
        if job.fixed_task_id and job.external_task_id == record.external_task_id:
            told = f"{because}; its external_task_id is used up: give it a new one"
            return _planned(job, record, Action.FAILED, told)
        may_pass = is_transient(code) and record.attempt <= self.options.retries
        if may_pass or self.options.retry_failed:
            return self._send(job, record, because, attempt=record.attempt + 1, action=Action.RETRY)
        return _planned(job, record, Action.FAILED, because)

    def _send(
        self, job: Job, record: Record | None, reason: str, *, attempt: int = 1, action: Action = Action.CREATE
    ) -> PlannedJob:
        if refused := self._refused_before(job, record):
            return refused
        derived = external_task_id(self.options.namespace, job.id, job.digest, attempt)
        return replace(
            _planned(job, record, action, reason),
            attempt=attempt,
            external_task_id=job.external_task_id if job.fixed_task_id else derived,
        )


def _planned(job: Job, record: Record | None, action: Action, reason: str) -> PlannedJob:
    return PlannedJob(
        job=job.id,
        model=job.model,
        action=action,
        reason=reason,
        digest=job.digest,
        external_task_id=record.external_task_id if record else job.external_task_id,
        attempt=record.attempt if record else 1,
        record=record,
    )


def _is_used_up(external_id: str, record: Record) -> bool:
    """Whether a task of the job has, or may have, an id that the spec gives: the gateway takes it once."""
    return any(
        task.external_task_id == external_id and (task.task_id is not None or task.status is not Status.FAILED)
        for task in record.tasks
    )


def _recall(record: Record, digest: str) -> Record | None:
    """The job's own earlier task of `digest` as the current one: a change that was taken back costs nothing."""
    if all(task.digest != digest for task in record.earlier):
        return None
    best = _best(record.earlier, digest)
    others = tuple(task for task in record.earlier if task is not best)
    return replace(best, earlier=(*others, replace(record, earlier=())))


def _best(tasks: Iterable[Record], digest: str) -> Record:
    """Of the tasks of a digest the newest that has results, else the newest that did not fail, else the newest.

    A merge may leave a failure behind a task that went well.
    """
    found = [task for task in tasks if task.digest == digest]
    found.sort(key=lambda task: (task.status is Status.COMPLETED, task.status is not Status.FAILED))
    return found[-1]


def pick(plan: Plan, jobs: Iterable[str]) -> Plan:
    """The plan for some jobs alone; orphans stay out."""
    wanted = set(jobs)
    return Plan(tuple(planned for planned in plan.jobs if planned.job in wanted), plan.dearest)
