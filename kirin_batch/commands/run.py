"""`run`: makes a plan and carries it out, under the project's run lock, with every step on disk before the next."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from kirin_batch.bodies import RequestBuilder
from kirin_batch.clock import SystemClock
from kirin_batch.commands.canary import Canaries, in_flight_cost, pick_canaries
from kirin_batch.commands.credentials import known_secrets
from kirin_batch.commands.gateways import SANDBOX_SPEED, open_gateway, open_sandbox
from kirin_batch.commands.keeping import lacking_outputs, open_keeper
from kirin_batch.commands.planning import recorded_contents, require_own_places
from kirin_batch.commands.preconditions import check_plan
from kirin_batch.commands.remembering import remember
from kirin_batch.commands.rows import JobRow, make_row
from kirin_batch.commands.run_terms import Confirm, Interrupts, RunOptions, RunReport, plan_run
from kirin_batch.commands.settling import settle_records
from kirin_batch.commands.workspace import Workspace
from kirin_batch.engines.knowledge import Knowledge
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError
from kirin_batch.gateway.answers import Gateway
from kirin_batch.jobs import Job
from kirin_batch.journal import Ledger, load_records
from kirin_batch.manifest import save_manifest
from kirin_batch.outputs.collector import Downloader, Lister, remove_leftovers
from kirin_batch.outputs.embedding import Note, note_of
from kirin_batch.outputs.postflight import Postflight
from kirin_batch.outputs.replaced import IsRecorded, with_earlier_files
from kirin_batch.outputs.sidecar import public_params
from kirin_batch.plan import SENDING, WORK, Action, Plan
from kirin_batch.records import Output, Status
from kirin_batch.run_lock import hold_run_lock
from kirin_batch.scheduler.engine import Engine, LocalEngine
from kirin_batch.scheduler.learned import Latencies, load_latencies
from kirin_batch.scheduler.left_behind import has_left_behind, record_left_behind
from kirin_batch.scheduler.observer import Observer, Silent
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.scheduler import Limits, Scheduler
from kirin_batch.scheduler.surroundings import Rules
from kirin_batch.specs.files import Boundary

if TYPE_CHECKING:
    from kirin_batch.commands.clusters import ClusterSite
    from kirin_batch.outputs.keeper import Keeper

__all__ = ["run_project"]

_NOTHING = Decimal(0)
_AT_GATEWAY = (WORK | {Action.UNKNOWN}) - {Action.MOVE}  # what needs the gateway; an unknown task may have appeared


async def run_project(
    workspace: Workspace,
    options: RunOptions,
    *,
    observer: Observer | None = None,
    on_interrupt: Interrupts | None = None,
    confirm: Confirm | None = None,
) -> RunReport:
    """Plan and carry out. Where canaries went well, `confirm` says whether the others may go; without it they do.

    An interrupt stops submitting and leaves what is in flight for the next run. Raises SpecsInvalidError,
    ProjectBusyError, and KirinError for a lockfile that cannot be trusted, a disk that refuses, or a `locked` run that
    would create something.
    """
    workspace.require_valid()
    project = workspace.project
    if options.saved:  # before anything is written; once more when the project is held
        plan_run(workspace, options, load_records(project.lockfile, project.journal))
    else:
        workspace.require_known(options.selection)
    project.make_state_folder()
    with (
        hold_run_lock(project.state),
        Ledger(project.lockfile, project.journal) as ledger,
        open_keeper(project, is_wanted=not options.sandbox, trusts_memory=not options.fetch_only) as keeper,
    ):
        require_own_places(project, ledger.records.values())
        run = _Run(workspace, options, ledger, observer or Silent(), on_interrupt, confirm)
        return await run.carry_out(keeper)


class _Run:
    def __init__(
        self,
        workspace: Workspace,
        options: RunOptions,
        ledger: Ledger,
        observer: Observer,
        on_interrupt: Interrupts | None,
        confirm: Confirm | None,
    ) -> None:
        self._workspace = workspace
        self._project = workspace.project
        self._options = options
        self._ledger = ledger
        self._observer = observer
        self._on_interrupt = on_interrupt
        self._confirm = confirm
        settings = self._project.settings
        secrets = known_secrets(settings.env)
        self._tell_params = partial(public_params, secrets=secrets)
        self._postflight = Postflight(self._project.root, workspace.catalog, sidecar=settings.sidecar, secrets=secrets)
        # A sandbox is faster than any gateway: what it takes teaches nothing.
        self._latencies = Latencies(haste=SANDBOX_SPEED) if options.sandbox else load_latencies(self._project.latencies)
        self._keeper: Keeper | None = None
        self._site: ClusterSite | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._gone: set[str] = set()
        self._canaries: Canaries | None = None
        self._spent = Decimal(0)
        self._was_interrupted = False

    async def carry_out(self, keeper: "Keeper | None") -> RunReport:
        self._keeper = keeper
        plan = self._make_plan()
        save_manifest(
            self._project.manifest,
            self._workspace.specs.jobs.values(),
            self._project.root,
            tell_params=self._tell_params,
        )
        options, project = self._options, self._project
        check_plan(plan, locked=options.locked, resend=options.resend, sandbox=options.sandbox)
        remove_leftovers(project.root, self._workspace.specs.jobs.values())
        if await settle_records(plan, self._workspace, self._ledger):
            plan = self._make_plan()  # of the records as they stand now
        if await self._bring_kept(plan):
            plan = self._make_plan()
        self._annotate(plan)
        stopped_by = None
        is_asking = any(planned.action in _AT_GATEWAY for planned in plan.jobs) or self._has_left_behind()
        if is_asking and not self._was_interrupted:
            try:
                await self._schedule(plan)
            except (GatewayRefusedError, GatewayUnreachableError) as error:
                stopped_by = error
        await self._keep_results()
        if plan.is_settled and not (is_asking or keeper or project.settings.sidecar):  # it had no duty at all
            remember(self._workspace, records=plan.settled_records())
        return RunReport(
            self._rows(plan),
            self._spent,
            self._was_interrupted,
            stopped_by,
            self._canaries,
            worked_on=frozenset(self._outcomes),
            gone=frozenset(self._gone),
            kept=keeper.kept if keeper else 0,
            brought=keeper.brought if keeper else 0,
        )

    async def _bring_kept(self, plan: Plan) -> bool:
        """Bring what the store has of the results that are to be fetched; whether that was anything."""
        records = self._ledger.records
        if self._keeper is None or not (lacking := lacking_outputs(plan, self._project, records)):
            return False
        outputs = [output for missing in lacking.values() for output in missing]
        with self._stopping(self._keeper.stop):
            found = await self._keeper.bring(outputs, is_recorded=self._make_is_recorded())
        for job in lacking if found else ():  # what came may have put results of earlier tasks aside
            record = await asyncio.to_thread(with_earlier_files, self._project.root, records[job])
            if record is not records[job]:
                await self._ledger.record(record)
        return found > 0

    async def _keep_results(self) -> None:
        """Wait until the store has what this run brought, and what earlier ones did and could not keep."""
        if self._keeper and not self._was_interrupted:
            with self._stopping(self._keeper.stop):
                await self._keeper.keep_all(self._ledger.records.values())
        if self._keeper:
            self._keeper.save_memory()

    def _stopping(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        """A context in which the user's interrupt calls `stop`, and is remembered."""

        def interrupt() -> None:
            self._was_interrupted = True
            stop()

        return self._on_interrupt(interrupt) if self._on_interrupt else nullcontext()

    def _rows(self, plan: Plan) -> tuple[JobRow, ...]:
        listed = (planned for planned in plan.jobs if planned.action is not Action.ORPHAN)
        return tuple(make_row(job, self._ledger.records, self._outcomes.get(job.job)) for job in listed)

    async def _schedule(self, plan: Plan) -> None:
        settings = self._project.settings
        async with (
            open_sandbox(settings) if self._options.sandbox else open_gateway(settings) as gateway,
            self._open_site() as self._site,
        ):
            if not await self._send_canaries(gateway, plan):
                return
            await self._run_scheduler(gateway, self._make_plan() if self._canaries else plan)
            if self._has_left_behind() and not self._was_interrupted:
                await record_left_behind(
                    tuple(self._ledger.records.values()),
                    jobs=self._workspace.specs.jobs,
                    gateway=gateway,
                    recorder=self._ledger,
                    clock=SystemClock(),
                )

    async def _send_canaries(self, gateway: Gateway, plan: Plan) -> bool:
        """Send what goes first, if anything does; whether the others may go."""
        if self._options.canaries is None:
            return True
        first = pick_canaries(plan, self._workspace.specs.jobs, of_each_model=self._options.canaries)
        if sum(job.action in SENDING for job in first.jobs) == sum(job.action in SENDING for job in plan.jobs):
            return True  # nothing would wait for them
        await self._run_scheduler(gateway, first, reserved=in_flight_cost(plan, first))
        others = self._make_plan()
        canaries = self._canaries = Canaries(
            rows=self._rows(first),
            spent=self._spent,
            held_back=sum(job.action in SENDING for job in others.jobs),
            held_back_cost=others.estimated_cost,
        )
        if self._was_interrupted or canaries.lost or (self._confirm and not self._confirm(canaries)):
            return False
        self._canaries = replace(canaries, is_released=True)
        return True

    async def _run_scheduler(self, gateway: Gateway, plan: Plan, *, reserved: Decimal = _NOTHING) -> None:
        """Carry out a plan within what is left to spend, `reserved` set aside."""
        async with self._open_engine(gateway) as (engine, gone):
            scheduler = self._make_scheduler(engine, aside=self._spent + reserved)
            try:
                with self._stopping(scheduler.stop):
                    await scheduler.run(self._workspace.specs.jobs, plan)
            finally:
                self._outcomes.update(scheduler.outcomes)
                self._spent += scheduler.spent
                self._gone |= gone
                if not self._options.sandbox:
                    self._latencies.save(self._project.latencies)

    def _has_left_behind(self) -> bool:
        options = self._options
        is_asked = options.selection.is_everything and not options.sandbox and not options.fetch_only
        return is_asked and has_left_behind(self._ledger.records.values(), jobs=self._workspace.specs.jobs)

    def _make_plan(self) -> Plan:
        options = self._options
        plan = plan_run(self._workspace, options, self._ledger.records)
        if not options.fetch_only:
            return plan
        return Plan(tuple(planned for planned in plan.jobs if planned.action is Action.FETCH), plan.dearest)

    def _annotate(self, plan: Plan) -> None:
        """Bring sidecars up to date of what is left alone: `sidecar:` may be new, and a job renamed."""
        jobs, records = self._workspace.specs.jobs, self._ledger.records
        done = (planned.job for planned in plan.jobs if planned.action is Action.NONE)
        self._postflight.annotate((jobs[job], records[job]) for job in done)

    def _make_is_recorded(self) -> IsRecorded:
        recorded = recorded_contents(self._ledger.records.values())  # as it is now: threads ask it, and records change
        return lambda path, sha256: any(sha256 == known for _, known in recorded.get(path, ()))

    def _make_downloader(self, gateway: Gateway, parts: Knowledge) -> Downloader:
        return Downloader(
            parts.root,
            gateway,
            SystemClock(),
            downloads=self._project.settings.downloads,
            is_recorded=parts.is_recorded,
            recorded_before=parts.recorded_before,
            note_of=self._note_of,
        )

    def _note_of(self, job: Job) -> Note | None:
        record = self._ledger.records.get(job.id)
        if record is None or not self._project.settings.embed:
            return None
        return note_of(record, self._tell_params(job) if record.params is None else record.params)

    def _recorded_before(self, job: Job) -> tuple[Output, ...]:
        record = self._ledger.records.get(job.id)
        is_same = record is not None and record.status is Status.COMPLETED and record.digest == job.digest
        return record.outputs if record and is_same else ()

    def _make_scheduler(self, engine: Engine, *, aside: Decimal) -> Scheduler:
        settings, options = self._project.settings, self._options
        max_cost = settings.max_cost if options.max_cost is None else options.max_cost
        left = None if max_cost is None else max(_NOTHING, max_cost - aside)
        limits = Limits(slots=settings.slots, total=options.concurrency, max_cost=left, fail_fast=options.fail_fast)
        return Scheduler(engine, clock=SystemClock(), observer=self._observer, limits=limits)

    def _make_rules(self) -> Rules:
        settings, options = self._project.settings, self._options
        haste = SANDBOX_SPEED if options.sandbox else 1.0
        return Rules(
            poll=PollPolicy(settings.poll_min / haste, settings.poll_max / haste),
            timeouts=settings.timeouts,
            retries=settings.retries,
            namespace=settings.namespace,
            sandbox=options.sandbox,
            may_create=not options.locked and not options.fetch_only,
        )

    def _open_site(self) -> "AbstractAsyncContextManager[ClusterSite | None]":
        if self._options.cluster is None:
            return nullcontext()
        # Measured: Dask takes half a second to import, which other runs need not wait for.
        from kirin_batch.commands.clusters import open_site  # noqa: PLC0415 - see above

        return open_site(self._project, self._options.cluster)

    @asynccontextmanager
    async def _open_engine(self, gateway: Gateway) -> AsyncIterator[tuple[Engine, set[str]]]:
        """What does the work, and the ids of jobs whose results will not come any more, which grow with it."""
        parts, rules, latencies, options = self._make_knowledge(), self._make_rules(), self._latencies, self._options
        if self._site:
            jobs = self._workspace.specs.jobs.values()
            async with self._site.open_engine(
                parts, jobs, rules=rules, downloads=options.download, observer=self._observer, latencies=latencies
            ) as engine:
                yield engine, engine.gone
            return
        downloader = self._make_downloader(gateway, parts)
        builder = RequestBuilder(parts.root, parts.records, self._workspace.catalog, may_read=parts.may_read)
        local = LocalEngine(
            gateway=gateway,
            ledger=parts.recorder,
            collector=downloader if options.download else Lister(),
            build_params=builder.build,
            clock=SystemClock(),
            observer=self._observer,
            rules=rules,
            latencies=latencies,
            inspect=parts.inspect,
            tell_params=parts.tell_params,
        )
        yield local, downloader.gone

    def _make_knowledge(self) -> Knowledge:
        return Knowledge(
            root=self._project.root,
            records=self._ledger.records,
            recorder=self._keeper.recorder(self._ledger) if self._keeper else self._ledger,
            tell_params=self._tell_params,
            inspect=self._postflight.inspect,
            is_recorded=self._make_is_recorded(),
            recorded_before=self._recorded_before,
            may_read=Boundary(self._project).has,
        )
