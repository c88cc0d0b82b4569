"""All specs of a project to jobs, with all that is wrong in them at once. The way in to this package."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.documents import Document, read_document
from kirin_batch.errors import UsageError
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog
from kirin_batch.problems import Problem, Severity
from kirin_batch.project import Project
from kirin_batch.specs.checks import check_drafts
from kirin_batch.specs.drafts import Draft, draft_jobs
from kirin_batch.specs.fingerprints import fingerprint
from kirin_batch.specs.links import Unknown, link_drafts, sort_by_need
from kirin_batch.specs.sheets import Sheet, read_sheet, spec_name

__all__ = ["Specs", "load_specs"]


@dataclass(frozen=True, slots=True)
class Specs:
    """What the specs of a project say.

    `jobs` by id, each behind what it needs, faulty ones left out; `files` are all spec files, relative to the root,
    `job_files` the file of each job, faulty ones included; `problems` are sorted by place.
    """

    files: tuple[str, ...]
    jobs: Mapping[str, Job]
    job_files: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong; warnings let a spec pass."""
        return all(problem.severity is not Severity.ERROR for problem in self.problems)


def load_specs(
    project: Project, catalog: Catalog, *, environ: Mapping[str, str], further: Sequence[Path] = ()
) -> Specs:
    """Read, expand, link and check all specs of the project, and `further` files that its `specs:` does not name.

    Raises UsageError for a pattern or a further path that leads out of the project. Sends and writes nothing.
    """
    paths = _find_files(project, further)
    allowed = {name: environ[name] for name in project.settings.env if name in environ}
    problems, sheets, unread = _read(project, paths)
    drafts = _unique(draft for sheet in sheets for draft in draft_jobs(sheet, catalog, allowed))
    link_drafts(drafts, Unknown.of(sheets, specs=unread))
    ordered = sort_by_need(drafts)
    check_drafts(drafts, project)
    jobs = fingerprint(ordered, project)
    problems += [problem for sheet in sheets for problem in sheet.problems]
    return Specs(
        files=tuple(paths.values()),
        jobs=jobs,
        job_files=tuple(draft.sheet.document.file for draft in drafts),
        problems=_once(problems),
    )


def _read(project: Project, paths: Mapping[Path, str]) -> tuple[list[Problem], list[Sheet], list[str]]:
    """The sheets of all files, and the specs that are none, with why."""
    problems: list[Problem] = []
    sheets: list[Sheet] = []
    unread: list[str] = []
    for path, file in paths.items():
        document = _read_file(project, path, file)
        if isinstance(document, Problem):
            problems.append(document)
            unread.append(spec_name(file))
        else:
            sheets.append(read_sheet(document))
    return problems, sheets, unread


def _read_file(project: Project, path: Path, file: str) -> Document | Problem:
    name = spec_name(file)
    if not name.isprintable() or any(char in ":[]" for char in name):
        shown = file.encode(errors="backslashreplace").decode()
        told = (
            "the name of a spec is part of its jobs' ids: rename the file, without : [ ] and characters that are none"
        )
        return Problem(shown, 1, 1, Severity.ERROR, "file-name", told)
    if not project.is_inside(path):
        told = (
            "is a link that leads out of the project: move the file inside, or set `allow_outside: true` in kirin.yaml"
        )
        return Problem(file, 1, 1, Severity.ERROR, "outside", told)
    return read_document(path, file)


def _once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by place; a fault in defaults or a matrix is one problem, not one for each job that it is in."""
    found: dict[tuple[str, int, int, str, str], Problem] = {}
    for problem in sorted(problems, key=_place):
        found.setdefault((*_place(problem), problem.rule, problem.message), problem)
    return tuple(found.values())


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _find_files(project: Project, further: Sequence[Path]) -> dict[Path, str]:
    found: set[Path] = set()
    for pattern in project.settings.specs:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise UsageError(f"specs: {pattern} leads out of the project: name a place below its root")
        try:
            found.update(path for path in project.root.glob(pattern) if path.is_file())
        except (IndexError, ValueError) as error:  # of `.`, in Python 3.11; of `**.yaml`
            raise UsageError(f"specs: {pattern} is no pattern: write specs/**/*.yaml, say") from error
    for path in further:
        below = path if path.is_relative_to(project.root) else path.resolve()
        if not below.is_relative_to(project.root):
            raise UsageError(f"{path} is outside the project {project.root}: name its folder with --project")
        found.add(below)
    return {path: path.relative_to(project.root).as_posix() for path in sorted(found)}


def _unique(drafts: Iterable[Draft]) -> list[Draft]:
    """Drafts by id; the second of two with one id is a problem (two instances, or a .yaml beside a .yml)."""
    known: dict[str, Draft] = {}
    for draft in drafts:
        other = known.setdefault(draft.id, draft)
        if other is not draft:
            where = f" in {other.sheet.document.file}" if other.sheet is not draft.sheet else ", with equal axes"
            draft.complain("duplicate-job", f"the job {draft.id} is there already{where}")
    return list(known.values())
