"""`kirin-batch report`: writes the gallery and says where it is."""

import webbrowser
from collections.abc import Iterator
from pathlib import Path

import click

from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.commands.report import Report, ReportOptions, write_report
from kirin_batch.commands.workspace import Workspace
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch report --open
  kirin-batch report --out public specs/launch.yaml
  kirin-batch report --tag film --zip film.zip
  kirin-batch report --format json | jq -r .report
"""


@click.command("report", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write, with copies of the results. [default: .kirin/report, which links to them]",
)
@click.option("--copy/--link", "copies", default=None, help="Put results into the folder, or link to where they are.")
@click.option(
    "--zip",
    "packed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Pack the gallery with its results as well.",
)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@selection_options
@common_options
@pass_shared
def command(
    shared: Shared, paths: tuple[Path, ...], *, out: Path | None, copies: bool | None, packed: Path | None, opens: bool
) -> int:
    """Write a gallery of prompts, results and costs: a page that opens from disk and from any web server.

    Shows what is recorded, beside a run too; sends nothing, and the page asks no other server for anything.
    """
    workspace = shared.workspace(paths)
    report = write_report(workspace, shared.selection(paths), ReportOptions(out=out, zip=packed, copies=copies))
    if shared.is_json:
        shared.print_json(report.as_json())
    else:
        shared.print(_told(report))
    for note in () if shared.quiet else _notes(workspace, report):
        shared.print_note(f"note: {note}")
    if opens and report.page and not webbrowser.open(report.page.as_uri()):
        shared.print_note(f"note: no browser could be started; open {report.page}")
    return ExitCode.DONE


def _notes(workspace: Workspace, report: Report) -> Iterator[str]:
    if not workspace.specs.is_valid:
        yield "the specs have errors (`kirin-batch validate`); this is what is recorded"
    elif report.jobs and not report.page:
        yield "`kirin-batch run` generates what the specs ask for, `kirin-batch run --sandbox` at no cost"


def _told(report: Report) -> str:
    if not report.page:
        return "nothing is recorded that the gallery could show"
    jobs = f"{report.jobs} job{'' if report.jobs == 1 else 's'}"
    results = f"{report.results} result{'' if report.results == 1 else 's'}"
    missing = f" ({report.missing} not on disk)" if report.missing else ""
    packed = f" and {report.zip}" if report.zip else ""
    return f"{jobs}, {results}{missing}: {report.page}{packed}"
