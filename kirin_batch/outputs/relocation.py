"""Takes the files of a renamed job along, so that a new job under its old name has nothing to cover.

A run that dies after a move and before the record of it finds the file at its new place, by its hash, and goes on.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kirin_batch.disk import fsync_folder, sha256_of_file
from kirin_batch.errors import KirinError
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.records import Output

__all__ = ["take_along"]


def take_along(root: Path, job: Job, outputs: Sequence[Output]) -> tuple[Output, ...]:
    """Move the files of `outputs` to where results of `job` lie below `root`; the outputs with their new paths.

    A file that is not there, or whose new place is taken, keeps its path. Raises KirinError where the disk refuses.
    """
    try:
        return tuple(_take(root, job, index, output) for index, output in enumerate(outputs, 1))
    except OSError as error:
        raise KirinError(f"the results of {job.id} cannot be moved to its new name: {error}") from error


def _take(root: Path, job: Job, index: int, output: Output) -> Output:
    if output.path is None:
        return output
    source = root / output.path
    name = output_path(job.output_stem, index=index, ext=source.suffix)
    target = root / name
    if target.exists():
        is_there = output.sha256 is not None and sha256_of_file(target) == output.sha256
        return replace(output, path=name) if is_there else output
    if not source.is_file():
        return output
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    fsync_folder(target.parent)
    with suppress(OSError):
        source.parent.rmdir()  # refused where anything else lies in it
    return replace(output, path=name)
