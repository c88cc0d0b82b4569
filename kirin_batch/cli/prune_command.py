"""`kirin-batch prune`: shows what it would forget and remove, asks, and does it."""

import sys
from pathlib import Path
from typing import Any

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared, paths_argument
from kirin_batch.commands.prune import PruneOptions, Pruning, open_task, preview_prune, prune_project, tasks_of
from kirin_batch.errors import ExitCode, UsageError
from kirin_batch.records import Record

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch prune --dry-run
  kirin-batch prune --outputs
  kirin-batch prune drafts/   (specs that `specs:` does not name count too)
  kirin-batch prune --yes --format json | jq .files

\b
A job whose task may still run is kept, because it is paid for when it ends:
`run` records that. --in-flight forgets it all the same. A file is removed
only if it is recorded, unchanged, and no result of a job that stays.

\b
A job that is forgotten and comes back is looked up at the gateway by its id;
results that only the lockfile knew are lost.
"""


@click.command("prune", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@click.option("--outputs", is_flag=True, help="Remove the files of these jobs too.")
@click.option("--in-flight", is_flag=True, help="Forget jobs too whose tasks may still run, and be paid for.")
@click.option("-n", "--dry-run", is_flag=True, help="Show it, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@common_options
@pass_shared
def command(
    shared: Shared, paths: tuple[Path, ...], *, outputs: bool, in_flight: bool, dry_run: bool, yes: bool
) -> int:
    """Forget the jobs that no spec has any more, with all their takes and attempts, after showing them.

    Specs at PATH count beside those of the project. Nothing is sent.
    """
    workspace = shared.workspace(paths)
    options = PruneOptions(outputs=outputs, in_flight=in_flight)
    if dry_run:
        _show(shared, preview_prune(workspace, options), is_done=False)
        return ExitCode.DONE
    pruning = prune_project(workspace, options, confirm=lambda found: _confirm(shared, found, is_answered=yes))
    if pruning is None:
        shared.print("nothing was forgotten, and nothing removed")
    elif shared.is_json or yes or not pruning.records:
        _show(shared, pruning, is_done=True)
    else:
        shared.print("done")
    return ExitCode.DONE


def _confirm(shared: Shared, pruning: Pruning, *, is_answered: bool) -> bool:
    if is_answered:
        return True
    if shared.is_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        told = f"prune would {_sum(pruning)}, and asks on a terminal"
        raise UsageError(f"{told}: elsewhere give --yes, or --dry-run to see what")
    _show(shared, pruning, is_done=False)
    return click.confirm("Go on?", err=True)


def _show(shared: Shared, pruning: Pruning, *, is_done: bool) -> None:
    if shared.is_json:
        shared.print_json(_as_json(pruning, is_done=is_done))
        return
    for line in () if shared.quiet else _lines(pruning):
        shared.print(line)
    for record in pruning.risky:
        told = "may still run, and is paid for when it ends: nobody will know of it here"
        shared.print_note(f"{click.style('warning', fg='red')}: the task of {record.job} {told}")
    if pruning.records:
        shared.print(_sum(pruning, forget="forgot", remove="removed") if is_done else f"would {_sum(pruning)}")
    else:
        shared.print("nothing to prune" + (f"; {len(pruning.kept)} kept" if pruning.kept else ""))
    if pruning.files_left and not shared.quiet:
        stay = "1 file of theirs stays" if pruning.files_left == 1 else f"{pruning.files_left} files of theirs stay"
        shared.print_note(f"note: {stay}; --outputs removes what is recorded and unchanged")


def _lines(pruning: Pruning) -> list[str]:
    forget, remove = click.style("forget", fg="yellow"), click.style("remove", fg="red")
    jobs = [f"{forget}  {record.job}  {record.status}, {_tasks(record)}" for record in pruning.records]
    files = [f"{remove}  {file.path}  {_size(file.size_bytes)}" for file in pruning.files]
    kept = [f"{click.style('keep', fg='green')}    {kept.name}  {kept.reason}" for kept in pruning.kept]
    return [*jobs, *files, *kept]


def _tasks(record: Record) -> str:
    count = len(tasks_of(record))
    cost = usd(Pruning((record,), (), ()).cost)
    return f"{count} {'task' if count == 1 else 'tasks'}, {cost}"


def _sum(pruning: Pruning, *, forget: str = "forget", remove: str = "remove") -> str:
    jobs, files = len(pruning.records), len(pruning.files)
    told = f"{forget} {jobs} {'job' if jobs == 1 else 'jobs'} of {usd(pruning.cost)}"
    if not files:
        return told
    return f"{told} and {remove} {files} {'file' if files == 1 else 'files'} of {_size(pruning.size_bytes)}"


def _size(size_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} B"


def _as_json(pruning: Pruning, *, is_done: bool) -> dict[str, Any]:
    return {
        "jobs": [_record_as_json(record) for record in pruning.records],
        "files": [{"path": file.path, "sha256": file.sha256, "bytes": file.size_bytes} for file in pruning.files],
        "kept": [{"name": kept.name, "reason": kept.reason} for kept in pruning.kept],
        "cost": str(pruning.cost),
        "pruned": is_done,
    }


def _record_as_json(record: Record) -> dict[str, Any]:
    return {
        "job": record.job,
        "model": record.model,
        "status": str(record.status),
        "is_open": open_task(record) is not None,
        "task_ids": [task.task_id for task in tasks_of(record)],
        "cost": str(Pruning((record,), (), ()).cost),
    }
