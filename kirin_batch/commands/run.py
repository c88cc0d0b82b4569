"""`run`: makes a plan and carries it out, under the project's run lock, with every step on disk before the next."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

from kirin_batch.bodies import RequestBuilder
from kirin_batch.clock import SystemClock
from kirin_batch.commands.credentials import read_api_key
from kirin_batch.commands.planning import plan_jobs, recorded_contents
from kirin_batch.commands.rows import JobRow, make_row
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import ExitCode, GatewayRefusedError, GatewayUnreachableError, KirinError, UsageError
from kirin_batch.gateway.answers import Gateway
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.journal import Ledger
from kirin_batch.manifest import save_manifest
from kirin_batch.outputs.collector import Downloader, Lister, remove_leftovers
from kirin_batch.outputs.relocation import take_along
from kirin_batch.plan import SENDING, WORK, Action, Plan, PlannedJob, PlanOptions
from kirin_batch.records import Status
from kirin_batch.run_lock import hold_run_lock
from kirin_batch.sandbox import Sandbox, SandboxSettings
from kirin_batch.scheduler.left_behind import has_left_behind, record_left_behind
from kirin_batch.scheduler.life import Rules
from kirin_batch.scheduler.observer import Observer, Silent
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.scheduler import Limits, Scheduler

__all__ = ["RunOptions", "RunReport", "run_project"]

Interrupts = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Makes a context in which the user's interrupt calls the function that it was given."""

