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
from kirin_batch.commands.fetch_earlier import EarlierTask
from kirin_batch.commands.workspace import Selection, Workspace

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch fetch
  kirin-batch fetch specs/launch.yaml --tag film
  kirin-batch fetch --all
  kirin-batch fetch --format json | jq '.jobs[] | select(.gone) | .job'

\b
Results come from the store that kirin.yaml names, which needs no key of the
gateway, else from the gateway, which is asked for a fresh address. What comes
must have the SHA-256 that was recorded.

\b
Exit codes: 0 nothing is missing any more; 1 specs invalid, or some results
did not come; 2 usage; 3 the gateway is out of reach; 4 it refuses the
account; 5 another run holds the project; 130 interrupted, the same command
goes on.
"""


@click.command("fetch", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@click.option("--all", "is_all", is_flag=True, help="Also results of earlier takes, and of jobs no spec has any more.")
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...], is_all: bool) -> int:  # noqa: FBT001 - click passes by name
    """Download results that are recorded and missing, of all specs or of those at PATH; creates nothing.

    Says which results are gone. Tasks in flight are not waited for. With a `store:` in kirin.yaml, results that are on
    disk and not in the store are put there too.
    """
    report = _fetch(shared, shared.workspace(paths), shared.selection(paths), is_all=is_all)
    if shared.is_json:
        jobs = [job.as_json() for job in report.jobs]
        earlier = [task.as_json() for task in report.earlier.tasks]
        stored = {"brought": report.run.brought + report.earlier.brought, "kept": report.run.kept}
        shared.print_json({"jobs": jobs, "earlier": earlier, "summary": report.count(), "store": stored})
    else:
        _tell(shared, report)
    if report.stopped_by:
        click.echo(f"error: {report.stopped_by}", err=True)
    return report.exit_code


def _fetch(shared: Shared, workspace: Workspace, selection: Selection, *, is_all: bool) -> FetchReport:
    with Screen(shared) as screen, asyncio.Runner(loop_factory=new_event_loop) as runner:
        on_interrupt = partial(interrupts, screen.close)
        fetching = fetch_project(workspace, selection, is_all=is_all, observer=screen, on_interrupt=on_interrupt)
        return runner.run(fetching)


def _tell(shared: Shared, report: FetchReport) -> None:
    for job in () if shared.quiet else report.jobs:
        if job.left or shared.verbose:
            shared.print(_line(job))
    for task in () if shared.quiet else report.earlier.tasks:
        if task.left or shared.verbose:
            shared.print(_earlier_line(task))
    count = report.count()
    if not count["results"]:
        told = "nothing is missing"
    else:
        told = f"{count['fetched']} of {count['results']} missing results fetched"
    told += "".join(f", {count[word]} {word}" for word in ("gone", "left") if count[word])
    run = report.run
    brought = run.brought + report.earlier.brought
    told += f"; {brought} came from the store" if brought else ""
    told += f"; {run.kept} went into the store" if run.kept else ""
    shared.print(told)


def _line(job: FetchedJob) -> str:
    told = error_text(job.row.error) if job.row.error else ""
    again = "; another `take:` makes it again" if job.is_gone else ""
    return _state(job.row.job, job.left, job.results, f"{told}{again}" if told else "", is_gone=job.is_gone)


def _earlier_line(task: EarlierTask) -> str:
    name = f"{task.task.job}, earlier task {task.task.task_id}"
    told = task.missed.reason if task.missed else ""
    return _state(name, len(task.left), task.results, told, is_gone=task.is_gone)


def _state(name: str, left: int, results: int, told: str, *, is_gone: bool) -> str:
    if not left:
        return f"{click.style('fetched', fg='green')}  {name}"
    word, colour = ("gone   ", "red") if is_gone else ("left   ", "yellow")
    some = "" if left == results else f"  ({left} of {results})"
    return f"{click.style(word, fg=colour)}  {name}{some}" + (f"\n         {told}" if told else "")
