"""`validate`: reads and checks the specs; no network, nothing written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.commands.remembering import remember
from kirin_batch.commands.workspace import is_under, open_workspace
from kirin_batch.documents import Document, read_document
from kirin_batch.models import SchemaError
from kirin_batch.models.further import SchemaFault
from kirin_batch.problems import Problem, Severity, json_pointer, one_line
from kirin_batch.project import InvalidSettingsError, Project

__all__ = ["Validation", "invalid_settings", "validate"]


@dataclass(frozen=True, slots=True)
class Validation:
    """All problems of the files that were asked for, by place; `files` and `jobs` count what was read."""

    files: int
    jobs: int
    problems: tuple[Problem, ...]

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong; warnings let specs pass."""
        return all(problem.severity is not Severity.ERROR for problem in self.problems)


def validate(project: Project, paths: Sequence[Path] = ()) -> Validation:
    """Check all specs of the project, or those at `paths` (references lead into the others all the same)."""
    try:
        workspace = open_workspace(project, paths)
    except SchemaError as error:  # without its models no spec can be judged
        return Validation(0, 0, tuple(_problem(fault, project) for fault in error.faults))
    specs, folders = workspace.specs, workspace.folders
    if specs.is_valid:
        remember(workspace)
    if not folders:
        return Validation(len(specs.files), len(specs.job_files), specs.problems)
    files = {file for file in specs.files if any(is_under(file, folder) for folder in folders)}
    jobs = sum(file in files for file in specs.job_files)
    return Validation(len(files), jobs, tuple(problem for problem in specs.problems if problem.file in files))


def invalid_settings(error: InvalidSettingsError) -> Validation:
    """A wrong kirin.yaml as a validation that failed: no spec can be read by it."""
    return Validation(0, 0, error.problems)


def _problem(fault: SchemaFault, project: Project) -> Problem:
    """A fault of a further model's schema at its place; one of a folder at the setting that names it."""
    if not fault.path.is_file():
        document = read_document(project.root / "kirin.yaml", "kirin.yaml")
        message = f"{_name(fault.path, project)}: {fault.message}"
        if isinstance(document, Document):
            return document.problem(("schemas",), "file", message)
        return Problem("kirin.yaml", 1, 1, Severity.ERROR, "file", message)
    file = _name(fault.path, project)
    document = read_document(fault.path, file)
    if fault.pointer is None or isinstance(document, Problem):
        return Problem(file, fault.line, fault.column, Severity.ERROR, "file", one_line(fault.message))
    place = json_pointer(fault.pointer) or "the top"
    return document.problem(fault.pointer, "model", f"at {place}: {fault.message}")


def _name(path: Path, project: Project) -> str:
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else str(path)
