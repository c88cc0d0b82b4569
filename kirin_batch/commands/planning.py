"""`plan`: the manifest against what is recorded. Reads, decides, and writes nothing but the manifest."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.disk import sha256_of_file
from kirin_batch.errors import KirinError
from kirin_batch.journal import load_records
from kirin_batch.models import Catalog
from kirin_batch.naming import is_foreign
from kirin_batch.plan import Plan, PlanOptions, make_plan, pick
from kirin_batch.prices import Estimates
from kirin_batch.project import Project
from kirin_batch.records import Output, Record
from kirin_batch.specs.files import Boundary

__all__ = ["plan_jobs", "plan_project", "presence", "recorded_contents", "require_own_places", "without_outside"]


def plan_project(workspace: Workspace, selection: Selection, options: PlanOptions) -> Plan:
    """What a run would do. Raises SpecsInvalidError, and KirinError where the lockfile cannot be trusted."""
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    require_own_places(project, records.values())
    return plan_jobs(workspace, selection, records, options)


def plan_jobs(workspace: Workspace, selection: Selection, records: Mapping[str, Record], options: PlanOptions) -> Plan:
    """The plan against `records`; orphans are told only where nothing narrows the selection."""
    workspace.require_valid()
    project, jobs = workspace.project, workspace.specs.jobs
    settings = project.settings
    plan = make_plan(
        jobs,
        records,
        is_present=presence(project, records.values()),
        estimates=Estimates(
            records,
            settings.prices,
            jobs=jobs,
            defaults=partial(_defaults, workspace.catalog),
            takes_made_up=options.takes_made_up,
        ),
        options=replace(
            options,
            namespace=settings.namespace,
            retries=settings.retries,
            excluded=workspace.excluded(selection),
        ),
    )
    return plan if selection.is_everything else pick(plan, workspace.select(selection, records))


def _defaults(catalog: Catalog, name: str) -> Mapping[str, Any]:
    model = catalog.model(name)
    return model.defaults() if model else {}


def require_own_places(project: Project, records: Iterable[Record]) -> None:
    """Raises KirinError where a path is recorded that no result of this project has: a lockfile comes from others too,
    and what it names is moved, covered, and sent.
    """
    if project.settings.allow_outside:
        return
    for task in (task for record in records for task in _tasks(record)):
        if path := next((output.path for output in task.outputs if output.path and is_foreign(output.path)), None):
            told = f"{project.lockfile.name}: a result of {task.job} is at {path!r:.200}, which is outside the project"
            raise KirinError(f"{told}. Restore the file, or set `allow_outside: true`")


def without_outside(project: Project, record: Record) -> Record:
    """The record without the places of results that a link leads out of the project: what lies there stays there."""
    boundary = Boundary(project)
    outputs = (out if out.path is None or boundary.has(out.path) else replace(out, path=None) for out in record.outputs)
    return replace(record, outputs=tuple(outputs))


def _tasks(record: Record) -> tuple[Record, ...]:
    return (record, *record.earlier)


def recorded_contents(records: Iterable[Record]) -> dict[str, set[tuple[int | None, str | None]]]:
    """Size in bytes and SHA-256 of all results that a path was ever recorded to hold."""
    contents: dict[str, set[tuple[int | None, str | None]]] = {}
    for task in (task for record in records for task in _tasks(record)):
        for output in task.outputs:
            if output.path is not None:
                contents.setdefault(output.path, set()).add((output.bytes, output.sha256))
    return contents


def presence(project: Project, records: Iterable[Record]) -> Callable[[Output], bool]:
    """Whether a result is on disk: its file is there, and holds no result of another task.

    Tasks that a job had one after the other share their paths: after a change is taken back, what lies there is the
    wrong one. A file that somebody edited is none of these, and stays. What a link leads out of the project is no
    result.
    """
    root, claims, boundary = project.root, recorded_contents(records), Boundary(project)

    def is_present(output: Output) -> bool:
        if output.path is None or (is_foreign(output.path) and not project.settings.allow_outside):
            return False
        if not boundary.has(output.path) or not (root / output.path).is_file():
            return False
        strangers = claims[output.path] - {(output.bytes, output.sha256)}
        return not strangers or not _is_one_of(root / output.path, strangers)

    return is_present


def _is_one_of(path: Path, results: Iterable[tuple[int | None, str | None]]) -> bool:
    size = path.stat().st_size
    return any(size == size_bytes and sha256_of_file(path) == sha256 for size_bytes, sha256 in results)
