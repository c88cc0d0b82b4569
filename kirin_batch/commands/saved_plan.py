"""A plan in a file: what people reviewed, which `run --plan` carries out as it is, or refuses as stale.

The file may come from strangers, and is no source of anything but of what was reviewed: the plan is made anew from the
project, and each job of it held against the file. So no id and no digest is taken from there.

What a plan brings about is no reason to refuse it: a run of it that was interrupted goes on when it is called again.
That is why the digest of the lockfile leaves out the tasks that were in flight when the plan was saved, and those that
it makes: of a job that it sends, the attempt that it names and what comes after. They may be there or not, however they
ended.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from kirin_batch import __version__
from kirin_batch.commands.planning import Planned, plan_whole
from kirin_batch.commands.workspace import Selection, Workspace, open_workspace
from kirin_batch.disk import write_atomic
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.jobs import Job
from kirin_batch.models import schema_text
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob, PlanOptions, pick
from kirin_batch.problems import one_line
from kirin_batch.project import Project
from kirin_batch.records import Record, Status

__all__ = ["SavedPlan", "StalePlanError", "load_plan", "open_planned", "plan_saved", "save_plan"]

_VERSION = 1
_MOST_BYTES = 256 * 1024**2
_MOST_TOLD = 5
_SPEC_ENDINGS = (".yaml", ".yml")
_BEGINNING = SENDING | {Action.RESUME, Action.UNKNOWN}  # of which a run may make, or find, a task
_MAKING = SENDING | {Action.RESUME}  # an intent whose create was not answered may have come to nothing
_WITHOUT_RESULT = frozenset({Action.FAILED, Action.UNKNOWN, Action.BLOCKED})


class StalePlanError(KirinError):
    """The project is not any more what the plan was made from. Nothing was sent."""

    def __init__(self, reasons: Iterable[str], *, program: str) -> None:
        told = [one_line(reason) for reason in reasons]
        more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        other = "" if program == __version__ else f" (kirin-batch {one_line(program)} made it, this is {__version__})"
        super().__init__(
            f"the plan is stale{other}: {'; '.join(told[:_MOST_TOLD])}{more}. Nothing was sent; make a new plan"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedJob:
    """What was to be done with a job, as the file says."""

    job: str
    model: str
    action: Action
    digest: str
    external_task_id: str
    attempt: int

    def has_begun(self, record: Record | None) -> bool:
        """Whether a record is that of the task which the job was to have, or of one after it."""
        return record is not None and record.digest == self.digest and record.attempt >= self.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """What a file says of a plan; `plan_saved` tells whether it still holds. Orphans are left out of `jobs`."""

    program: str
    selection: Selection
    retry_failed: bool
    settings: Mapping[str, Any]
    specs: Mapping[str, str]
    lockfile: str
    in_flight: frozenset[str]
    jobs: Mapping[str, _SavedJob]


def save_plan(path: Path, workspace: Workspace, planned: Planned, *, selection: Selection, retry_failed: bool) -> None:
    """Write a plan to a file, in one step. Raises UsageError for a place that is not for plans, and KirinError where
    the disk refuses.
    """
    _require_place_for_plan(path, workspace.project)
    plan = planned.plan
    in_flight = sorted(task.external_task_id for task in _tasks(planned.records.values()) if _is_open(task))
    jobs = [_job_as_json(job) for job in plan.jobs]
    document = {
        "kirin_plan": _VERSION,
        "program": __version__,
        "selection": {
            "paths": list(workspace.folders),
            "jobs": list(selection.jobs),
            "tags": list(selection.tags),
            "models": list(selection.models),
            "failed": selection.failed,
            "exclude": list(selection.exclude),
        },
        "retry_failed": retry_failed,
        "settings": _settings(workspace.project),
        "specs": _spec_digests(workspace, None if selection.is_everything else {job.job for job in plan.jobs}),
        "lockfile": _lockfile_digest(planned.records, _saved_jobs(jobs), frozenset(in_flight)),
        "in_flight": in_flight,
        "jobs": jobs,
        "estimated_cost": _usd(plan.estimated_cost),
    }
    try:
        write_atomic(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise KirinError(f"{path} cannot be written: {error.strerror}") from error


def _job_as_json(planned: PlannedJob) -> dict[str, Any]:
    return {
        "job": planned.job,
        "model": planned.model,
        "action": str(planned.action),
        "reason": planned.reason,
        "digest": planned.digest,
        "external_task_id": planned.external_task_id,
        "attempt": planned.attempt,
        "estimated_cost": _usd(planned.estimated_cost),
    }


def _usd(amount: object) -> str | None:
    return None if amount is None else f"{amount:f}"


def _require_place_for_plan(path: Path, project: Project) -> None:
    """A plan never lies among results or where something else is read from, and replaces nothing but a plan."""
    folder = project.settings.outputs.partition("{")[0]
    if "{" in project.settings.outputs:
        folder = folder.rpartition("/")[0]
    if folder and path.resolve().is_relative_to((project.root / folder).resolve()):
        raise UsageError(f"--out {path}: {folder} holds results and nothing else: choose another place")
    if told := _what_is_read_there(path, project):
        raise UsageError(f"--out {path}: {told}: choose another place")
    if path.exists() and not _is_plan(path):
        raise UsageError(f"--out {path} is there and is no plan: choose another name")


def _what_is_read_there(path: Path, project: Project) -> str | None:
    """What the program takes files of that name or place for, if anything, on disks that ignore case too."""
    names = {place.name.casefold() for place in (path, path.resolve())}
    if project.lockfile.name.casefold() in names:
        return f"{project.lockfile.name} holds what was made"
    if any(name.endswith(_SPEC_ENDINGS) for name in names):
        return f"what ends in {' or '.join(_SPEC_ENDINGS)} is read as a spec or as settings"
    if project.state.resolve() in path.resolve().parents:
        return f"{project.state.name} is the program's own"
    return None


def _is_plan(path: Path) -> bool:
    """Whether a file is a plan, of whatever version, or empty."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(64)
    return not head or b'"kirin_plan"' in head


