"""`kirin-batch show`: prints all that is known of one job."""

import json
from collections.abc import Iterator
from typing import Any

import click

from kirin_batch.cli.completion_names import JOB
from kirin_batch.cli.money import usd
from kirin_batch.cli.rows_text import error_text
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.rows import task_cost
from kirin_batch.commands.status import FileState, Shown, ShownTask, show_job
from kirin_batch.errors import ExitCode
from kirin_batch.records import Output

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch show launch:hero
  kirin-batch show 'launch:poster[place=city,ratio=16:9]'
  kirin-batch show hero --format json
"""


@click.command("show", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("name", metavar="JOB", type=JOB)
@common_options
@pass_shared
def command(shared: Shared, name: str) -> int:
    """Tell all that is known of JOB: its params, and all its takes and attempts with cost, results and warnings.

    JOB is an id as `status` prints it, or a name that only one job has.
    """
    shown = show_job(shared.workspace(), name)
    if shared.is_json:
        shared.print_json(_as_json(shown))
        return ExitCode.DONE
    facts = list(_facts(shown))
    width = max(len(key) for key, _ in facts)
    for key, value in facts:
        shared.print(f"{click.style(f'{key:<{width}}', dim=True)}  {value}")
    for task in shown.tasks:
        for line in _task_lines(task):
            shared.print(line)
    return ExitCode.DONE


def _as_json(shown: Shown) -> dict[str, Any]:
    job, record = shown.job, shown.row.record
    line = record.as_json() if record else {}
    return {
        **shown.row.as_json(),
        "spec": job.spec_file if job else None,
        "params": shown.params,
        "needs": list(job.needs) if job else [],
        "tags": list(job.tags) if job else [],
        "take": job.take if job else line.get("take"),
        "created_at": line.get("created_at"),
        "finished_at": line.get("finished_at"),
        "earlier": [_task_as_json(task) for task in reversed(shown.tasks) if not task.is_current],
        "tasks": [_task_as_json(task) for task in shown.tasks],
    }


def _task_as_json(task: ShownTask) -> dict[str, Any]:
    line = {"is_current": task.is_current, "warnings": [], **task.record.as_json()}
    outputs = [{**output, "file": str(state)} for output, state in zip(line["outputs"], task.files, strict=True)]
    return {**{key: value for key, value in line.items() if key != "earlier"}, "outputs": outputs}


def _facts(shown: Shown) -> Iterator[tuple[str, str]]:
    document = _as_json(shown)
    for key in ("job", "model", "spec", "status", "take", "attempt", "task_id", "external_task_id", "digest"):
        yield key, _text(document[key])
    for key in ("cost", "created_at", "finished_at", "element_id"):
        if document[key] is not None:
            yield key, _text(document[key])
    if shown.row.error:
        yield "error", error_text(shown.row.error)
    for key in ("needs", "tags"):
        if document[key]:
            yield key, ", ".join(document[key])
    for name, value in (document["params"] or {}).items():
        yield f"  {name}", _text(value)


def _task_lines(task: ShownTask) -> Iterator[str]:
    """A take or attempt: how it ended, where its results are now, and what is not as it was asked for."""
    record = task.record
    cost = "" if record.cost is None else f", {usd(task_cost(record))}"
    now = "" if task.is_current else click.style("  (earlier)", dim=True)
    made_up = ", sandbox" if record.sandbox else ""
    when = f", {record.finished_at or record.created_at}"
    told = f"take {record.take}, attempt {record.attempt}: {record.status}, {record.task_id or 'no task'}"
    yield f"{told}{cost}{made_up}{when}{now}"
    if record.error and not task.is_current:
        yield f"  {error_text(record.error)}"
    for output, state in zip(record.outputs, task.files, strict=True):
        yield f"  {_place(output, state)}"
    for warning in record.warnings:
        yield f"  {click.style('warning', fg='yellow')}: {warning}"


def _place(output: Output, state: FileState) -> str:
    match state:
        case FileState.PRESENT:
            return str(output.path)
        case FileState.CHANGED:
            return f"{output.path}  (holds something else now; as it was made: {output.url})"
        case _:
            return f"{output.url}  (not on disk)"


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
