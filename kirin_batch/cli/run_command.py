"""`kirin-batch run`: carries the plan out, shows its progress, and tells how each job ended."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kirin_batch.api import Project
from kirin_batch.cli.canary_text import Question, canaries_as_json, held_back_line
from kirin_batch.cli.cluster_options import choose_cluster, cluster_options
from kirin_batch.cli.completion_names import JOB
from kirin_batch.cli.event_loop import new_event_loop, spare_collector
from kirin_batch.cli.interrupts import interrupts
from kirin_batch.cli.junit import junit_of_error, junit_of_run
from kirin_batch.cli.money import Usd, usd
from kirin_batch.cli.repeatable import no_cache_option
from kirin_batch.cli.requests_text import dry_run_as_json, request_text, summary_line
from kirin_batch.cli.rows_text import counts_line, row_line, rows_as_json
from kirin_batch.cli.screen import Screen
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options_with,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.cli.step_summary import run_summary, write_step_summary
from kirin_batch.commands.dry_run import DryRun
from kirin_batch.commands.dry_run import dry_run as draw_requests
from kirin_batch.commands.run_terms import RunOptions, RunReport
from kirin_batch.commands.saved_plan import SavedPlan, load_plan
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.errors import ExitCode, KirinError
from kirin_batch.journal import load_records
from kirin_batch.records import Status

if TYPE_CHECKING:
    from kirin_batch.commands.ui import LivePage

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch run --sandbox
  kirin-batch run specs/launch.yaml --max-cost 5.00
  kirin-batch run --retry-failed --job 'launch:*' --exclude 'launch:clip*'
  kirin-batch run --dry-run --format json | jq '.requests[].body'
  kirin-batch run --canary 1 --max-cost 20
  kirin-batch run --plan plan.json --max-cost 20
  kirin-batch run --locked --format json
  kirin-batch run --format junit > kirin.xml
  kirin-batch run --ui 8080

\b
--canary sends a few first: the cheapest of each model, and what they need.
The others go if all of these completed and, on a terminal, you say so.

\b
--plan does what `plan --out` saved and people agreed to, and nothing else. It
refuses (1) where the specs, kirin.lock, the gateway or the settings that say
what is sent and where results go have changed since. A run of it that was
interrupted goes on when it is called again.

\b
Exit codes: 0 all is done; 1 specs invalid, or some job failed; 2 usage;
3 work is left that the same command goes on with; 4 refused by the gateway
as a whole; 5 another run holds the project; 130 interrupted, resumable.
"""


_ANY_PORT = 0


class _RunCommand(ProjectCommand):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let `--ui` stand before a path: click would take any word that follows for its port."""
        words = zip(args, [*args[1:], ""], strict=False)
        return super().parse_args(
            ctx, [f"--ui={_ANY_PORT}" if _is_bare(word, after) else word for word, after in words]
        )

    def invoke(self, ctx: click.Context) -> object:
        """Let JUnit's form tell a run that did not begin."""
        try:
            return super().invoke(ctx)
        except KirinError as error:
            shared = ctx.ensure_object(Shared)
            if shared.form == "junit":
                shared.print(junit_of_error(error))
            raise


def _is_bare(word: str, after: str) -> bool:
    return word == "--ui" and not after.isdecimal()


