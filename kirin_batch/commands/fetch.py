"""`fetch`: brings results that are recorded and missing, from the store first, else from the gateway. Creates nothing.

It is a run of the plan's fetches alone: under the run lock, with fresh addresses from the gateway. What is in flight is
not waited for. Results that are on disk and not in the store are put there, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kirin_batch.commands.fetch_earlier import EarlierReport, fetch_earlier
from kirin_batch.commands.keeping import lacking_outputs
from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.rows import JobRow, make_row
from kirin_batch.commands.run import run_project
from kirin_batch.commands.run_terms import Interrupts, RunOptions, RunReport
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import ExitCode, KirinError
from kirin_batch.journal import load_records
from kirin_batch.plan import Action, Plan, PlanOptions
from kirin_batch.records import Record
from kirin_batch.scheduler.observer import Observer

__all__ = ["FetchReport", "FetchedJob", "fetch_project"]


@dataclass(frozen=True, slots=True)
class FetchedJob:
    """A job some of whose results were missing: how many, how many still are, and whether those never come."""

    row: JobRow
    results: int
    left: int
    is_gone: bool

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`."""
        return {
            **self.row.as_json(),
            "results": self.results,
            "fetched": self.results - self.left,
            "gone": self.is_gone,
        }


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What came of each job that lacked results; `run` tells the rest, `earlier` of tasks before the present ones."""

    jobs: tuple[FetchedJob, ...]
    run: RunReport
    earlier: EarlierReport = field(default_factory=EarlierReport)

    @property
    def exit_code(self) -> ExitCode:
        """What the command tells its caller."""
        if self.stopped_by:
            return self.stopped_by.exit_code
        if self.run.was_interrupted or self.earlier.was_interrupted:
            return ExitCode.INTERRUPTED
        is_lacking = any(job.left for job in self.jobs) or any(task.left for task in self.earlier.tasks)
        return ExitCode.FAILED if is_lacking else ExitCode.DONE

    @property
    def stopped_by(self) -> KirinError | None:
        """What ended it for all results: the gateway refuses the account, or is not reached."""
        return self.run.stopped_by or self.earlier.stopped_by

    def count(self) -> dict[str, int]:
        """Results that were missing, that came, that are gone, and that may come later."""
        numbers = [(job.results, job.left, job.is_gone) for job in self.jobs]
        numbers += [(task.results, len(task.left), task.is_gone) for task in self.earlier.tasks]
        results, left = sum(results for results, _, _ in numbers), sum(left for _, left, _ in numbers)
        gone = sum(left for _, left, is_gone in numbers if is_gone)
        return {"results": results, "fetched": results - left, "gone": gone, "left": left - gone}


async def fetch_project(
    workspace: Workspace,
    selection: Selection,
    *,
    is_all: bool = False,
    observer: Observer | None = None,
    on_interrupt: Interrupts | None = None,
) -> FetchReport:
    """Bring what is missing of the selected jobs; `is_all`: also of their earlier tasks, and of jobs that are gone.

    Raises as `run_project`.
    """
    workspace.require_valid()
    workspace.require_known(selection)
    plan, records = _plan(workspace, selection)
    missing = lacking_outputs(plan, workspace.project, records)
    options = RunOptions(selection=selection, fetch_only=True)
    run = await run_project(workspace, options, observer=observer, on_interrupt=on_interrupt)
    later, records = _plan(workspace, selection)
    left = lacking_outputs(later, workspace.project, records)
    rows = {planned.job: make_row(planned, records) for planned in later.jobs if planned.action is not Action.ORPHAN}
    rows |= {row.job: row for row in run.rows}
    jobs = (
        FetchedJob(rows[job], len(outputs), len(left.get(job, ())), is_gone=job in run.gone)
        for job, outputs in missing.items()
    )
    fetched = tuple(jobs)
    if not is_all or run.stopped_by or run.was_interrupted:
        return FetchReport(fetched, run)
    return FetchReport(fetched, run, await fetch_earlier(workspace, selection, on_interrupt=on_interrupt))


def _plan(workspace: Workspace, selection: Selection) -> tuple[Plan, Mapping[str, Record]]:
    records = load_records(workspace.project.lockfile, workspace.project.journal)
    return plan_jobs(workspace, selection, records, PlanOptions()), records
