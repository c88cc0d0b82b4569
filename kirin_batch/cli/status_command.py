"""`kirin-batch status`: prints how each job stands."""

from pathlib import Path

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import counts_line, row_line, rows_as_json
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.commands.rows import total_cost
from kirin_batch.commands.status import status_rows
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch status
  kirin-batch status specs/launch.yaml --failed
  kirin-batch status --tag 'film*' --exclude 'launch:*'
  kirin-batch status --format json | jq .summary
"""


@click.command("status", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...]) -> int:
    """Tell how each job stands, as the lockfile has it.

    Works beside a run, and where specs are invalid too; sends nothing.
    """
    workspace = shared.workspace(paths)
    rows = status_rows(workspace, shared.selection(paths))
    if shared.is_json:
        shared.print_json(rows_as_json(rows))
        return ExitCode.DONE
    for row in () if shared.quiet else rows:
        shared.print(row_line(row))
    shared.print(f"{counts_line(rows)}; cost {usd(total_cost(rows))}")
    if not workspace.specs.is_valid:
        shared.print_note("note: the specs have errors (`kirin-batch validate`); this is what is recorded")
    return ExitCode.DONE
