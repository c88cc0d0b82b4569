"""What a gallery tells of each job, on disk or live: its row, its tasks, and what it asked for, without secrets."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kirin_batch.commands.credentials import known_secrets
from kirin_batch.commands.rows import JobRow
from kirin_batch.commands.workspace import Workspace
from kirin_batch.outputs.sidecar import public_params, public_values
from kirin_batch.project import Project
from kirin_batch.records import Record
from kirin_batch.report.asked import Asked
from kirin_batch.report.content import Entry

__all__ = ["allowed_paths", "make_entry"]


def make_entry(
    workspace: Workspace, row: JobRow, *, records: Mapping[str, Record], manifest: Mapping[str, Asked]
) -> Entry:
    """The entry of a job; `manifest` tells of jobs that no spec has any more."""
    return Entry(
        job=row.job,
        model=row.model,
        status=row.status,
        error=row.error,
        record=row.record,
        earlier=_earlier(row, records),
        asked=_asked(workspace, row, manifest),
        is_orphan=row.is_orphan,
    )


def _earlier(row: JobRow, records: Mapping[str, Record]) -> tuple[Record, ...]:
    if row.record:
        return row.record.earlier
    passed = records.get(row.job)  # of a request that the spec has moved on from
    return (*passed.earlier, passed) if passed else ()


def _asked(workspace: Workspace, row: JobRow, manifest: Mapping[str, Asked]) -> Asked | None:
    """What a job asks for, without secrets: a gallery is for others."""
    secrets = known_secrets(workspace.project.settings.env)
    if (job := workspace.specs.jobs.get(row.job)) and job.digest == row.digest:
        return replace(Asked.of(job, workspace.project.root), params=public_params(job, secrets=secrets))
    asked = manifest.get(row.job)
    if asked is None or asked.digest != row.digest:
        asked = _noted(row.record)
    return asked and replace(asked, params=public_values(asked.params, files={}, secrets=secrets))


def _noted(record: Record | None) -> Asked | None:
    """What the record of a task says that it was asked for."""
    if record is None or record.params is None:
        return None
    return Asked(digest=record.digest, params=record.params, take=record.take)


def allowed_paths(project: Project, paths: Iterable[str]) -> Iterator[Path]:
    """The files at these paths that the project may read: a lockfile is written by others too."""
    return (project.root / path for path in dict.fromkeys(paths) if project.is_inside(project.root / path))
