"""`fetch`: brings results that are recorded and missing, from the store first, else from the gateway. Creates nothing.

It is a run of the plan's fetches alone: under the run lock, with fresh addresses from the gateway. What is in flight is
not waited for. Results that are on disk and not in the store are put there, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kirin_batch.commands.keeping import lacking_outputs
from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.rows import JobRow, make_row
from kirin_batch.commands.run import run_project
from kirin_batch.commands.run_terms import Interrupts, RunOptions, RunReport
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import ExitCode
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
    """What came of each job that lacked results; `run` tells the rest."""

    jobs: tuple[FetchedJob, ...]
    run: RunReport

    @property
    def exit_code(self) -> ExitCode:
        """What the command tells its caller."""
        if self.run.stopped_by:
            return self.run.stopped_by.exit_code
        if self.run.was_interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.FAILED if any(job.left for job in self.jobs) else ExitCode.DONE

    def count(self) -> dict[str, int]:
        """Results that were missing, that came, that are gone, and that may come later."""
        results, left = sum(job.results for job in self.jobs), sum(job.left for job in self.jobs)
        gone = sum(job.left for job in self.jobs if job.is_gone)
        return {"results": results, "fetched": results - left, "gone": gone, "left": left - gone}


async def fetch_project(
    workspace: Workspace,
    selection: Selection,
    *,
    observer: Observer | None = None,
    on_interrupt: Interrupts | None = None,
) -> FetchReport:
    """Bring what is missing of the selected jobs. Raises as `run_project`."""
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
    return FetchReport(tuple(jobs), run)


def _plan(workspace: Workspace, selection: Selection) -> tuple[Plan, Mapping[str, Record]]:
    records = load_records(workspace.project.lockfile, workspace.project.journal)
    return plan_jobs(workspace, selection, records, PlanOptions()), records
