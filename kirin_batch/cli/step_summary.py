"""The summary of a step of GitHub Actions: a short table in Markdown, where GITHUB_STEP_SUMMARY names a file.

Source: GitHub's documentation, "Workflow commands for GitHub Actions", adding a job summary: at most 1 MiB a step.
Texts that come from specs and gateways are escaped, so that none of them can be a link, a picture or a tag.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import error_text
from kirin_batch.cli.shared import Shared
from kirin_batch.commands.rows import JobRow, count_statuses, total_cost
from kirin_batch.commands.run_terms import RunReport
from kirin_batch.plan import Action, Plan
from kirin_batch.problems import one_line
from kirin_batch.records import Status

__all__ = ["plan_summary", "run_summary", "write_step_summary"]

_MOST_LISTED = 50
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKUP = re.compile(r"[\\`*_{}\[\]()#+.!|~$@:/=^-]")  # of GitHub's Markdown, with what makes a link of bare text
_TROUBLES = (Action.FAILED, Action.UNKNOWN, Action.BLOCKED)


def write_step_summary(shared: Shared, text: str) -> None:
    """Append `text` to the step's summary, if there is one. A file that refuses is told, and ends nothing."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(f"{text}\n")
    except OSError as error:
        shared.print_note(f"note: the summary of the step cannot be written: {error.strerror}")


def run_summary(report: RunReport) -> str:
    """How many jobs stand how, what they cost, and which have no results, and why."""
    cost = f"This run cost **{usd(report.spent)}**; all of these jobs cost {usd(total_cost(report.rows))}."
    stopped = [f"**Stopped:** {_escape(str(report.stopped_by))}"] if report.stopped_by else []
    lost = [(row.job, _why(row)) for row in report.rows if _is_lost(row)]
    return _page("run", count_statuses(report.rows), [*stopped, cost], lost)


def plan_summary(plan: Plan) -> str:
    """How many jobs a run would do what with, what that would cost, and which it would leave as they are."""
    cost = plan.estimated_cost
    told = "no price is known yet" if cost is None else f"**{usd(cost)}**"
    stuck = [(planned.job, planned.reason) for planned in plan.jobs if planned.action in _TROUBLES]
    return _page("plan", plan.count(), [f"Estimated cost: {told}."], stuck)


def _is_lost(row: JobRow) -> bool:
    return row.error is not None or row.status in {Status.FAILED, Status.BLOCKED, Status.UNKNOWN}


def _why(row: JobRow) -> str:
    return error_text(row.error) if row.error else str(row.status)


def _page(command: str, counts: Mapping[str, int], told: Iterable[str], lost: Sequence[tuple[str, str]]) -> str:
    named = {name.replace("_", " "): number for name, number in counts.items()}
    lines = [f"### kirin-batch {command}", "", *_table(("jobs", "number"), [(n, str(c)) for n, c in named.items()])]
    for sentence in told:
        lines += ["", sentence]
    if lost:
        rows = [(_escape(job), _escape(reason)) for job, reason in lost[:_MOST_LISTED]]
        lines += ["", *_table(("job", "why"), rows)]
    if len(lost) > _MOST_LISTED:
        lines += ["", f"And {len(lost) - _MOST_LISTED} more."]
    return "\n".join([*lines, ""])


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"| {one} | {other} |" for one, other in (head, ("---", "---"), *rows)]


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", one_line(text)).translate(_ENTITIES)
