"""`kirin-batch validate`: prints all that is wrong in specs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from kirin_batch.cli.problems_github import github_command, repository_prefix
from kirin_batch.cli.problems_text import problem_as_json, problem_texts, problems_summary
from kirin_batch.cli.repeatable import no_cache_option
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options_with, pass_shared, paths_argument
from kirin_batch.commands.validate import Validation, invalid_settings
from kirin_batch.commands.workspace import project_with_defaults
from kirin_batch.errors import ExitCode
from kirin_batch.project import InvalidSettingsError, Project

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch validate
  kirin-batch validate specs/launch.yaml specs/campaigns
  kirin-batch validate --format json | jq '.problems[].message'
  kirin-batch validate --format github
  kirin-batch validate --format sarif > kirin.sarif

Exit codes: 0 all is valid, 1 there are errors, 2 usage.
"""


@click.command("validate", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@no_cache_option
@common_options_with(
    ("text", "json", "github", "sarif"),
    told="For people, one JSON document, annotations of GitHub Actions, or SARIF 2.1.0; the summary of the latter "
    "two goes to stderr.",
)
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...]) -> int:
    """Check specs, or those at PATH, against every documented rule.

    Nothing is sent, and nothing written but a cache in .kirin. All problems of all files come at once, each with its
    place and what would be right.
    """
    try:
        opened = shared.project()
        project, validation = opened.folder, opened.validate(paths)
        shared.tell_first_step(project, files=validation.files + len(validation.problems))
    except InvalidSettingsError as error:
        project, validation = project_with_defaults(shared.folder), invalid_settings(error)
    _PRINTERS[shared.form](shared, project, validation)
    return ExitCode.DONE if validation.is_valid else ExitCode.FAILED


def _print_text(shared: Shared, project: Project, validation: Validation) -> None:
    for text in () if shared.quiet else problem_texts(validation.problems, project):
        shared.print(text)
    shared.print(_summary(validation))


def _print_json(shared: Shared, project: Project, validation: Validation) -> None:
    del project
    shared.print_json(_as_json(validation))


def _print_github(shared: Shared, project: Project, validation: Validation) -> None:
    prefix = repository_prefix(project.root, os.environ)
    for problem in validation.problems:
        shared.print(github_command(problem, prefix=prefix))
    shared.print_note(_summary(validation))


def _print_sarif(shared: Shared, project: Project, validation: Validation) -> None:
    # Measured: its table of rules takes 7 ms to import, a twentieth of the time to validate a small project.
    from kirin_batch.cli.problems_sarif import sarif_log  # noqa: PLC0415 - see above

    shared.print_json(sarif_log(validation.problems, prefix=repository_prefix(project.root, os.environ)))
    shared.print_note(_summary(validation))


_PRINTERS: Mapping[str, Callable[[Shared, Project, Validation], None]] = {
    "text": _print_text,
    "json": _print_json,
    "github": _print_github,
    "sarif": _print_sarif,
}


def _summary(validation: Validation) -> str:
    return problems_summary(validation.problems, files=validation.files, jobs=validation.jobs)


def _as_json(validation: Validation) -> dict[str, object]:
    return {
        "valid": validation.is_valid,
        "files": validation.files,
        "jobs": validation.jobs,
        "problems": [problem_as_json(problem) for problem in validation.problems],
    }
