"""`kirin-batch validate`: prints all that is wrong in specs."""

from pathlib import Path

import click

from kirin_batch.cli.problems_text import problem_as_json, problem_line, problems_summary
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared, paths_argument
from kirin_batch.commands.validate import Validation, invalid_settings, validate
from kirin_batch.errors import ExitCode
from kirin_batch.project import InvalidSettingsError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch validate
  kirin-batch validate specs/launch.yaml specs/campaigns
  kirin-batch validate --format json | jq '.problems[].message'

Exit codes: 0 all is valid, 1 there are errors, 2 usage.
"""


@click.command("validate", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...]) -> int:
    """Check specs, or those at PATH, against every documented rule.

    Nothing is sent and nothing is written. All problems of all files come at once, each with its place and what would
    be right.
    """
    try:
        validation = validate(shared.project(), paths)
    except InvalidSettingsError as error:
        validation = invalid_settings(error)
    if shared.is_json:
        shared.print_json(_as_json(validation))
    else:
        for problem in () if shared.quiet else validation.problems:
            shared.print(problem_line(problem))
        shared.print(problems_summary(validation.problems, files=validation.files, jobs=validation.jobs))
    return ExitCode.DONE if validation.is_valid else ExitCode.FAILED


def _as_json(validation: Validation) -> dict[str, object]:
    return {
        "valid": validation.is_valid,
        "files": validation.files,
        "jobs": validation.jobs,
        "problems": [problem_as_json(problem) for problem in validation.problems],
    }
