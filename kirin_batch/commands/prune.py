"""`prune`: forgets jobs that no spec has any more, and on demand removes their files; what it will do is shown first.

A file goes only where it is recorded, holds what was recorded, and no job that stays has it. Files go before their
records: a prune that dies is gone on with by the next, and no file is left that nobody knows.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.rows import task_cost
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.disk import fsync_folder, sha256_of_file
from kirin_batch.errors import KirinError
from kirin_batch.journal import Ledger, load_records
from kirin_batch.naming import is_foreign, place_of
from kirin_batch.outputs.sidecar import is_sidecar_of, sidecar_path
from kirin_batch.plan import Action, Plan, PlanOptions
from kirin_batch.project import Project
from kirin_batch.records import Output, Record, Status
from kirin_batch.run_lock import hold_run_lock

__all__ = ["Doomed", "Kept", "PruneOptions", "Pruning", "open_task", "preview_prune", "prune_project", "tasks_of"]

_OPEN = frozenset({Status.IN_FLIGHT, Status.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """`outputs`: remove files too; `in_flight`: forget jobs too whose tasks may still run, and be paid for."""

    outputs: bool = False
    in_flight: bool = False


@dataclass(frozen=True, slots=True)
class Doomed:
    """A file that is to go: its path as it is recorded, the content that it must have, and its size in bytes."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A job or a file that stays although its job is gone, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is to be forgotten, the files that are to go, and what stays.

    `files_left` counts the files that `outputs` would remove and nobody asked to.
    """

    records: tuple[Record, ...]
    files: tuple[Doomed, ...]
    kept: tuple[Kept, ...]
    files_left: int = 0

    @property
    def risky(self) -> tuple[Record, ...]:
        """Jobs to forget of which a task may still run, and be paid for."""
        return tuple(record for record in self.records if open_task(record))

    @property
    def cost(self) -> Decimal:
        """USD that the tasks cost which are to be forgotten."""
        return sum((task_cost(task) for record in self.records for task in tasks_of(record)), Decimal(0))

    @property
    def size_bytes(self) -> int:
        """Size of the files that are to go."""
        return sum(file.size_bytes for file in self.files)


def tasks_of(record: Record) -> tuple[Record, ...]:
    """All tasks of a job, the present one first."""
    return (record, *reversed(record.earlier))


def open_task(record: Record) -> Record | None:
    """A task of the job that may still run, unless a sandbox made it up."""
    return next((task for task in tasks_of(record) if task.status in _OPEN and not task.sandbox), None)


def preview_prune(workspace: Workspace, options: PruneOptions) -> Pruning:
    """What `prune` would do, beside a run too. Raises SpecsInvalidError: a job with an error is not gone."""
    workspace.require_valid()
    project = workspace.project
    return _decide(workspace, load_records(project.lockfile, project.journal), options)


def prune_project(workspace: Workspace, options: PruneOptions, *, confirm: Callable[[Pruning], bool]) -> Pruning | None:
    """Forget, under the run lock, what `confirm` agrees to; None where it does not.

    Raises SpecsInvalidError, ProjectBusyError, and KirinError for a lockfile or a disk that refuses.
    """
    workspace.require_valid()
    project = workspace.project
    project.make_state_folder()
    with hold_run_lock(project.state), Ledger(project.lockfile, project.journal) as ledger:
        pruning = _decide(workspace, ledger.records, options)
        if pruning.records and not confirm(pruning):
            return None
        _remove_files(project, pruning.files)
        asyncio.run(_forget(ledger, pruning.records))
    return pruning


async def _forget(ledger: Ledger, records: Iterable[Record]) -> None:
    async with asyncio.TaskGroup() as group:
        for record in records:
            group.create_task(ledger.forget(record.job))


def _decide(workspace: Workspace, records: Mapping[str, Record], options: PruneOptions) -> Pruning:
    plan = plan_jobs(workspace, Selection(), records, PlanOptions())
    gone = {planned.job for planned in plan.jobs if planned.action is Action.ORPHAN}
    kept = {job: reason for job in sorted(gone) if (reason := _why_kept(workspace, plan, records[job], options))}
    doomed = [records[job] for job in sorted(gone - kept.keys())]
    stay = [record for job, record in records.items() if job not in gone or job in kept]
    found = list(_find_files(workspace.project, doomed, _claims(workspace, stay)))
    files = [file for file in found if isinstance(file, Doomed)]
    notes = [Kept(job, reason) for job, reason in kept.items()]
    if not options.outputs:
        return Pruning(tuple(doomed), (), tuple(notes), files_left=len(files))
    return Pruning(tuple(doomed), tuple(files), (*notes, *(file for file in found if isinstance(file, Kept))))


def _why_kept(workspace: Workspace, plan: Plan, record: Record, options: PruneOptions) -> str | None:
    """Why the record of a job that no spec has is not to be forgotten, if so."""
    if heir := next((planned.job for planned in plan.jobs if planned.taken_from == record.job), None):
        return f"{heir} asks for what it has paid for, and the next run takes that over"
    if file := _unread_spec(workspace, record.job.partition(":")[0]):
        return f"{file} is there, and not among `specs:`; name it to have its jobs counted"
    task = None if options.in_flight else open_task(record)
    if task is None:
        return None
    if task.task_id is None:
        return (
            "a create of it was not answered: it may be running, and be paid for; --in-flight forgets it all the same"
        )
    told = f"its task {task.task_id} is {task.status.replace('_', ' ')}, and is paid for when it ends"
    return f"{told}: `run` records that, --in-flight forgets it all the same"


def _unread_spec(workspace: Workspace, spec: str) -> str | None:
    """A file that looks like the spec of a job, and was not read."""
    names = (f"{folder}{spec}{ending}" for folder in ("specs/", "") for ending in (".yaml", ".yml"))
    unread = (name for name in names if name not in workspace.specs.files)
    return next((name for name in unread if (workspace.project.root / name).is_file()), None)


def _claims(workspace: Workspace, records: Iterable[Record]) -> Mapping[str, str]:
    """The places of all files that jobs need which stay, with why: results, and what specs name as input."""
    root = workspace.project.root
    inputs = {
        _place(file.path): f"{job.id} is made from it"
        for job in workspace.specs.jobs.values()
        for file in job.files.values()
    }
    tasks = (task for record in records for task in tasks_of(record))
    return inputs | {_place(root / output.path): "" for task in tasks for output in task.outputs if output.path}


def _place(file: Path) -> str:
    """What is equal for all names of a file, through links too."""
    return place_of(os.path.realpath(file))


def _find_files(project: Project, records: Iterable[Record], claims: Mapping[str, str]) -> Iterator[Doomed | Kept]:
    """The recorded files of jobs that go, each once, and those that stay with why."""
    contents: dict[str, list[Output]] = {}
    for record in records:
        for output in (output for task in tasks_of(record) for output in task.outputs):
            if output.path:
                contents.setdefault(output.path, []).append(output)
    for path, outputs in contents.items():
        file = project.root / path
        if is_foreign(path) and not project.settings.allow_outside:
            yield Kept(path, "it is outside the project")
        elif not file.is_file():
            continue
        elif (reason := claims.get(_place(file))) is not None:
            yield from [Kept(path, reason)] if reason else []
        elif not project.is_inside(file):
            yield Kept(path, "it is outside the project")
        elif sha256 := _recorded_content(file, outputs):
            yield Doomed(path, sha256, file.stat().st_size)
        else:
            yield Kept(path, "it was changed since it was recorded")


def _recorded_content(file: Path, outputs: Iterable[Output]) -> str | None:
    """The SHA-256 of a file, if it is that of one of these results."""
    size = file.stat().st_size
    known = {output.sha256 for output in outputs if output.bytes in {size, None}}
    sha256 = sha256_of_file(file) if known else None
    return sha256 if sha256 in known else None


def _remove_files(project: Project, files: Sequence[Doomed]) -> None:
    """Remove files, those that somebody has changed meanwhile excepted, and the folders that are empty then."""
    folders = set()
    try:
        for doomed in files:
            file = project.root / doomed.path
            if not file.is_file() or sha256_of_file(file) != doomed.sha256:
                continue
            sidecar = sidecar_path(file)
            if is_sidecar_of(sidecar, sha256=doomed.sha256):
                sidecar.unlink()
            file.unlink()
            folders.add(file.parent)
        for folder in folders:
            fsync_folder(folder)
        for folder in folders:
            _remove_empty(folder, project.root)
    except OSError as error:
        raise KirinError(f"a file cannot be removed: {error}. No job was forgotten") from error


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder below the root where nothing is in it, and those above it likewise."""
    with suppress(OSError):  # it is not empty, or another one has removed it
        for place in (folder, *folder.parents):
            if place == root or not place.is_relative_to(root):
                return
            place.rmdir()
