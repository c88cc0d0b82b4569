"""All specs of a project to jobs, with all that is wrong in them at once. The way in to this package."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.collection import without_collection
from kirin_batch.documents import Document, read_document
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog
from kirin_batch.problems import Problem, Severity
from kirin_batch.project import Project
from kirin_batch.specs.checks import check_drafts
from kirin_batch.specs.drafts import Draft, KeptDraftError, draft_jobs
from kirin_batch.specs.files import Boundary, Found, find_files
from kirin_batch.specs.fingerprints import fingerprint
from kirin_batch.specs.kept import KeptSpecs
from kirin_batch.specs.links import Unknown, link_drafts, sort_by_need
from kirin_batch.specs.sheets import Sheet, read_sheet, spec_name

__all__ = ["Specs", "load_specs"]

_BRACKETS_OR_COLON = re.compile(r"[:\[\]]")


@dataclass(frozen=True, slots=True)
class Specs:
    """What the specs of a project say.

    `jobs` by id, each behind what it needs, faulty ones left out; `files` are all spec files, relative to the root,
    `job_files` the file of each job, faulty ones included; `problems` are sorted by place; `found` tells how the files
    were found.
    """

    files: tuple[str, ...]
    jobs: Mapping[str, Job]
    job_files: tuple[str, ...]
    problems: tuple[Problem, ...]
    found: Found

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong; warnings let a spec pass."""
        return all(problem.severity is not Severity.ERROR for problem in self.problems)


def load_specs(
    project: Project,
    catalog: Catalog,
    *,
    environ: Mapping[str, str],
    further: Sequence[Path] = (),
    begun_ns: int | None = None,
) -> Specs:
    """Read, expand, link and check all specs of the project, and `further` files that its `specs:` does not name.

    `begun_ns`: when the program began, where what was kept of sound specs may be used, and written: see `kept`. Else
    nothing is written. Raises UsageError for a pattern or a further path that leads out of the project.
    """
    allowed = {name: environ[name] for name in project.settings.env if name in environ}
    with without_collection():
        found = find_files(project, further)
        if begun_ns is None or not found.files:
            return _load(project, catalog, allowed, found)
        kept = KeptSpecs(project, catalog, allowed, begun_ns=begun_ns)
        try:
            return _load(project, catalog, allowed, found, kept)
        except KeptDraftError:
            return _load(project, catalog, allowed, found)


def _load(
    project: Project, catalog: Catalog, environ: Mapping[str, str], found: Found, kept: KeptSpecs | None = None
) -> Specs:
    kept_drafts = _kept_drafts(found, kept) if kept else {}
    problems, sheets, unread = _read(
        project, {name: link for name, link in found.files.items() if name not in kept_drafts}
    )
    new_drafts = {sheet.document.file: draft_jobs(sheet, catalog, environ) for sheet in sheets}
    drafts = _unique(draft for file in found.files for draft in kept_drafts.get(file) or new_drafts.get(file) or ())
    link_drafts(drafts, Unknown.of(sheets, specs=unread))
    ordered = sort_by_need(drafts)
    check_drafts(drafts, project, kept)
    jobs = fingerprint(ordered, project)
    problems += [problem for sheet in sheets for problem in sheet.problems]
    if kept:
        kept.save(drafts)
    return Specs(
        files=tuple(found.files),
        jobs=jobs,
        job_files=tuple(draft.sheet.document.file for draft in drafts),
        problems=_once(problems),
        found=found,
    )


def _kept_drafts(found: Found, kept: KeptSpecs) -> dict[str, list[Draft]]:
    """The drafts of the specs that are as they were; of those behind links nobody can tell."""
    plain = (file for file, is_link in found.files.items() if not is_link)
    return {file: drafts for file in plain if (drafts := kept.drafts(file))}


def _read(project: Project, files: Mapping[str, bool]) -> tuple[list[Problem], list[Sheet], list[str]]:
    """The sheets of all files, and the specs that are none, with why."""
    problems: list[Problem] = []
    sheets: list[Sheet] = []
    unread: list[str] = []
    boundary = Boundary(project)
    for file, is_link in files.items():
        document = _read_file(project, file, is_inside=not is_link or boundary.has(file))
        if isinstance(document, Problem):
            problems.append(document)
            unread.append(spec_name(file))
        else:
            sheets.append(read_sheet(document))
    return problems, sheets, unread


def _read_file(project: Project, file: str, *, is_inside: bool) -> Document | Problem:
    name = spec_name(file)
    if not name.isprintable() or _BRACKETS_OR_COLON.search(name):
        shown = file.encode(errors="backslashreplace").decode()
        told = (
            "the name of a spec is part of its jobs' ids: rename the file, without : [ ] and characters that are none"
        )
        return Problem(shown, 1, 1, Severity.ERROR, "file-name", told)
    if not is_inside:
        told = (
            "is a link that leads out of the project: move the file inside, or set `allow_outside: true` in kirin.yaml"
        )
        return Problem(file, 1, 1, Severity.ERROR, "outside", told)
    remedy = "split it, or raise spec_max_mb in kirin.yaml"
    return read_document(f"{project.root}/{file}", file, max_mb=project.settings.spec_max_mb, remedy=remedy)


def _once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by place; a fault in defaults or a matrix is one problem, not one for each job that it is in."""
    found: dict[tuple[str, int, int, str, str], Problem] = {}
    for problem in sorted(problems, key=_place):
        found.setdefault((*_place(problem), problem.rule, problem.message), problem)
    return tuple(found.values())


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _unique(drafts: Iterable[Draft]) -> list[Draft]:
    """Drafts by id; the second of two with one id is a problem (two instances, or a .yaml beside a .yml)."""
    known: dict[str, Draft] = {}
    for draft in drafts:
        other = known.setdefault(draft.id, draft)
        if other is not draft:
            where = f" in {other.sheet.document.file}" if other.sheet is not draft.sheet else ", with equal axes"
            draft.complain("duplicate-job", f"the job {draft.id} is there already{where}")
    return list(known.values())
