"""What every command begins with: the project, its models, its specs, and which jobs are meant."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from glob import glob, has_magic
from pathlib import Path

from kirin_batch.caches import begun_at
from kirin_batch.commands.suggestions import closest_job, hint
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog
from kirin_batch.models.messages import closest_name
from kirin_batch.problems import Problem, Severity
from kirin_batch.project import Project, load_project
from kirin_batch.records import Record, Status
from kirin_batch.specs.loading import Specs, load_specs

__all__ = [
    "Selection",
    "SpecsInvalidError",
    "Workspace",
    "is_under",
    "load_catalog",
    "open_project",
    "open_workspace",
    "project_with_defaults",
]


class SpecsInvalidError(KirinError):
    """The specs of `project` have errors; `problems` holds all, warnings too. Nothing was sent or written."""

    def __init__(self, problems: tuple[Problem, ...], project: Project) -> None:
        errors = sum(problem.severity is Severity.ERROR for problem in problems)
        super().__init__(f"the specs have {errors} {'error' if errors == 1 else 'errors'}: nothing was sent")
        self.problems = problems
        self.project = project


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs a command is about; all where nothing is named. Kinds narrow each other, values of one kind add up.

    `paths`: spec files and folders; `jobs`: patterns of ids (`launch:*`) or of names; `failed`: those that failed;
    `exclude`: patterns as in `jobs`, of jobs that are left out whatever else means or needs them.
    """

    paths: tuple[Path, ...] = ()
    jobs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    failed: bool = False
    exclude: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return self == Selection()


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project read from disk: settings, models and specs, problems included."""

    project: Project
    catalog: Catalog
    specs: Specs
    folders: tuple[str, ...] = field(default=())

    def require_valid(self) -> None:
        """Raises SpecsInvalidError where any spec of the project has an error."""
        if not self.specs.is_valid:
            raise SpecsInvalidError(self.specs.problems, self.project)

    def require_known(self, selection: Selection) -> None:
        """Raises UsageError where a name or pattern meets no job, as a mistyped one does."""
        _require_known(selection, self.specs.jobs.values())

    def select(self, selection: Selection, records: Mapping[str, Record]) -> list[str]:
        """The ids of the selected jobs and of all that they need, in the order of the specs, without excluded ones.

        Raises UsageError.
        """
        jobs = self.specs.jobs
        self.require_known(selection)
        excluded = self.excluded(selection)
        chosen = [job for job in jobs.values() if _is_chosen(job, selection, self.folders, records)]
        wanted = {job.id for job in chosen} - excluded
        for job in reversed(list(jobs.values())):
            if job.id in wanted:
                wanted.update(need for need in job.needs if need not in excluded)
        return [id_ for id_ in jobs if id_ in wanted]

    def excluded(self, selection: Selection) -> frozenset[str]:
        """The ids of the jobs that the selection leaves out by name."""
        if not selection.exclude:
            return frozenset()
        return frozenset(job.id for job in self.specs.jobs.values() if _is_any(job, selection.exclude))


def open_project(folder: Path | None) -> Project:
    """The project of `folder`, or of the working directory."""
    return load_project(folder or Path.cwd(), is_root=folder is not None)


def project_with_defaults(folder: Path | None) -> Project:
    """The project of `folder`, or of the working directory, as far as it is known where its kirin.yaml is wrong."""
    start = (folder or Path.cwd()).resolve()
    candidates = () if folder else (start, *start.parents)
    return Project(next((path for path in candidates if (path / "kirin.yaml").is_file()), start))


def open_workspace(project: Project, paths: Iterable[Path] = ()) -> Workspace:
    """Read the specs of a project, those that `paths` names included though its `specs:` may not.

    Paths count from the working directory; one that is not there, or not in the project, counts from its root,
    as users of `git -C` expect.
    A path that is not there may be a pattern: shells leave those alone that are quoted, or some all.
    Raises UsageError for a path that is not there or outside, and as `load_catalog`.
    """
    files, folders = [], []
    for whole, name in (found for path in paths for found in _expand(project, path)):
        files += _specs_in(project, whole) if whole.is_dir() else [whole]
        folders.append(name)
    catalog = load_catalog(project)
    specs = load_specs(project, catalog, environ=os.environ, further=files, begun_ns=begun_at.get())
    return Workspace(project, catalog, specs, tuple(folders))


def load_catalog(project: Project) -> Catalog:
    """The models of a project: the bundled ones, and those of the folders that `schemas:` names.

    Raises UsageError for a folder outside the project, SchemaError for a wrong schema.
    """
    folders = list(dict.fromkeys(project.root / folder for folder in project.settings.schemas))
    for folder in folders:
        if not project.is_inside(folder):
            raise UsageError(f"schemas: {folder} is outside the project: move it, or set `allow_outside: true`")
    return Catalog.load(folders)


def _expand(project: Project, path: Path) -> list[tuple[Path, str]]:
    """What a path or a pattern of paths means, as `_find` tells it."""
    is_there = any(candidate.exists() for candidate in (path, project.root / path))
    if is_there or not has_magic(str(path)):
        return [_find(project, path)]
    for start in (Path(), project.root):
        met = glob(str(path), root_dir=start, recursive=True)  # noqa: PTH207 - takes absolute patterns too
        wholes = (start / name for name in sorted(met))
        specs = [whole for whole in wholes if whole.is_dir() or whole.suffix in {".yaml", ".yml"}]
        if specs:
            return [_find(project, found) for found in specs]
    raise UsageError(f"{path} meets no spec")


def _find(project: Project, path: Path) -> tuple[Path, str]:
    """The absolute path of what the user names, and the path relative to the root."""
    # Not `resolve`: links inside a project stay links, as they were written.
    wholes = [Path(os.path.abspath(candidate)) for candidate in (path, project.root / path)]  # noqa: PTH100 - see above
    found = [whole for whole in wholes if whole.exists()]
    for whole in found:
        name = _below(project, whole)
        if name is not None and project.is_inside(whole):
            return whole, name
    if found:
        raise UsageError(f"{path} is outside the project {project.root}: name its folder with --project")
    raise UsageError(f"{path} is not there")


def _specs_in(project: Project, folder: Path) -> list[Path]:
    """The specs of a folder, but for hidden ones; what is a spec in the root itself, `specs:` alone says."""
    if folder.resolve() == project.root:
        return []
    found = sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _below(project: Project, path: Path) -> str | None:
    """The path relative to the root, as jobs are named by it: as it was written, else with its links followed."""
    for candidate in (path, path.resolve()):
        if candidate.is_relative_to(project.root):
            return candidate.relative_to(project.root).as_posix()
    return None


def _require_known(selection: Selection, jobs: Iterable[Job]) -> None:
    jobs = list(jobs)
    named = [("--job", pattern) for pattern in selection.jobs] + [("--exclude", name) for name in selection.exclude]
    for option, pattern in named:
        if not any(_is_named(job, pattern) for job in jobs):
            raise UsageError(f"{option} {pattern} meets no job{hint(closest_job(pattern, (job.id for job in jobs)))}")
    for tag in selection.tags:
        if not any(_is_tagged(job, tag) for job in jobs):
            meant = closest_name(tag, dict.fromkeys(known for job in jobs for known in job.tags))
            raise UsageError(f"--tag {tag} is on no job{hint(meant)}")
    for model in selection.models:
        if not any(fnmatchcase(job.model, model) for job in jobs):
            meant = closest_name(model, dict.fromkeys(job.model for job in jobs))
            raise UsageError(f"--model {model} makes no job{hint(meant)}")


def _is_chosen(job: Job, selection: Selection, folders: tuple[str, ...], records: Mapping[str, Record]) -> bool:
    record = records.get(job.id)
    return (
        (not folders or any(is_under(job.spec_file, folder) for folder in folders))
        and (not selection.jobs or _is_any(job, selection.jobs))
        and (not selection.tags or any(_is_tagged(job, tag) for tag in selection.tags))
        and (not selection.models or any(fnmatchcase(job.model, model) for model in selection.models))
        and (not selection.failed or (record is not None and record.status is Status.FAILED))
    )


def is_under(file: str, folder: str) -> bool:
    """Whether a file, relative to the root, is `folder` itself or lies in it; "." is the root."""
    return folder in {".", file} or file.startswith(folder + "/")


def _is_any(job: Job, patterns: Iterable[str]) -> bool:
    return any(_is_named(job, pattern) for pattern in patterns)


def _is_tagged(job: Job, pattern: str) -> bool:
    """Whether the job has the tag, or one that the pattern means; a tag may hold what is special in patterns."""
    return pattern in job.tags or any(fnmatchcase(tag, pattern) for tag in job.tags)


def _is_named(job: Job, pattern: str) -> bool:
    """Whether a pattern means the job: by id or by name, with its axes or without them."""
    name = job.id.partition(":")[2]
    plain = pattern.replace("[", "[[]")  # brackets are axes here, not a choice of characters
    forms = (job.id, name, job.id.partition("[")[0], name.partition("[")[0])
    return any(fnmatchcase(form, plain) for form in forms)
