"""Takes the files of a renamed job along, so that a new job under its old name has nothing to cover.

A run that dies after a move and before the record of it finds the file at its new place, by its hash, and goes on.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kirin_batch.disk import fsync_folder, make_folders, sha256_of_file
from kirin_batch.errors import KirinError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.outputs.sidecar import move_sidecar
from kirin_batch.records import Output

__all__ = ["take_along"]


def take_along(root: Path, job: Job, outputs: Sequence[Output], *, edited: bool = True) -> tuple[Output, ...]:
    """Move the files of `outputs` to where results of `job` lie below `root`; the outputs with their new paths.

    Where its place is taken, a file goes beside it, under a name with a number. One that is not there keeps its path;
    so does one that holds anything but the result, unless `edited` ones come along. Raises KirinError where the disk
    refuses.
    """
    try:
        return tuple(_take(root, job, index, output, edited=edited) for index, output in enumerate(outputs, 1))
    except OSError as error:
        raise KirinError(f"the results of {job.id} cannot be moved to its new name: {error}") from error


def _take(root: Path, job: Job, index: int, output: Output, *, edited: bool) -> Output:
    if output.path is None:
        return output
    source = root / output.path
    for name in _names(output_path(job.output_stem, index=index, ext=source.suffix)):
        target = root / name
        if name == output.path:
            return output
        if _is_result(target, output):
            if _is_result(source, output) and not source.samefile(target):
                _leave(source)  # the power went between the two folders: it bears both names
            return replace(output, path=name)
        if not target.exists():
            break
    if not (_is_result(source, output) or (edited and source.is_file())):
        return output
    make_folders(target.parent)
    source.replace(target)
    reach(FaultPoint.RESULT_MOVED)
    move_sidecar(source, target, sha256=output.sha256)
    fsync_folder(target.parent)
    _leave(source)
    return replace(output, path=name)


def _names(name: str) -> Iterator[str]:
    yield name
    stem, dot, ending = name.rpartition(".")
    for number in itertools.count(2):
        yield f"{stem}-{number}{dot}{ending}"


def _is_result(path: Path, output: Output) -> bool:
    return output.sha256 is not None and path.is_file() and sha256_of_file(path) == output.sha256


def _leave(source: Path) -> None:
    """Take the old name of a file away for good, and its folder with it where nothing else lies there."""
    source.unlink(missing_ok=True)
    fsync_folder(source.parent)
    with suppress(OSError):
        source.parent.rmdir()
