"""`plan`: the manifest against what is recorded. Reads, decides, and writes nothing but the manifest."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from kirin_batch.commands.forecast import Forecast, forecast_run
from kirin_batch.commands.reasons import with_changes
from kirin_batch.commands.remembering import remember
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

__all__ = [
    "Planned",
    "plan_jobs",
    "plan_project",
    "plan_whole",
    "presence",
    "recorded_contents",
    "require_own_places",
    "without_outside",
]


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from, and what carrying it out would take."""

    plan: Plan
    records: Mapping[str, Record]
    forecast: Forecast


def plan_project(
    workspace: Workspace, selection: Selection, options: PlanOptions, *, max_cost: Decimal | None = None
) -> Planned:
    """What a run would do, and why; `max_cost`: what it may spend, instead of what kirin.yaml says.

    Raises SpecsInvalidError, and KirinError where the lockfile cannot be trusted.
    """
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    require_own_places(project, records.values())
    plan = with_changes(plan_jobs(workspace, selection, records, options), workspace, records)
    if plan.is_settled:
        remember(workspace, records=plan.settled_records())
    return Planned(plan, records, forecast_run(plan, workspace.specs.jobs, project, max_cost=max_cost))


def plan_jobs(workspace: Workspace, selection: Selection, records: Mapping[str, Record], options: PlanOptions) -> Plan:
    """The plan against `records`; orphans are told only where nothing narrows the selection."""
    workspace.require_valid()
    plan = plan_whole(workspace, selection, records, options)
    return plan if selection.is_everything else pick(plan, workspace.select(selection, records))


def plan_whole(workspace: Workspace, selection: Selection, records: Mapping[str, Record], options: PlanOptions) -> Plan:
    """The plan for all jobs, as those that `selection` excludes leave it."""
    project, jobs = workspace.project, workspace.specs.jobs
    settings = project.settings
    return make_plan(
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


def _defaults(catalog: Catalog, name: str) -> Mapping[str, Any]:
    model = catalog.model(name)
    return model.defaults() if model else {}


def require_own_places(project: Project, records: Iterable[Record]) -> None:
    """Raises KirinError where a path is recorded that no result of this project has: a lockfile comes from others too,
    and what it names is moved, covered, and sent.
    """
    if project.settings.allow_outside:
        return
    for task in (task for record in records for task in record.tasks):
        if path := next((output.path for output in task.outputs if output.path and is_foreign(output.path)), None):
            told = f"{project.lockfile.name}: a result of {task.job} is at {path!r:.200}, which is outside the project"
            raise KirinError(f"{told}. Restore the file, or set `allow_outside: true`")


def without_outside(project: Project, record: Record) -> Record:
    """The record without the places of results that a link leads out of the project: what lies there stays there."""
    boundary = Boundary(project)
    outputs = (out if out.path is None or boundary.has(out.path) else replace(out, path=None) for out in record.outputs)
    return replace(record, outputs=tuple(outputs))


def recorded_contents(records: Iterable[Record]) -> dict[str, set[tuple[int | None, str | None]]]:
    """Size in bytes and SHA-256 of all results that a path was ever recorded to hold."""
    contents: dict[str, set[tuple[int | None, str | None]]] = {}
    for task in (task for record in records for task in record.tasks):
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
    root, claims, boundary = project.root, recorded_contents(records), Boundary(project, at_once=True)

    def is_present(output: Output) -> bool:
        if output.path is None or (is_foreign(output.path) and not project.settings.allow_outside):
            return False
        if not boundary.has_file(output.path):
            return False
        strangers = claims[output.path] - {(output.bytes, output.sha256)}
        return not strangers or not _is_one_of(root / output.path, strangers)

    return is_present


def _is_one_of(path: Path, results: Iterable[tuple[int | None, str | None]]) -> bool:
    size = path.stat().st_size
    return any(size == size_bytes and sha256_of_file(path) == sha256 for size_bytes, sha256 in results)
