"""`kirin-batch run`: carries the plan out, shows its progress, and tells how each job ended."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.progress import open_display
from kirin_batch.cli.rows_text import counts_line, row_line, rows_as_json
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.commands.run import RunOptions, RunReport, run_project
from kirin_batch.commands.workspace import Workspace
from kirin_batch.errors import ExitCode
from kirin_batch.records import Status

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch run --sandbox
  kirin-batch run specs/launch.yaml --max-cost 5.00
  kirin-batch run --retry-failed --job 'launch:*'
  kirin-batch run --locked --format json

\b
Exit codes: 0 all is done; 1 specs invalid, or some job failed; 2 usage;
3 work is left that the same command goes on with; 4 refused by the gateway
as a whole; 5 another run holds the project; 130 interrupted, resumable.
"""


class _Usd(click.ParamType[Decimal]):
    name = "USD"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal(-1)
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value} is no amount of money; give USD such as 25.00", param, ctx)
        return amount


@click.command("run", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@click.option("--sandbox", is_flag=True, help="Start a sandbox and use it: nothing is billed, no key is needed.")
@click.option("--locked", is_flag=True, help="Fail if anything would be created.")
@click.option("--retry-failed", is_flag=True, help="Try failed jobs again, each under a new id.")
@click.option("--resend", multiple=True, metavar="JOB", help="Send an unknown job again; it may be paid twice.")
@click.option("--max-cost", type=_Usd(), help="What this run may spend.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more after a failure.")
@click.option("--no-download", is_flag=True, help="Record where the results are; a later run downloads them.")
@common_options
@pass_shared
def command(  # noqa: PLR0913 - one argument an option
    shared: Shared,
    paths: tuple[Path, ...],
    *,
    sandbox: bool,
    locked: bool,
    retry_failed: bool,
    resend: tuple[str, ...],
    max_cost: Decimal | None,
    fail_fast: bool,
    no_download: bool,
) -> int:
    """Carry out the plan for all specs, or for those at PATH: create, wait, download, record.

    What is up to date is left alone. An interrupt leaves tasks in flight for the next run.
    """
    workspace = shared.workspace(paths)
    options = RunOptions(
        selection=shared.selection(paths),
        sandbox=sandbox,
        locked=locked,
        retry_failed=retry_failed,
        resend=resend,
        max_cost=max_cost,
        fail_fast=fail_fast,
        download=not no_download,
    )
    report = _run(shared, workspace, options)
    if shared.is_json:
        shared.print_json({**rows_as_json(report.rows), "spent": str(report.spent)})
    else:
        _tell(shared, workspace, report)
    if report.stopped_by:
        click.echo(f"error: {report.stopped_by}", err=True)
    return report.exit_code


def _run(shared: Shared, workspace: Workspace, options: RunOptions) -> RunReport:
    with ExitStack() as shown:
        display = shown.enter_context(open_display(shared))
        interrupts = partial(_interrupts, shown.close)
        return asyncio.run(run_project(workspace, options, observer=display, on_interrupt=interrupts))


@contextmanager
def _interrupts(end_display: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """The first INT or TERM stops the run in good order; the next one ends the process, which loses nothing either."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        end_display()  # now: a second interrupt would leave the terminal without its cursor
        click.echo("interrupted: what is in flight is left for the next run", err=True)
        for signal_number in signals:
            loop.add_signal_handler(signal_number, os._exit, ExitCode.INTERRUPTED)
        stop()

    for signal_number in signals:
        loop.add_signal_handler(signal_number, interrupt)
    try:
        yield
    finally:
        for signal_number in signals:
            loop.remove_signal_handler(signal_number)


def _tell(shared: Shared, workspace: Workspace, report: RunReport) -> None:
    done = [row for row in report.rows if row.status is Status.COMPLETED and not row.error]
    for row in () if shared.quiet else report.rows:
        if shared.verbose or row not in done:
            shared.print(row_line(row))
    shared.print(f"{counts_line(report.rows)}; this run cost {usd(report.spent)}{_where(workspace, report)}")
    for note in () if shared.quiet else _notes(report):
        shared.print_note(f"note: {note}")


def _notes(report: RunReport) -> Iterator[str]:
    """What to do next."""
    if any(row.status is Status.FAILED for row in report.rows):
        yield "failed jobs are left alone until `run --retry-failed`, or until their spec changes"
    if report.exit_code is ExitCode.WORK_LEFT:
        yield "work is left; the same command goes on with it"
    made_up = sum(row.record.sandbox for row in report.rows if row.record and row.status is Status.COMPLETED)
    if made_up:
        come = "comes" if made_up == 1 else "come"
        yield (
            f"{made_up} of these results {come} from the sandbox; "
            "delete kirin.lock and the outputs to have them made by the gateway"
        )


def _where(workspace: Workspace, report: RunReport) -> str:
    """The folder that holds all results of the run."""
    root = workspace.project.root
    paths = [output.path for row in report.rows if row.record for output in row.record.outputs if output.path]
    if not paths:
        return ""
    common = Path(os.path.commonpath([(root / path).parent for path in paths]))
    is_inside = common != root and common.is_relative_to(root)
    return f"; results are in {common.relative_to(root) if is_inside else common}"
