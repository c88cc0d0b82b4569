"""`kirin-batch whence`: prints which job a file comes from, and where that stands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.rows import task_cost
from kirin_batch.commands.whence import Origin, Traced, trace_files
from kirin_batch.errors import ExitCode
from kirin_batch.problems import one_line

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch whence outputs/launch/hero/1.png
  kirin-batch whence ~/Downloads/final-FINAL-2.png
  kirin-batch whence *.png --format json | jq '.files[].origins[0].job'

\b
A file is known by its content, whatever its name and place are by now, as
long as no program has changed a byte of it.

Exit codes: 0 all files are known, 1 some file is not, 2 usage.
"""


@click.command("whence", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@common_options
@pass_shared
def command(shared: Shared, files: tuple[Path, ...]) -> int:
    """Tell which job each FILE is a result of: its spec and line, model, prompt, task, cost, take and attempt.

    All takes and attempts are looked through; sends nothing.
    """
    traced = trace_files(shared.workspace(), files)
    if shared.is_json:
        shared.print_json({"files": [_as_json(found) for found in traced]})
    else:
        for found in traced:
            shared.print(_headline(found))
            for origin in () if shared.quiet else found.origins:
                for key, value in _facts(origin):
                    shared.print(f"  {click.style(f'{key:<8}', dim=True)}  {value}")
    return ExitCode.DONE if all(found.origins for found in traced) else ExitCode.FAILED


def _headline(found: Traced) -> str:
    if not found.origins:
        return f"{found.file}  {click.style('unknown', fg='yellow')}: no task that is recorded made it"
    return f"{found.file}  {', '.join(dict.fromkeys(origin.task.job for origin in found.origins))}"


def _facts(origin: Origin) -> Iterator[tuple[str, str]]:
    task, output = origin.task, origin.output
    yield "job", task.job
    place = f"{origin.spec}:{origin.line}" if origin.spec else "no spec has this job any more"
    has_moved_on = origin.spec is not None and origin.params is None
    yield "spec", place + (" (asks for something else by now)" if has_moved_on else "")
    yield "model", task.model
    if prompt := (origin.params or {}).get("prompt"):
        yield "prompt", one_line(str(prompt))
    standing = "" if origin.is_current else ", an earlier one"
    yield "task", f"{task.task_id or '-'}, take {task.take}, attempt {task.attempt}{standing}"
    yield "result", f"{origin.number} of {len(task.outputs)}{f', {output.path}' if output.path else ''}"
    if task.cost is not None:
        yield "cost", usd(task_cost(task)) + (" (sandbox)" if task.sandbox else "")
    yield "finished", task.finished_at or "-"


def _as_json(found: Traced) -> dict[str, Any]:
    return {
        "file": str(found.file),
        "sha256": found.sha256,
        "origins": [_origin_as_json(origin) for origin in found.origins],
    }


def _origin_as_json(origin: Origin) -> dict[str, Any]:
    task = origin.task
    return {
        "job": task.job,
        "spec": origin.spec,
        "line": origin.line,
        "model": task.model,
        "params": None if origin.params is None else dict(origin.params),
        "digest": task.digest,
        "external_task_id": task.external_task_id,
        "task_id": task.task_id,
        "take": task.take,
        "attempt": task.attempt,
        "is_current": origin.is_current,
        "cost": task.cost,
        "created_at": task.created_at,
        "finished_at": task.finished_at,
        "result": origin.number,
        "output": origin.output.as_json(),
    }
