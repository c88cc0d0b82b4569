"""The summary of a step of GitHub Actions: what a command did, in Markdown, where GITHUB_STEP_SUMMARY names a file.

Source: GitHub's documentation, "Workflow commands for GitHub Actions", adding a job summary: at most 1 MiB a step.
A run is told in short here; what a plan tells is the comment that `plan --format markdown` makes.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from kirin_batch.cli.markdown import code, table, wording
from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import error_text
from kirin_batch.cli.shared import Shared
from kirin_batch.commands.rows import JobRow, count_statuses, total_cost
from kirin_batch.commands.run_terms import RunReport
from kirin_batch.records import Status

__all__ = ["run_summary", "write_step_summary"]

_MOST_LISTED = 50


def write_step_summary(shared: Shared, tell: Callable[[], str]) -> None:
    """Append what `tell` says to the step's summary, if there is one. A file that refuses is told, and ends nothing."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(f"{tell()}\n")
    except OSError as error:
        shared.print_note(f"note: the summary of the step cannot be written: {error.strerror}")


def run_summary(report: RunReport) -> str:
    """How many jobs stand how, what they cost, and which have no results, and why."""
    cost = f"This run cost **{usd(report.spent)}**; all of these jobs cost {usd(total_cost(report.rows))}."
    stopped = [f"**Stopped:** {wording(str(report.stopped_by))}"] if report.stopped_by else []
    lost = [(row.job, _why(row)) for row in report.rows if _is_lost(row)]
    return _page("run", count_statuses(report.rows), [*stopped, cost], lost)


def _is_lost(row: JobRow) -> bool:
    return row.error is not None or row.status in {Status.FAILED, Status.BLOCKED, Status.UNKNOWN}


def _why(row: JobRow) -> str:
    return error_text(row.error) if row.error else str(row.status)


def _page(command: str, counts: Mapping[str, int], told: Iterable[str], lost: Sequence[tuple[str, str]]) -> str:
    named = {name.replace("_", " "): number for name, number in counts.items()}
    lines = [f"### kirin-batch {command}", "", *table(("jobs", "number"), [(n, str(c)) for n, c in named.items()])]
    for sentence in told:
        lines += ["", sentence]
    if lost:
        lines += ["", *table(("job", "why"), [(code(job), wording(reason)) for job, reason in lost[:_MOST_LISTED]])]
    if len(lost) > _MOST_LISTED:
        lines += ["", f"And {len(lost) - _MOST_LISTED} more."]
    return "\n".join([*lines, ""])
