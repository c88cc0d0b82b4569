"""`recover`: rebuilds what a lost lockfile said, by asking the gateway for the ids that the specs give their tasks.

It asks and records, under the run lock as `run` does; it creates nothing, so it costs nothing, and downloads nothing.
What is recorded already stays as it is. What only the lockfile knew is lost: earlier requests of a job, and that of a
job renamed since, for their ids came from what the specs said then.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from kirin_batch.clock import Clock, SystemClock, timestamp
from kirin_batch.commands.credentials import known_secrets
from kirin_batch.commands.gateways import open_gateway
from kirin_batch.commands.planning import plan_jobs, require_own_places
from kirin_batch.commands.rows import JobRow, make_row
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import ExitCode, GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.gateway.answers import Done, Failed, Gateway, Missing, Unknown
from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.journal import Ledger
from kirin_batch.outputs.sidecar import public_params
from kirin_batch.plan import PlannedJob, PlanOptions
from kirin_batch.project import Settings
from kirin_batch.records import Output, Record, Status, TaskError
from kirin_batch.run_lock import hold_run_lock
from kirin_batch.scheduler.observer import Silent
from kirin_batch.scheduler.patience import Patience, Task
from kirin_batch.scheduler.slots import Slots

__all__ = ["Finding", "RecoverReport", "RecoveredJob", "recover_project"]

_AT_ONCE = 16  # jobs that are asked for at the same time
_LEAST_ATTEMPTS = 2  # the first may have been refused, and the next sent by `--retry-failed`
_MOST_ATTEMPTS = 100


class Finding(StrEnum):
    """What became of a job that had no record. `unclear`: the gateway gave no answer that tells."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class RecoveredJob:
    """A job that had no record, as it stands now; `detail` says why it is unclear, where it is."""

    row: JobRow
    finding: Finding
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """A line for each job that had no record, in the order of the specs; `kept` counts those that had one.

    `stopped_by` is what ended the search early: the gateway refuses the account, or is not reached.
    """

    jobs: tuple[RecoveredJob, ...]
    kept: int
    stopped_by: KirinError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the command tells its caller."""
        if self.stopped_by:
            return self.stopped_by.exit_code
        return ExitCode.DONE if all(job.finding is Finding.FOUND for job in self.jobs) else ExitCode.FAILED

    def count(self) -> dict[str, int]:
        """How many jobs each finding has, zeros too."""
        findings = [job.finding for job in self.jobs]
        return {str(finding): findings.count(finding) for finding in Finding}


async def recover_project(
    workspace: Workspace,
    *,
    begin: Callable[[int], None] | None = None,
    advance: Callable[[int], None] | None = None,
    clock: Clock | None = None,
) -> RecoverReport:
    """Ask for the task of every job that has no record. `begin` hears how many, `advance` how many more are done.

    Raises SpecsInvalidError, ProjectBusyError, GatewayRefusedError where there is no key, and KirinError for a lockfile
    that cannot be trusted, or a disk that refuses.
    """
    workspace.require_valid()
    project = workspace.project
    project.make_state_folder()
    with hold_run_lock(project.state), Ledger(project.lockfile, project.journal) as ledger:
        require_own_places(project, ledger.records.values())
        plan = plan_jobs(workspace, Selection(), ledger.records, PlanOptions())
        lacking = [planned for planned in plan.jobs if planned.record is None]  # renamed ones have that of their old id
        jobs = [workspace.specs.jobs[planned.job] for planned in lacking]
        if begin:
            begin(len(jobs))
        if not jobs:
            return RecoverReport((), len(workspace.specs.jobs))
        async with open_gateway(project.settings) as gateway:
            search = _Search(gateway, ledger, project.settings, clock or SystemClock(), advance)
            await search.look_for_all(jobs)
        later = plan_jobs(workspace, Selection(), ledger.records, PlanOptions())
        asked_for = {job.id for job in jobs}
        found = tuple(_judge(planned, search, ledger) for planned in later.jobs if planned.job in asked_for)
        return RecoverReport(found, len(workspace.specs.jobs) - len(jobs), search.stopped_by)


def _judge(planned: PlannedJob, search: "_Search", ledger: Ledger) -> RecoveredJob:
    row = make_row(planned, ledger.records)
    if row.record:
        return RecoveredJob(row, Finding.FOUND)
    if planned.job in search.asked and planned.job not in search.unclear:
        return RecoveredJob(row, Finding.NOT_FOUND)
    return RecoveredJob(row, Finding.UNCLEAR, search.unclear.get(planned.job, "it was not asked for any more"))


class _Search:
    """Asks for the tasks of jobs, some at the same time, and records what is found.

    `asked` are the jobs that were answered for, `unclear` tells why an answer did not say anything.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
        advance: Callable[[int], None] | None,
    ) -> None:
        self.asked: set[str] = set()
        self.unclear: dict[str, str] = {}
        self.stopped_by: KirinError | None = None
        self._patience = Patience(gateway, clock, Silent(), Slots(settings.slots, clock))
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._advance = advance

    async def look_for_all(self, jobs: Iterable[Job]) -> None:
        """Look for the tasks of all jobs, until the gateway refuses. Raises KirinError for a disk that refuses."""
        left = iter(jobs)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(left))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first ends the others

    async def _work(self, left: Iterator[Job]) -> None:
        for job in left:
            if self.stopped_by:
                return
            try:
                await self._look_for(job)
            except (GatewayRefusedError, GatewayUnreachableError) as error:
                self.stopped_by = self.stopped_by or error
                return
            self.asked.add(job.id)
            if self._advance:
                self._advance(1)

    async def _look_for(self, job: Job) -> None:
        """Record the task of the job that tells most, the others as earlier ones."""
        found: list[Record] = []
        for attempt in range(1, 2 if job.fixed_task_id else _MOST_ATTEMPTS + 1):
            answer = await self._patience.look_up(job, self._id_of(job, attempt))
            if isinstance(answer, Unknown):
                self.unclear[job.id] = answer.reason
                break
            if not isinstance(answer, Missing):
                found.append(self._record(job, attempt, answer))
            elif attempt >= max(_LEAST_ATTEMPTS, self._settings.retries + 1):
                break
        if found:
            current = max(found, key=_promise)
            await self._ledger.record(replace(current, earlier=tuple(task for task in found if task is not current)))

    def _id_of(self, job: Job, attempt: int) -> str:
        if job.fixed_task_id:
            return job.external_task_id
        return external_task_id(self._settings.namespace, job.id, job.digest, attempt)

    def _record(self, job: Job, attempt: int, answer: Task) -> Record:
        """The record of a task; one whose end is not plain stays in flight, for `run` to judge."""
        now = timestamp(self._clock)
        flying = Record(
            job=job.id,
            model=job.model,
            status=Status.IN_FLIGHT,
            digest=job.digest,
            external_task_id=self._id_of(job, attempt),
            created_at=now,  # the gateway does not say when
            take=job.take,
            attempt=attempt,
            task_id=answer.task_id,
            params=public_params(job, secrets=known_secrets(self._settings.env)),
        )
        match answer:
            case Done(results=results, element_id=element_id, cost=cost) if _is_whole(job, answer):
                outputs = tuple(Output(url=result.url, type=result.type) for result in results)
                told = None if cost is None else f"{cost:f}"
                done = replace(flying, status=Status.COMPLETED, cost=told, element_id=element_id, outputs=outputs)
                return replace(done, finished_at=now)
            case Failed(code=code, message=message):
                return replace(flying, status=Status.FAILED, error=TaskError(code, message), finished_at=now)
            case _:
                return flying


def _is_whole(job: Job, done: Done) -> bool:
    return done.element_id is not None if job.result_type == "text" else bool(done.results)


def _promise(task: Record) -> tuple[bool, bool, int]:
    """Of the attempts of a job the one with results counts, else one that may have some, else the newest."""
    return task.status is Status.COMPLETED, task.status is not Status.FAILED, task.attempt
