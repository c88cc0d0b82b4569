"""All specs of a project to jobs, with all that is wrong in them at once. The way in to this package."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kirin_batch.documents import Document, read_document
from kirin_batch.errors import UsageError
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog, Shape, schema_text
from kirin_batch.problems import Problem, Severity
from kirin_batch.project import Project
from kirin_batch.specs.checks import check_drafts
from kirin_batch.specs.drafts import Draft, Sheet, draft_jobs
from kirin_batch.specs.fingerprints import fingerprint
from kirin_batch.specs.links import link_drafts, sort_by_need

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
    problems: list[Problem] = []
    sheets: list[Sheet] = []
    for path, file in paths.items():
        document = read_document(path, file)
        if isinstance(document, Problem):
            problems.append(document)
        elif found := _shape_problems(document):
            problems += found
        else:
            sheets.append(Sheet(document, _spec_name(file)))
    drafts = [draft for sheet in sheets for draft in draft_jobs(sheet, catalog, allowed)]
    drafts = _unique(drafts)
    link_drafts(drafts)
    ordered = sort_by_need(drafts)
    check_drafts(drafts, project)
    problems += [problem for sheet in sheets for problem in sheet.problems]
    jobs = fingerprint(ordered, project)
    return Specs(
        files=tuple(paths.values()),
        jobs=jobs,
        job_files=tuple(draft.sheet.document.file for draft in drafts),
        problems=tuple(sorted(problems, key=_place)),
    )


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _find_files(project: Project, further: Sequence[Path]) -> dict[Path, str]:
    found: set[Path] = set()
    for pattern in project.settings.specs:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise UsageError(f"specs: {pattern} leads out of the project: name a place below its root")
        found.update(path for path in project.root.glob(pattern) if path.is_file())
    for path in further:
        if not project.is_inside(path):
            raise UsageError(f"{path} is outside the project {project.root}: name its folder with --project")
        found.add(path.resolve() if not path.is_relative_to(project.root) else path)
    inside = sorted(path for path in found if project.is_inside(path))
    return {path: path.relative_to(project.root).as_posix() for path in inside}


def _spec_name(file: str) -> str:
    return file.removeprefix("specs/").rpartition(".")[0]


def _shape_problems(document: Document) -> list[Problem]:
    shape = _envelope()
    return [
        document.problem(v.pointer, v.rule, v.message, at_key=v.key) for v in shape.check(shape.coerce(document.value))
    ]


@cache
def _envelope() -> Shape:
    """The schema of a spec without what it says of each model's params: those are checked when they are filled in."""
    return Shape({key: part for key, part in json.loads(schema_text("spec")).items() if key != "allOf"})


def _unique(drafts: Iterable[Draft]) -> list[Draft]:
    """Drafts by id; the second of two with one id is a problem (two instances, or a .yaml beside a .yml)."""
    known: dict[str, Draft] = {}
    for draft in drafts:
        other = known.setdefault(draft.id, draft)
        if other is not draft:
            where = f" in {other.sheet.document.file}" if other.sheet is not draft.sheet else ", with equal axes"
            draft.complain("duplicate-job", f"the job {draft.id} is there already{where}")
    return list(known.values())