def load_plan(path: Path) -> SavedPlan:
    """What a file says of a plan. Raises UsageError for one that cannot be read, or is no plan."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        document = orjson.loads(data) if len(data) <= _MOST_BYTES else None
    except OSError as error:
        raise UsageError(f"--plan {path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and document.get("kirin_plan", _VERSION) != _VERSION:
        raise UsageError(f"--plan {path} is of another version than {_VERSION}, which this program reads")
    if not jsonschema_rs.validator_for(orjson.loads(schema_text("plan"))).is_valid(document):
        raise UsageError(f"--plan {path} is no plan that `kirin-batch plan --out` wrote")
    return _saved(document)


def _saved(document: Any) -> SavedPlan:  # noqa: ANN401 - any JSON that satisfies the schema
    said = document["selection"]
    selection = Selection(
        paths=tuple(map(Path, said["paths"])),
        jobs=tuple(said["jobs"]),
        tags=tuple(said["tags"]),
        models=tuple(said["models"]),
        failed=said["failed"],
        exclude=tuple(said["exclude"]),
    )
    return SavedPlan(
        program=document["program"],
        selection=selection,
        retry_failed=document["retry_failed"],
        settings=document["settings"],
        specs=document["specs"],
        lockfile=document["lockfile"],
        in_flight=frozenset(document["in_flight"]),
        jobs=_saved_jobs(document["jobs"]),
    )


def _saved_jobs(lines: Iterable[Mapping[str, Any]]) -> dict[str, _SavedJob]:
    jobs = (
        _SavedJob(
            job=line["job"],
            model=line["model"],
            action=Action(line["action"]),
            digest=line["digest"],
            external_task_id=line["external_task_id"],
            attempt=line["attempt"],
        )
        for line in lines
    )
    return {job.job: job for job in jobs if job.action is not Action.ORPHAN}


def open_planned(project: Project, saved: SavedPlan) -> Workspace:
    """The workspace that a plan is for: with the specs that it named. Raises what `open_workspace` does."""
    try:
        return open_workspace(project, [project.root / path for path in saved.selection.paths])
    except OSError as error:  # no name of a file, which no plan of ours has
        raise UsageError(f"a path of the plan cannot be read: {error.strerror}") from None


def plan_saved(workspace: Workspace, saved: SavedPlan, records: Mapping[str, Record], options: PlanOptions) -> Plan:
    """What is left to do of a saved plan. Raises StalePlanError where it does not fit the project any more."""
    workspace.require_valid()
    if reasons := [*_changed_sources(workspace, saved), *_changed_jobs(workspace, saved, records)]:
        raise StalePlanError(reasons, program=saved.program)
    exclude = Selection(exclude=saved.selection.exclude)
    going_on = plan_whole(workspace, exclude, records, replace(options, retry_failed=False, resend=()))
    asked = going_on
    if saved.retry_failed:
        asked = plan_whole(workspace, exclude, records, replace(options, retry_failed=True, resend=()))
    rest = _Rest(saved, workspace.specs.jobs, {job.job: job for job in going_on.jobs})
    planned = [rest.settle(job) for job in pick(asked, saved.jobs).jobs if job.action is not Action.ORPHAN]
    if rest.reasons:
        raise StalePlanError(rest.reasons, program=saved.program)
    return Plan(tuple(planned), asked.dearest)


def _changed_sources(workspace: Workspace, saved: SavedPlan) -> Iterator[str]:
    for name, value in _settings(workspace.project).items():
        if saved.settings[name] != value:
            source = "" if name == "base_url" else "kirin.yaml: "  # which may be KIRIN_BASE_URL's
            yield f"{source}{name} is {value!r} now, and was {saved.settings[name]!r:.100}"
    digests = _spec_digests(workspace, None if saved.selection.is_everything else set(saved.jobs))
    for file in sorted(saved.specs.keys() | digests.keys()):
        if file not in digests:
            yield f"{file} has no job of it any more"
        elif file not in saved.specs:
            yield f"{file} is new"
        elif digests[file] != saved.specs[file]:
            yield f"{file} has changed"


def _changed_jobs(workspace: Workspace, saved: SavedPlan, records: Mapping[str, Record]) -> Iterator[str]:
    jobs = workspace.specs.jobs
    known = saved.jobs.keys() | workspace.excluded(Selection(exclude=saved.selection.exclude))
    for id_, job in saved.jobs.items():
        if id_ not in jobs:
            yield f"{id_} is in no spec"
        elif (jobs[id_].digest, jobs[id_].model) != (job.digest, job.model):
            yield f"{id_} has another request"
        else:  # nothing that `plan --out` wrote lacks what a job needs
            yield from (
                f"{id_} needs {need}, of which it says nothing" for need in jobs[id_].needs if need not in known
            )
    if _lockfile_digest(records, saved.jobs, saved.in_flight) != saved.lockfile:
        yield f"{workspace.project.lockfile.name} has changed: it has other tasks than those that the plan knew"


class _Rest:
    """What is left of each job of a plan, in the order of their needs. `reasons` are those for which it is stale."""

    def __init__(self, saved: SavedPlan, jobs: Mapping[str, Job], going_on: Mapping[str, PlannedJob]) -> None:
        self.reasons: list[str] = []
        self._saved = saved
        self._jobs = jobs
        self._going_on = going_on
        self._without_result: set[str] = set()

    def settle(self, planned: PlannedJob) -> PlannedJob:
        """What to do with a job now; `planned` is what a new plan with the same options would."""
        saved = self._saved.jobs[planned.job]
        if saved.has_begun(planned.record):  # a further attempt by request is not in the plan a second time
            planned = self._going_on[planned.job]
        if planned.action in SENDING and (told := self._find_block(planned, saved)):
            planned = replace(planned, action=Action.BLOCKED, reason=told)
        if planned.action in _MAKING:
            self._require_same(planned, saved)
        if planned.action in _WITHOUT_RESULT:
            self._without_result.add(planned.job)
        return planned

    def _find_block(self, planned: PlannedJob, saved: _SavedJob) -> str | None:
        if saved.action is Action.BLOCKED:  # what it needs has a result by now
            return "the plan does not send it"
        need = next((need for need in self._jobs[planned.job].needs if need in self._without_result), None)
        return f"it needs {need}, which has no result" if need else None

    def _require_same(self, planned: PlannedJob, saved: _SavedJob) -> None:
        """Nothing is made but what the plan says, and what comes of that."""
        goes_on = saved.action in _BEGINNING and saved.has_begun(planned.record)
        is_as_saved = saved.action in SENDING and planned.external_task_id == saved.external_task_id
        if not goes_on and not (is_as_saved and planned.action in SENDING):
            self.reasons.append(f"{planned.job} is {planned.action} now ({planned.reason}), and was {saved.action}")


def _settings(project: Project) -> dict[str, Any]:
    settings = project.settings
    return {
        "base_url": settings.base_url,
        "namespace": settings.namespace,
        "retries": settings.retries,
        "outputs": settings.outputs,
    }


def _spec_digests(workspace: Workspace, wanted: Iterable[str] | None) -> dict[str, str]:
    """A digest of each spec that has any of the `wanted` jobs (None: of each); formatting does not change it."""
    jobs = workspace.specs.jobs
    files = {jobs[id_].spec_file for id_ in (jobs if wanted is None else wanted) if id_ in jobs}
    lines: dict[str, list[tuple[object, ...]]] = {file: [] for file in files}
    for job in jobs.values():
        if job.spec_file in lines:
            callback = job.params.get("callback_url")
            lines[job.spec_file].append((job.id, job.digest, job.external_task_id, job.output_stem, callback))
    return {file: _digest(sorted(told, key=str)) for file, told in sorted(lines.items())}


def _lockfile_digest(records: Mapping[str, Record], jobs: Mapping[str, _SavedJob], in_flight: frozenset[str]) -> str:
    """A digest of the tasks that there are, without those that are, or may come, of the plan: see the module."""
    known = {
        (task.external_task_id, task.digest)
        for task in _tasks(records.values())
        if task.external_task_id not in in_flight and not _is_of(jobs.get(task.job), task)
    }
    return _digest(sorted(known))


def _is_of(job: _SavedJob | None, task: Record) -> bool:
    return job is not None and job.action in _BEGINNING and job.has_begun(task)


def _tasks(records: Iterable[Record]) -> Iterator[Record]:
    return (task for record in records for task in record.tasks)


def _is_open(task: Record) -> bool:
    return task.status in {Status.IN_FLIGHT, Status.UNKNOWN}


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value)).hexdigest()