@click.command("run", cls=_RunCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@click.option("--sandbox", is_flag=True, help="Start a sandbox and use it: nothing is billed, no key is needed.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Carry out a plan of `plan --out FILE`, or refuse it as stale.",
)
@click.option("--locked", is_flag=True, help="Fail if anything would be created.")
@click.option("--retry-failed", is_flag=True, help="Try failed jobs again, each under a new id.")
@click.option(
    "--resend", type=JOB, multiple=True, metavar="JOB", help="Send an unknown job again; it may be paid twice."
)
@click.option("--max-cost", type=Usd(), help="What this run may spend.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more after a failure.")
@click.option("-j", "--concurrency", type=click.IntRange(1), metavar="N", help="Slots in use at once, of all kinds.")
@click.option(
    "--canary", type=click.IntRange(1), metavar="N", help="First N jobs of each model; the rest if they pass."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask after the canaries.")
@click.option("--dry-run", is_flag=True, help="Print the requests, images shortened, and send nothing.")
@click.option("--no-download", is_flag=True, help="Record where the results are; a later run downloads them.")
@click.option(
    "--ui",
    "ui_port",
    is_flag=False,
    flag_value=_ANY_PORT,
    type=click.IntRange(0, 65535),
    metavar="[PORT]",
    help="Serve a page on loopback that shows progress, and results as they arrive.",
)
@cluster_options
@no_cache_option
@common_options_with(
    ("text", "json", "junit"), told="For people, one JSON document on stdout, or JUnit's XML: a suite a spec."
)
@pass_shared
def command(  # noqa: PLR0913 - one argument an option
    shared: Shared,
    paths: tuple[Path, ...],
    *,
    sandbox: bool,
    plan_file: Path | None,
    locked: bool,
    retry_failed: bool,
    resend: tuple[str, ...],
    max_cost: Decimal | None,
    fail_fast: bool,
    concurrency: int | None,
    canary: int | None,
    yes: bool,
    dry_run: bool,
    no_download: bool,
    ui_port: int | None,
    engine: str,
    scheduler: str | None,
    workers_folder: Path | None,
) -> int:
    """Carry out the plan for all specs, or for those at PATH: create, wait, download, record.

    What is up to date is left alone. An interrupt leaves tasks in flight for the next run.
    """
    project, selection, saved = _choose(shared, paths, plan_file, is_asking_again=retry_failed or bool(resend))
    options = RunOptions(
        selection=selection,
        saved=saved,
        sandbox=sandbox,
        locked=locked,
        retry_failed=retry_failed,
        resend=resend,
        max_cost=max_cost,
        fail_fast=fail_fast,
        download=not no_download,
        concurrency=concurrency,
        canaries=canary,
        cluster=choose_cluster(engine, scheduler, workers_folder, sandbox=sandbox),
    )
    if dry_run:
        if shared.form == "junit":
            raise click.UsageError("--dry-run tells requests, of which JUnit knows nothing: use --format json.")
        return _tell_requests(shared, asyncio.run(draw_requests(project.read_for(options), options)))
    report = _run(shared, project, options, is_confirmed=yes, ui_port=ui_port)
    write_step_summary(shared, partial(run_summary, report))
    _tell_end(shared, project.read_for(options), report)
    return report.exit_code


def _choose(
    shared: Shared, paths: tuple[Path, ...], plan_file: Path | None, *, is_asking_again: bool
) -> tuple[Project, Selection, SavedPlan | None]:
    """The project and which of its jobs are meant: those of a saved plan, or those that the options name."""
    selection = shared.selection(paths)
    if plan_file is None:
        return shared.open(paths), selection, None
    if not selection.is_everything or is_asking_again:
        raise click.UsageError("--plan says which jobs are meant: give PATHs, --job and its like to `plan --out`.")
    saved = load_plan(plan_file)
    return shared.project(), saved.selection, saved


def _run(
    shared: Shared, project: Project, options: RunOptions, *, is_confirmed: bool, ui_port: int | None
) -> RunReport:
    with (
        _open_page(shared, project.read_for(options), options, port=ui_port) as page,
        Screen(shared, beside=page) as screen,
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        spare_collector()
        question = Question(shared, screen, is_answered=is_confirmed)
        on_interrupt = partial(interrupts, screen.close)
        return runner.run(project.run(options, observer=screen, on_interrupt=on_interrupt, confirm=question.ask))


def _open_page(
    shared: Shared, workspace: Workspace, options: RunOptions, *, port: int | None
) -> "AbstractContextManager[LivePage | None]":
    if port is None:
        return nullcontext()
    # Measured: what draws previews and the page takes 100 ms to import, which other runs need not wait for.
    from kirin_batch.commands.ui import LivePage  # noqa: PLC0415 - see above

    workspace.require_valid()
    workspace.require_known(options.selection)
    return LivePage(
        workspace, options.selection, port=port, on_listening=lambda url: shared.print_note(f"live page: {url}")
    )


def _tell_requests(shared: Shared, dry: DryRun) -> int:
    if shared.is_json:
        shared.print_json(dry_run_as_json(dry))
    else:
        for request in () if shared.quiet else dry.requests:
            shared.print(request_text(request))
        shared.print(summary_line(dry))
    return ExitCode.FAILED if any(request.fault for request in dry.requests) else ExitCode.DONE


def _tell_end(shared: Shared, workspace: Workspace, report: RunReport) -> None:
    """Say how the run ended, in the form that was asked for."""
    if shared.is_json:
        canaries = {"canary": canaries_as_json(report.canaries)} if report.canaries else {}
        shared.print_json({**rows_as_json(report.rows), "spent": str(report.spent), **canaries})
    elif shared.form == "junit":
        shared.print(junit_of_run(report.rows, stopped_by=report.stopped_by))
    else:
        _tell(shared, workspace, report)
    if report.stopped_by:
        click.echo(f"error: {report.stopped_by}", err=True)


def _tell(shared: Shared, workspace: Workspace, report: RunReport) -> None:
    for row in () if shared.quiet else report.rows:
        is_done = row.status is Status.COMPLETED and not row.error
        has_news = row.job in report.worked_on and bool(row.warnings)
        if shared.verbose or not is_done or has_news:
            shared.print(row_line(row))
    shared.print(f"{counts_line(report.rows)}; this run cost {usd(report.spent)}{_where(workspace, report)}")
    for note in () if shared.quiet else _notes(workspace, report):
        shared.print_note(f"note: {note}")


def _notes(workspace: Workspace, report: RunReport) -> Iterator[str]:
    """What to do next."""
    if report.canaries and not report.canaries.is_released and not report.was_interrupted:
        yield held_back_line(report.canaries)
    if any(row.status is Status.FAILED for row in report.rows):
        yield "failed jobs are left alone until `run --retry-failed`, or until their spec changes"
    if report.exit_code is ExitCode.WORK_LEFT:
        yield "work is left; the same command goes on with it"
    made_up = sum(row.record.sandbox for row in report.rows if row.record and row.status is Status.COMPLETED)
    if made_up:
        come = "comes" if made_up == 1 else "come"
        yield f"{made_up} of these results {come} from the sandbox: `kirin-batch report --open` shows them"
        if _has_paid(workspace):  # kirin.lock is all that knows of it
            yield "give their jobs another `take:` to have them made by the gateway; kirin.lock has paid results too"
        else:
            yield "delete kirin.lock and the outputs to have them made by the gateway"


def _has_paid(workspace: Workspace) -> bool:
    """Whether anything is recorded that no sandbox made."""
    records = load_records(workspace.project.lockfile, workspace.project.journal).values()
    return any(not task.sandbox for record in records for task in record.tasks)


def _where(workspace: Workspace, report: RunReport) -> str:
    """The folder that holds all results of the run."""
    root = workspace.project.root
    paths = [output.path for row in report.rows if row.record for output in row.record.outputs if output.path]
    if not paths:
        return ""
    common = Path(os.path.commonpath([(root / path).parent for path in paths]))
    is_inside = common != root and common.is_relative_to(root)
    return f"; results are in {common.relative_to(root) if is_inside else common}"
