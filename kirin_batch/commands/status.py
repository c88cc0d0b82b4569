"""`status` and `show`: what is recorded, beside a run too; no network, nothing written."""

from collections.abc import Mapping
from dataclasses import dataclass

from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.rows import JobRow, make_row, record_row
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import UsageError
from kirin_batch.jobs import Job
from kirin_batch.journal import load_records
from kirin_batch.models.messages import closest_name
from kirin_batch.plan import Action, PlanOptions
from kirin_batch.records import Record

__all__ = ["Shown", "show_job", "status_rows"]


def status_rows(workspace: Workspace, selection: Selection) -> list[JobRow]:
    """A row for each selected job, and for what no spec has any more.

    Where the specs have errors, only what is recorded is told: that is known in any case.
    """
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    if not workspace.specs.is_valid:
        return [record_row(record, is_orphan=False) for _, record in sorted(records.items())]
    plan = plan_jobs(workspace, selection, records, PlanOptions())
    return [
        record_row(planned.record) if planned.action is Action.ORPHAN and planned.record else make_row(planned, records)
        for planned in plan.jobs
    ]


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one job; `job` is None where no spec has it any more."""

    row: JobRow
    job: Job | None


def show_job(workspace: Workspace, name: str) -> Shown:
    """The job that `name` means: an id, or a name that only one job has. Raises UsageError with what is near."""
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    jobs = workspace.specs.jobs if workspace.specs.is_valid else {}
    id_ = _find(name, jobs, records)
    rows = {row.job: row for row in status_rows(workspace, Selection())}
    # A record that a renamed job is about to take along has no row of its own.
    return Shown(rows.get(id_) or record_row(records[id_]), jobs.get(id_))


def _find(name: str, jobs: Mapping[str, Job], records: Mapping[str, Record]) -> str:
    ids = list(dict.fromkeys([*jobs, *records]))
    if name in ids:
        return name
    short = [id_ for id_ in ids if name in {id_.partition(":")[2], id_.partition(":")[2].partition("[")[0]}]
    if len(short) == 1:
        return short[0]
    if short:
        raise UsageError(f"{name} means {len(short)} jobs; name one, such as {', '.join(short[:3])}")
    near = closest_name(name, ids)
    raise UsageError(f"there is no job {name}{f'; did you mean {near}?' if near else ': `status` lists all'}")