_SANDBOX_SPEED = 30.0  # an image in about a second, a film in six
_TOLD = 3  # jobs named in a message
_AT_GATEWAY = (WORK | {Action.UNKNOWN}) - {Action.MOVE}  # what needs the gateway; an unknown task may have appeared


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line adds to kirin.yaml. `resend`: ids of jobs that may be sent under a new id."""

    selection: Selection = field(default_factory=Selection)
    sandbox: bool = False
    locked: bool = False
    retry_failed: bool = False
    resend: tuple[str, ...] = ()
    max_cost: Decimal | None = None
    fail_fast: bool = False
    download: bool = True


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended: a row for each selected job. `spent`: USD that tasks of this run cost, as far as told.

    `stopped_by` is what ended the run for all jobs: the gateway refuses the account, or is not reached.
    """

    rows: tuple[JobRow, ...]
    spent: Decimal
    was_interrupted: bool = False
    stopped_by: KirinError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the command tells its caller."""
        if self.stopped_by:
            return self.stopped_by.exit_code
        if self.was_interrupted:
            return ExitCode.INTERRUPTED
        statuses = {row.status for row in self.rows}
        if statuses & {Status.FAILED, Status.BLOCKED} or any(_is_lacking(row) for row in self.rows):
            return ExitCode.FAILED
        return ExitCode.DONE if statuses <= {Status.COMPLETED} else ExitCode.WORK_LEFT


def _is_lacking(row: JobRow) -> bool:
    """A job whose task completed and whose results could not be brought here."""
    return row.status is Status.COMPLETED and row.error is not None


async def run_project(
    workspace: Workspace,
    options: RunOptions,
    *,
    observer: Observer | None = None,
    on_interrupt: Interrupts | None = None,
) -> RunReport:
    """Plan and carry out.

    An interrupt stops submitting and leaves what is in flight for the next run. Raises SpecsInvalidError,
    ProjectBusyError, and KirinError for a lockfile that cannot be trusted, a disk that refuses, or a `locked` run that
    would create something.
    """
    workspace.require_valid()
    workspace.require_known(options.selection)
    project = workspace.project
    project.make_state_folder()
    with hold_run_lock(project.state), Ledger(project.lockfile, project.journal) as ledger:
        run = _Run(workspace, options, ledger, observer or Silent())
        return await run.carry_out(on_interrupt)


class _Run:
    def __init__(self, workspace: Workspace, options: RunOptions, ledger: Ledger, observer: Observer) -> None:
        self._workspace = workspace
        self._project = workspace.project
        self._options = options
        self._ledger = ledger
        self._observer = observer
        self._outcomes: Mapping[str, Outcome] = {}
        self._spent = Decimal(0)
        self._was_interrupted = False

    async def carry_out(self, on_interrupt: Interrupts | None) -> RunReport:
        plan = self._make_plan()
        save_manifest(self._project.manifest, self._workspace.specs.jobs.values(), self._project.root)
        self._check(plan)
        project = self._project
        remove_leftovers(project.root, self._workspace.specs.jobs.values())
        await self._settle_records(plan)
        if any(planned.moved_from or planned.taken_from for planned in plan.jobs):
            plan = self._make_plan()  # of the records as they stand now
        stopped_by = None
        if any(planned.action in _AT_GATEWAY for planned in plan.jobs) or self._has_left_behind():
            try:
                await self._schedule(plan, on_interrupt)
            except (GatewayRefusedError, GatewayUnreachableError) as error:
                stopped_by = error
        rows = (
            make_row(planned, self._ledger.records, self._outcomes.get(planned.job))
            for planned in plan.jobs
            if planned.action is not Action.ORPHAN
        )
        return RunReport(tuple(rows), self._spent, self._was_interrupted, stopped_by)

    async def _schedule(self, plan: Plan, on_interrupt: Interrupts | None) -> None:
        async with self._open_gateway() as gateway:
            scheduler = self._make_scheduler(gateway)

            def stop() -> None:
                self._was_interrupted = True
                scheduler.stop()

            try:
                with on_interrupt(stop) if on_interrupt else nullcontext():
                    await scheduler.run(self._workspace.specs.jobs, plan)
            finally:
                self._outcomes, self._spent = scheduler.outcomes, scheduler.spent
            if self._has_left_behind() and not self._was_interrupted:
                await record_left_behind(
                    tuple(self._ledger.records.values()),
                    jobs=self._workspace.specs.jobs,
                    gateway=gateway,
                    recorder=self._ledger,
                    clock=SystemClock(),
                )

    def _has_left_behind(self) -> bool:
        is_asked = self._options.selection.is_everything and not self._options.sandbox
        return is_asked and has_left_behind(self._ledger.records.values(), jobs=self._workspace.specs.jobs)

    def _make_plan(self) -> Plan:
        options = PlanOptions(
            retry_failed=self._options.retry_failed, resend=self._options.resend, download=self._options.download
        )
        return plan_jobs(self._workspace, self._options.selection, self._ledger.records, options)

    def _check(self, plan: Plan) -> None:
        """Refuse what the user did not mean, before anything is sent."""
        sending = [planned.job for planned in plan.jobs if _may_create(planned)]
        if self._options.locked and sending:
            raise KirinError(f"--locked: {_some(sending)} would be created; the lockfile does not hold them")
        unknown = {planned.job for planned in plan.jobs if planned.record and planned.record.status is Status.UNKNOWN}
        for job in self._options.resend:
            if job not in unknown:
                told = f" (unknown: {_some(unknown)})" if unknown else ""
                raise UsageError(f"--resend {job}: that job is not unknown{told}")
        if self._options.sandbox:
            _refuse_mixing(plan)

    async def _settle_records(self, plan: Plan) -> None:
        """Record what the plan takes from elsewhere: of an earlier digest, or of another id, whose files come along."""
        for planned in _in_order_of_places(plan):
            record = planned.record
            if record is None or record is self._ledger.records.get(planned.job):
                continue
            if planned.moved_from or planned.taken_from:
                job = self._workspace.specs.jobs[planned.job]
                is_gone = planned.moved_from is not None  # else what lies there may be newer
                take = partial(take_along, self._project.root, job, record.outputs, edited=is_gone)
                record = replace(record, outputs=await asyncio.to_thread(take))
            if planned.moved_from:
                await self._ledger.move(record, moved_from=planned.moved_from)
            else:
                await self._ledger.record(record)

    @asynccontextmanager
    async def _open_gateway(self) -> AsyncIterator[Gateway]:
        settings = self._project.settings
        if self._options.sandbox:
            sandbox_settings = SandboxSettings(speed=_SANDBOX_SPEED, limits=settings.slots)
            async with (
                Sandbox(sandbox_settings) as sandbox,
                HttpGateway(GatewaySettings(sandbox.base_url, Secret("sandbox"))) as gateway,
            ):
                yield gateway
            return
        gateway_settings = GatewaySettings(
            settings.base_url,
            read_api_key(),
            timeout_seconds=settings.gateway_timeout,
            requests_per_second=settings.requests_per_second,
        )
        async with HttpGateway(gateway_settings) as gateway:
            yield gateway

    def _make_scheduler(self, gateway: Gateway) -> Scheduler:
        settings, options, clock = self._project.settings, self._options, SystemClock()
        recorded = recorded_contents(self._ledger.records.values())  # as it is now: threads ask it, and records change
        downloader = Downloader(
            self._project.root,
            gateway,
            clock,
            downloads=settings.downloads,
            is_recorded=lambda path, sha256: any(sha256 == known for _, known in recorded.get(path, ())),
        )
        max_cost = settings.max_cost if options.max_cost is None else options.max_cost
        return Scheduler(
            gateway=gateway,
            ledger=self._ledger,
            collector=downloader if options.download else Lister(),
            build_params=RequestBuilder(self._project.root, self._ledger.records, self._workspace.catalog).build,
            clock=clock,
            observer=self._observer,
            rules=Rules(
                poll=PollPolicy(settings.poll_min, settings.poll_max),
                timeouts=settings.timeouts,
                retries=settings.retries,
                namespace=settings.namespace,
                sandbox=options.sandbox,
                may_create=not options.locked,
            ),
            limits=Limits(slots=settings.slots, max_cost=max_cost, fail_fast=options.fail_fast),
        )


def _in_order_of_places(plan: Plan) -> list[PlannedJob]:
    """Planned jobs, each before the one that comes to where its results lie: names that were shifted make way."""
    ordered: list[PlannedJob] = []
    waiting = {planned.job: planned for planned in plan.jobs if planned.action is not Action.ORPHAN}
    heirs = {planned.taken_from or planned.moved_from: planned.job for planned in waiting.values()}
    while waiting:
        job = next(iter(waiting))
        chain = [job]
        while (job := heirs.get(job, "")) in waiting and job not in chain:
            chain.append(job)
        ordered += [waiting.pop(name) for name in reversed(chain)]
    return ordered


def _may_create(planned: PlannedJob) -> bool:
    """Whether the job may need a new task: an intent whose create was never answered may have come to nothing."""
    is_intent = planned.action is Action.RESUME and not (planned.record and planned.record.task_id)
    return planned.action in SENDING or is_intent


def _refuse_mixing(plan: Plan) -> None:
    """A sandbox knows nothing of the gateway's tasks: what it answered would replace what was paid for."""
    paid = [planned.job for planned in plan.jobs if planned.action in WORK | {Action.UNKNOWN} and _may_be_paid(planned)]
    if paid:
        have = "has a task" if len(paid) == 1 else "have tasks"
        told = f"--sandbox: {_some(paid)} {have} at the gateway, or may have, which a sandbox would replace"
        raise UsageError(f"{told}: use a copy of the project")


def _may_be_paid(planned: PlannedJob) -> bool:
    """Whether the gateway has a task of the job, or may have: an intent that was not answered counts."""
    record = planned.record
    may_exist = record is not None and (record.task_id is not None or record.status is not Status.FAILED)
    return record is not None and may_exist and not record.sandbox


def _some(jobs: Collection[str]) -> str:
    named = ", ".join(sorted(jobs)[:_TOLD])
    return named if len(jobs) <= _TOLD else f"{named} and {len(jobs) - _TOLD} more"
