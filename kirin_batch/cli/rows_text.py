"""Rows of jobs as people and machines read them; `run` and `status` tell them alike."""

from collections.abc import Sequence
from typing import Any

import click

from kirin_batch.cli.money import usd
from kirin_batch.commands.rows import JobRow, count_statuses, total_cost
from kirin_batch.records import Status, TaskError

__all__ = ["counts_line", "error_text", "row_line", "rows_as_json"]

_COLOURS = {
    Status.COMPLETED: "green",
    Status.FAILED: "red",
    Status.IN_FLIGHT: "cyan",
    Status.UNKNOWN: "red",
    Status.BLOCKED: "yellow",
    Status.PENDING: "bright_black",
}


def row_line(row: JobRow) -> str:
    """One job in one line: how it stands, what it cost, where its results are or why there are none."""
    status = click.style(f"{row.status:<9}", fg=_COLOURS[row.status])
    record = row.record
    cost = f"  {usd(total_cost([row]))}" if record and record.cost else ""
    orphan = "  (no spec has it any more)" if row.is_orphan else ""
    return f"{status}  {row.job}{cost}{orphan}{_told(row)}"


def _told(row: JobRow) -> str:
    mark = click.style("warning", fg="yellow")
    return _place(row) + "".join(f"\n           {mark}: {warning}" for warning in row.warnings)


def _place(row: JobRow) -> str:
    if row.error:
        return f"\n           {error_text(row.error)}"
    if not row.record or row.status is not Status.COMPLETED:
        return ""
    if row.record.element_id is not None:
        return f"  element_id {row.record.element_id}"
    paths = [output.path or output.url for output in row.record.outputs]
    return f"  {paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}" if paths else ""


def error_text(error: TaskError) -> str:
    """Why a job failed, with the gateway's code where it has one."""
    return f"{error.message} ({error.code})" if error.code else error.message


def counts_line(rows: Sequence[JobRow]) -> str:
    """`12 completed, 1 failed`, and how many have results that are not what was asked for."""
    counts = ", ".join(f"{number} {status}" for status, number in count_statuses(rows).items())
    warned = sum(bool(row.warnings) for row in rows)
    return (counts or "no jobs") + (f" ({warned} with warnings)" if warned else "")


def rows_as_json(rows: Sequence[JobRow]) -> dict[str, Any]:
    """The form of `--format json`."""
    return {
        "jobs": [row.as_json() for row in rows],
        "summary": count_statuses(rows),
        "cost": str(total_cost(rows)),
    }
