"""`kirin-batch show`: prints all that is known of one job."""

import json
from collections.abc import Iterator
from typing import Any

import click

from kirin_batch.cli.rows_text import error_text
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.status import Shown, show_job
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch show launch:hero
  kirin-batch show 'launch:poster[place=city,ratio=16:9]'
  kirin-batch show hero --format json
"""


@click.command("show", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("name", metavar="JOB")
@common_options
@pass_shared
def command(shared: Shared, name: str) -> int:
    """Tell all that is known of JOB: its params, its task, its results, and the tasks that it had before.

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
    return ExitCode.DONE


def _as_json(shown: Shown) -> dict[str, Any]:
    job, record = shown.job, shown.row.record
    line = record.as_json() if record else {}
    return {
        **shown.row.as_json(),
        "spec": job.spec_file if job else None,
        "params": dict(job.params) if job else None,
        "needs": list(job.needs) if job else [],
        "tags": list(job.tags) if job else [],
        "take": job.take if job else line.get("take"),
        "created_at": line.get("created_at"),
        "finished_at": line.get("finished_at"),
        "earlier": line.get("earlier", []),
    }


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
    for output in document["outputs"]:
        yield "output", _text(output["path"] or output["url"])
    for task in document["earlier"]:
        yield "earlier", f"take {task['take']}, attempt {task['attempt']}: {task['status']}, {task['task_id']}"


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
