"""`status` and `show`: what is recorded, beside a run too; no network, nothing written."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from kirin_batch.commands.credentials import known_secrets
from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.rows import JobRow, make_row, record_row
from kirin_batch.commands.suggestions import closest_job, hint
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.disk import sha256_of_file
from kirin_batch.errors import UsageError
from kirin_batch.jobs import Job
from kirin_batch.journal import load_records
from kirin_batch.outputs.sidecar import public_values
from kirin_batch.plan import Action, PlanOptions
from kirin_batch.records import Output, Record

__all__ = ["FileState", "Shown", "ShownTask", "show_job", "status_rows"]


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


class FileState(StrEnum):
    """What became of a result's file: it is as it was recorded, holds something else, or is not there."""

    PRESENT = "present"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ShownTask:
    """One take or attempt of a job, and the state of each of its results' files.

    `is_current`: what the spec asks for now is this.
    """

    record: Record
    is_current: bool
    files: tuple[FileState, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one job, its tasks newest first; `job` is None where no spec has it any more.

    `params` are those of the job as others may see them: what is shown goes into logs.
    """

    row: JobRow
    job: Job | None
    params: Mapping[str, Any] | None
    tasks: tuple[ShownTask, ...]


def show_job(workspace: Workspace, name: str) -> Shown:
    """The job that `name` means: an id, or a name that only one job has. Raises UsageError with what is near."""
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    jobs = workspace.specs.jobs if workspace.specs.is_valid else {}
    id_ = _find(name, jobs, records)
    rows = {row.job: row for row in status_rows(workspace, Selection())}
    # A record that a renamed job is about to take along has no row of its own.
    row = rows.get(id_) or record_row(records[id_])
    job, secrets = jobs.get(id_), known_secrets(project.settings.env)
    params = public_values(job.params, files={}, secrets=secrets) if job else None
    return Shown(row, job, params, _tasks(project.root, row, row.record or records.get(id_)))


def _tasks(root: Path, row: JobRow, record: Record | None) -> tuple[ShownTask, ...]:
    """All takes and attempts; a record that the spec has moved on from is no row's, and was paid for all the same."""
    tasks = (record, *reversed(record.earlier)) if record else ()
    return tuple(
        ShownTask(task, task is row.record, tuple(_state(root, output) for output in task.outputs)) for task in tasks
    )


def _state(root: Path, output: Output) -> FileState:
    try:
        if output.path is None or not (root / output.path).is_file():
            return FileState.MISSING
        is_same = sha256_of_file(root / output.path) == output.sha256
    except OSError:
        return FileState.MISSING
    return FileState.PRESENT if is_same else FileState.CHANGED


def _find(name: str, jobs: Mapping[str, Job], records: Mapping[str, Record]) -> str:
    ids = list(dict.fromkeys([*jobs, *records]))
    if name in ids:
        return name
    short = [id_ for id_ in ids if name in {id_.partition(":")[2], id_.partition(":")[2].partition("[")[0]}]
    if len(short) == 1:
        return short[0]
    if short:
        raise UsageError(f"{name} means {len(short)} jobs; name one, such as {', '.join(short[:3])}")
    raise UsageError(f"there is no job {name}{hint(closest_job(name, ids)) or ': `status` lists all'}")
