"""`validate`: reads and checks the specs; no network, nothing written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.commands.workspace import is_under, open_workspace
from kirin_batch.problems import Problem, Severity
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
    workspace = open_workspace(project, paths)
    specs, folders = workspace.specs, workspace.folders
    if not folders:
        return Validation(len(specs.files), len(specs.job_files), specs.problems)
    files = {file for file in specs.files if any(is_under(file, folder) for folder in folders)}
    jobs = sum(file in files for file in specs.job_files)
    return Validation(len(files), jobs, tuple(problem for problem in specs.problems if problem.file in files))


def invalid_settings(error: InvalidSettingsError) -> Validation:
    """A wrong kirin.yaml as a validation that failed: no spec can be read by it."""
    return Validation(0, 0, error.problems)
