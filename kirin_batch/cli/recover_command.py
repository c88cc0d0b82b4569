"""`kirin-batch recover`: rebuilds a lost lockfile from the gateway, and tells what it could not find."""

import asyncio
import sys
from contextlib import ExitStack
from typing import Any

import click

from kirin_batch.cli.event_loop import new_event_loop
from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import row_line
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.recover import Finding, RecoveredJob, RecoverReport, recover_project
from kirin_batch.commands.rows import total_cost
from kirin_batch.commands.workspace import Workspace

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch recover && kirin-batch fetch
  kirin-batch recover --format json | jq .summary

\b
A kirin.lock that cannot be read is moved away first: what it holds is never
overwritten. Restoring it with git is better, where git has it.

\b
Not found: a job that was never sent; one that was renamed or whose spec was
changed since, because its id came from what the spec said then; one of
another account, or sent under another `namespace:`.

\b
Exit codes: 0 all jobs have a record now; 1 specs invalid, or some were not
found; 2 usage; 3 the gateway is out of reach; 4 it refuses the account; 5
another run holds the project; 130 interrupted, the same command goes on.
"""

_COLOURS = {Finding.NOT_FOUND: "yellow", Finding.UNCLEAR: "red"}


@click.command("recover", cls=ProjectCommand, epilog=_EPILOG)
@common_options
@pass_shared
def command(shared: Shared) -> int:
    """Rebuild a lost kirin.lock: ask the gateway for the task of every job that has no record.

    Tasks are found by the ids that the specs give them. Nothing is created, so it costs nothing; nothing is downloaded:
    `fetch` or `run` does that. What is recorded already stays as it is.
    """
    report = _recover(shared, shared.workspace())
    if shared.is_json:
        shared.print_json(_as_json(report))
    else:
        for job in () if shared.quiet else report.jobs:
            shared.print(_line(job))
        shared.print(_summary(report))
        for note in () if shared.quiet else _notes(report):
            shared.print_note(f"note: {note}")
    if report.stopped_by:
        click.echo(f"error: {report.stopped_by}", err=True)
    return report.exit_code


def _recover(shared: Shared, workspace: Workspace) -> RecoverReport:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        if not shared.has_progress:
            return runner.run(recover_project(workspace))
        bar = click.progressbar(length=1, label="recover", file=sys.stderr, show_pos=True)
        with ExitStack() as shown:

            def begin(jobs: int) -> None:
                if jobs:  # with nothing to do it would stay where it begins
                    bar.length = jobs
                    shown.enter_context(bar)

            return runner.run(recover_project(workspace, begin=begin, advance=bar.update))


def _line(job: RecoveredJob) -> str:
    if job.finding is Finding.FOUND:
        return row_line(job.row)
    told = click.style(f"{_word(job.finding):<9}", fg=_COLOURS[job.finding])
    return f"{told}  {job.row.job}" + (f"\n           {job.detail}" if job.detail else "")


def _word(finding: Finding) -> str:
    return str(finding).replace("_", " ")


def _summary(report: RecoverReport) -> str:
    if not report.jobs:
        return "every job has a record: nothing to recover"
    counts = {finding: report.count()[finding] for finding in Finding}
    told = ", ".join(f"{number} {_word(finding)}" for finding, number in counts.items() if number)
    kept = f"; {report.kept} had a record" if report.kept else ""
    cost = total_cost(job.row for job in report.jobs)
    return f"{told}{kept}" + (f"; they cost {usd(cost)}" if cost else "")


def _notes(report: RecoverReport) -> list[str]:
    counts = report.count()
    notes = []
    if counts[Finding.FOUND]:
        notes.append("`kirin-batch fetch` brings the results, for as long as the gateway keeps them")
    if counts[Finding.NOT_FOUND]:
        notes.append("what was not found is new to the next run, which would pay for it; see `recover --help`")
    if counts[Finding.UNCLEAR]:
        notes.append("what is unclear may be there: the same command asks again")
    return notes


def _as_json(report: RecoverReport) -> dict[str, Any]:
    jobs = [{**job.row.as_json(), "finding": str(job.finding), "detail": job.detail} for job in report.jobs]
    cost = total_cost(job.row for job in report.jobs)
    return {"jobs": jobs, "summary": {**report.count(), "kept": report.kept}, "cost": str(cost)}
