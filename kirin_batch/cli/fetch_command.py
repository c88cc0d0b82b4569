"""`kirin-batch fetch`: brings results that are recorded and missing, and tells which do not come any more."""

import asyncio
from functools import partial
from pathlib import Path

import click

from kirin_batch.cli.event_loop import new_event_loop
from kirin_batch.cli.interrupts import interrupts
from kirin_batch.cli.rows_text import error_text
from kirin_batch.cli.screen import Screen
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.commands.fetch import FetchedJob, FetchReport, fetch_project
from kirin_batch.commands.workspace import Selection, Workspace

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch fetch
  kirin-batch fetch specs/launch.yaml --tag film
  kirin-batch fetch --format json | jq '.jobs[] | select(.gone) | .job'

\b
Results come from the store that kirin.yaml names, which needs no key of the
gateway, else from the gateway, which is asked for a fresh address. What comes
must have the SHA-256 that was recorded.

\b
Exit codes: 0 nothing is missing any more; 1 specs invalid, or some results
did not come; 2 usage; 3 the gateway is out of reach; 4 it refuses the account;
5 another run holds the project; 130 interrupted, the same command goes on.
"""


@click.command("fetch", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...]) -> int:
    """Download results that are recorded and missing, of all specs or of those at PATH; creates nothing.

    Says which results are gone. Tasks in flight are not waited for. With a `store:` in kirin.yaml, results that are on
    disk and not in the store are put there too.
    """
    report = _fetch(shared, shared.workspace(paths), shared.selection(paths))
    if shared.is_json:
        jobs = [job.as_json() for job in report.jobs]
        stored = {"brought": report.run.brought, "kept": report.run.kept}
        shared.print_json({"jobs": jobs, "summary": report.count(), "store": stored})
    else:
        _tell(shared, report)
    if report.run.stopped_by:
        click.echo(f"error: {report.run.stopped_by}", err=True)
    return report.exit_code


def _fetch(shared: Shared, workspace: Workspace, selection: Selection) -> FetchReport:
    with Screen(shared) as screen, asyncio.Runner(loop_factory=new_event_loop) as runner:
        on_interrupt = partial(interrupts, screen.close)
        return runner.run(fetch_project(workspace, selection, observer=screen, on_interrupt=on_interrupt))


def _tell(shared: Shared, report: FetchReport) -> None:
    for job in () if shared.quiet else report.jobs:
        if job.left or shared.verbose:
            shared.print(_line(job))
    count = report.count()
    if not count["results"]:
        told = "nothing is missing"
    else:
        told = f"{count['fetched']} of {count['results']} missing results fetched"
    told += "".join(f", {count[word]} {word}" for word in ("gone", "left") if count[word])
    run = report.run
    told += f"; {run.brought} came from the store" if run.brought else ""
    told += f"; {run.kept} went into the store" if run.kept else ""
    shared.print(told)


def _line(job: FetchedJob) -> str:
    if not job.left:
        return f"{click.style('fetched', fg='green')}  {job.row.job}"
    word, colour = ("gone   ", "red") if job.is_gone else ("left   ", "yellow")
    some = "" if job.left == job.results else f"  ({job.left} of {job.results})"
    told = error_text(job.row.error) if job.row.error else ""
    again = "; another `take:` makes it again" if job.is_gone else ""
    return f"{click.style(word, fg=colour)}  {job.row.job}{some}" + (f"\n         {told}{again}" if told else "")
