"""What a run is asked for, and how it ended: what its callers know of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from kirin_batch.commands.canary import Canaries
from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.rows import JobRow
from kirin_batch.commands.saved_plan import SavedPlan, plan_saved
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import ExitCode, KirinError
from kirin_batch.plan import Plan, PlanOptions
from kirin_batch.records import Record, Status

__all__ = ["ClusterOptions", "Confirm", "Interrupts", "RunOptions", "RunReport", "plan_run"]

Interrupts = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Makes a context in which the user's interrupt calls the function that it was given."""

Confirm = Callable[[Canaries], bool]
"""Asks whether the jobs may be sent that waited for the canaries."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """The Dask cluster that does the work: its scheduler's address or file (None: Dask's settings say it), and where
    its workers see the project's folder (None: they do not).
    """

    scheduler: str | None = None
    shared: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line adds to kirin.yaml.

    `resend`: ids of jobs that may be sent under a new id; `concurrency`: slots in use at once, of all kinds together;
    `canaries`: how many jobs of each model go first, None where all go at once; `fetch_only`: nothing is done but to
    bring results that are recorded. `saved`: the plan that is carried out, whose selection `selection` is. `cluster`
    does the work of jobs, where it is not done here.
    """

    selection: Selection = field(default_factory=Selection)
    sandbox: bool = False
    locked: bool = False
    retry_failed: bool = False
    resend: tuple[str, ...] = ()
    max_cost: Decimal | None = None
    fail_fast: bool = False
    download: bool = True
    concurrency: int | None = None
    canaries: int | None = None
    fetch_only: bool = False
    saved: SavedPlan | None = None
    cluster: ClusterOptions | None = None

    def for_plan(self) -> PlanOptions:
        """What of it a plan depends on."""
        return PlanOptions(
            retry_failed=self.retry_failed,
            resend=self.resend,
            download=self.download,
            takes_made_up=self.sandbox,
        )


def plan_run(workspace: Workspace, options: RunOptions, records: Mapping[str, Record]) -> Plan:
    """What a run has to do: what is left of the plan that it was given, or a plan made now.

    Raises StalePlanError, SpecsInvalidError, and UsageError for a selection that meets nothing.
    """
    if options.saved:
        return plan_saved(workspace, options.saved, records, options.for_plan())
    return plan_jobs(workspace, options.selection, records, options.for_plan())


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended: a row for each selected job. `spent`: USD that tasks of this run cost, as far as told.

    `stopped_by` is what ended the run for all jobs: the gateway refuses the account, or is not reached. `canaries` are
    there where jobs had to wait for some that went first; `worked_on` are the jobs that were not left alone, `gone`
    those whose results will not come any more. `kept` and `brought`: results that the store took, and gave.
    """

    rows: tuple[JobRow, ...] = field(repr=False)  # asyncio writes out what a task gave, twice: 0.2 s of 10,000 rows
    spent: Decimal
    was_interrupted: bool = False
    stopped_by: KirinError | None = None
    canaries: Canaries | None = None
    worked_on: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    kept: int = 0
    brought: int = 0

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
