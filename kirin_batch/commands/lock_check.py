"""`lock check`: whether the committed kirin.lock is as the program writes it, and fits specs and files. No network.

It judges the file alone, not what a journal holds besides, for the file is what others get. Reads, and writes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kirin_batch.commands.planning import plan_jobs
from kirin_batch.commands.verify import Checked, Verdict, verify_project
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import KirinError
from kirin_batch.journal import load_records
from kirin_batch.lockfile import holds_conflict, load_lockfile, read_record, render_lockfile
from kirin_batch.plan import Action, Plan, PlanOptions
from kirin_batch.problems import Problem, Severity
from kirin_batch.project import Project
from kirin_batch.records import Record, Status

__all__ = ["LockCheck", "check_lock"]

_REWRITE = "`kirin-batch lock merge kirin.lock kirin.lock kirin.lock` in its folder writes it anew"
_FETCH = "`kirin-batch fetch` brings it"
_READABLE = frozenset({"conflict", "order", "format"})  # every command takes the file all the same
_POINTER, _POINTER_BYTES = "version https://git-lfs.github.com/", 1024  # no pointer of git-lfs is longer


@dataclass(frozen=True, slots=True)
class LockCheck:
    """What is wrong, by line; `jobs` counts the lines of jobs that can be read."""

    jobs: int
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Sheet:
    """The file as far as it can be read: the records, the line of each job, and what is wrong."""

    name: str
    records: dict[str, Record] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def tell(self, rule: str, message: str, *, line: int = 1, job: str | None = None) -> None:
        self.problems.append(Problem(self.name, line, 1, Severity.ERROR, rule, message, job))

    def tell_of_job(self, rule: str, message: str, job: str) -> None:
        self.tell(rule, message, line=self.lines.get(job, 1), job=job)


def check_lock(workspace: Workspace, *, complete: bool = False, outputs: bool = False) -> LockCheck:
    """All that is wrong with the lockfile of a project, where one that is not there has no jobs.

    `complete`: every job must be done as its spec is now; `outputs`: every result must be on disk. A file that cannot
    be trusted is not held against specs and files. Raises SpecsInvalidError, and KirinError where the file or the
    journal beside it cannot be read.
    """
    workspace.require_valid()
    project = workspace.project
    sheet = _read_sheet(project.lockfile)
    if all(problem.rule in _READABLE for problem in sheet.problems):
        _check_journal(sheet, project)
        plan = plan_jobs(workspace, Selection(), sheet.records, PlanOptions())
        _check_orphans(sheet, plan)
        if complete:
            _check_complete(sheet, plan)
        _check_outputs(sheet, project, are_wanted=outputs)
    return LockCheck(len(sheet.records), tuple(sorted(sheet.problems, key=lambda problem: problem.line)))


def _read_sheet(path: Path) -> _Sheet:
    sheet = _Sheet(path.name)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return sheet
    except OSError as error:
        raise KirinError(f"{path} cannot be read: {error.strerror}") from error
    if holds_conflict(path):
        _read_conflict(sheet, path, data)
    else:
        _read_lines(sheet, data)
        if not sheet.problems and data != render_lockfile(sheet.records.values()):
            sheet.tell("format", f"it does not end as the program writes it: {_REWRITE}")
    return sheet


def _read_conflict(sheet: _Sheet, path: Path, data: bytes) -> None:
    """Both sides count, as for every command."""
    lines = enumerate(data.splitlines(), 1)
    first = next((number for number, line in lines if line.startswith(b"<<<<<<<")), 1)
    sheet.tell("conflict", f"it holds a merge conflict, of which both sides count: {_REWRITE} as one", line=first)
    try:
        sheet.records = load_lockfile(path)
    except KirinError as error:
        sheet.tell("invalid", str(error), line=first)


def _read_lines(sheet: _Sheet, data: bytes) -> None:
    header, *lines = data.removesuffix(b"\n").split(b"\n")
    if b"\r\n" in data:
        told = "it has the line ends of Windows: put `kirin.lock -text` into .gitattributes; "
        sheet.tell("format", told + _REWRITE)
        header, lines = header.removesuffix(b"\r"), [line.removesuffix(b"\r") for line in lines]
    if header != render_lockfile(()).removesuffix(b"\n"):
        sheet.tell("header", "its first line is not the header of a lockfile: restore it, `git checkout kirin.lock`")
    last = ""
    for number, line in enumerate(lines, 2):
        job = _read_line(sheet, line, number) or last
        if job < last:
            sheet.tell("order", f"stands behind {last}, lines are sorted by job: {_REWRITE}", line=number, job=job)
        last = max(job, last)


def _read_line(sheet: _Sheet, line: bytes, number: int) -> str:
    """Take the record of a line; the id of its job, "" where there is none."""
    try:
        record = read_record(line, "")
    except KirinError as error:
        sheet.tell("invalid", str(error).removeprefix(": "), line=number)
        return ""
    if record.job in sheet.records:
        told = f"stands there twice, first in line {sheet.lines[record.job]}: restore the file, one of them is lost"
        sheet.tell("twice", told, line=number, job=record.job)
    elif line != render_lockfile([record]).split(b"\n")[1]:
        sheet.tell("format", f"is not written as the program writes it: {_REWRITE}", line=number, job=record.job)
    sheet.records.setdefault(record.job, record)
    sheet.lines.setdefault(record.job, number)
    return record.job


def _check_journal(sheet: _Sheet, project: Project) -> None:
    """News that a killed run left in the journal would not be committed."""
    if load_records(project.lockfile, project.journal) != sheet.records:
        sheet.tell("journal", "a run has recorded more than it holds, in .kirin: any `kirin-batch run` adds that")


def _check_orphans(sheet: _Sheet, plan: Plan) -> None:
    for planned in plan.jobs:
        if planned.action is Action.ORPHAN:
            told = "no spec has this job any more: `kirin-batch prune` forgets it"
            sheet.tell_of_job("orphan", told, planned.job)
        elif planned.moved_from:
            told = f"no spec has this job any more, it is {planned.job} now: `kirin-batch run` takes its results along"
            sheet.tell_of_job("orphan", told, planned.moved_from)


def _check_complete(sheet: _Sheet, plan: Plan) -> None:
    for planned in plan.jobs:
        is_done = planned.record is not None and planned.record.status is Status.COMPLETED
        has_record = planned.record is not None and planned.record.digest == planned.digest
        if planned.action is not Action.ORPHAN and not (is_done and has_record):
            told = f"is not done as its spec is now ({planned.reason}): {_REMEDIES.get(planned.action, _RUN)}"
            sheet.tell_of_job("incomplete", told, planned.job)


_RUN = "`kirin-batch run`, and commit kirin.lock"
_REMEDIES: Mapping[Action, str] = {
    Action.FAILED: "change its spec, or `kirin-batch run --retry-failed`",
    Action.BLOCKED: "see to what it needs first",
    Action.UNKNOWN: "see `kirin-batch show`",
}


def _check_outputs(sheet: _Sheet, project: Project, *, are_wanted: bool) -> None:
    for finding in verify_project(project).findings:
        told = "; ".join(_complaints(finding, project.root, are_wanted=are_wanted))
        if told:
            sheet.tell_of_job("output", told, finding.job)


def _complaints(finding: Checked, root: Path, *, are_wanted: bool) -> Iterator[str]:
    path = finding.output.path or "a result"
    match finding.verdict:
        case Verdict.CHANGED if not _is_pointer_to(finding, root):
            yield f"{path} is not what was recorded ({finding.detail}): restore it, or delete it and {_FETCH}"
        case Verdict.CHANGED if are_wanted:
            yield f"{path} is a pointer of git-lfs: `git lfs pull` brings it"
        case Verdict.UNREADABLE:
            yield f"{path} cannot be read: {finding.detail}"
        case Verdict.MISSING | Verdict.NEVER_FETCHED if are_wanted:
            yield f"{path} is not on disk: {_FETCH}"


def _is_pointer_to(finding: Checked, root: Path) -> bool:
    """Whether the file is what git-lfs has in place of the very result, as in a checkout of CI."""
    path = root / str(finding.output.path)
    if path.stat().st_size > _POINTER_BYTES:
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return text.startswith(_POINTER) and f"\noid sha256:{finding.output.sha256}\n" in text
