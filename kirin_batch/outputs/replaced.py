"""Files that a new result would cover: results of earlier takes, which were paid for, and what somebody edited by hand.

They are copied first: what stood under a result's name stays there until the new one takes its place. A result of an
earlier take or request is kept beside it, in the folder `earlier`, under a name that its content gives.
"""

import itertools
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from kirin_batch.disk import PART_SUFFIX, fsync_folder, make_folders, sha256_of_file
from kirin_batch.errors import KirinError
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.outputs.sidecar import move_sidecar
from kirin_batch.records import Output, Record

__all__ = ["REPLACED", "IsRecorded", "bring_back", "earlier_place", "keep_copy", "with_earlier_files"]

REPLACED = ".kirin/replaced"
"""The folder below the root that the copies lie in, under their paths below the root."""

IsRecorded: TypeAlias = Callable[[str, str], bool]
"""Whether a path below the root is recorded to have held the content of this SHA-256; asked in any thread."""

logger = logging.getLogger("kirin_batch.outputs")


def keep_copy(root: Path, name: str, *, successor: str, is_recorded: IsRecorded) -> Path | None:
    """Copy the file `name` below `root` aside where it would be lost; the copy, None where there is nothing to lose.

    `successor` is the SHA-256 of what is to take its place. Raises OSError where the disk refuses.
    """
    file = root / name
    if not file.is_file():
        return None
    sha256 = sha256_of_file(file)
    if sha256 == successor:
        return None
    if is_recorded(name, sha256):
        return _keep_earlier(root, name, sha256)
    copy = _copy(file, _places(root, Path(name)), sha256)
    told = copy.relative_to(root).as_posix()
    logger.warning("%s was changed by hand: a new result takes its place, a copy is kept in %s", name, told)
    return copy


def earlier_place(name: str, sha256: str) -> str:
    """Where the result at `name` is kept when another one takes its place."""
    path = PurePosixPath(name)
    return str(path.with_name("earlier") / f"{path.stem}~{sha256[:8]}{path.suffix}")


def _keep_earlier(root: Path, name: str, sha256: str) -> Path:
    copy = _copy(root / name, _numbered(root / earlier_place(name, sha256)), sha256)
    move_sidecar(root / name, copy, sha256=sha256)
    return copy


def with_earlier_files(root: Path, record: Record) -> Record:
    """The record with the files of its earlier tasks where they are kept since its own took their places."""
    paths = {output.path for output in record.outputs}
    earlier = tuple(_find_kept(root, task, paths) for task in record.earlier)
    return record if earlier == record.earlier else replace(record, earlier=earlier)


def _find_kept(root: Path, task: Record, taken: Iterable[str | None]) -> Record:
    outputs = tuple(_kept(root, output) if output.path in taken else output for output in task.outputs)
    return task if outputs == task.outputs else replace(task, outputs=outputs)


def _kept(root: Path, output: Output) -> Output:
    if output.path is None or output.sha256 is None:
        return output
    first = root / earlier_place(output.path, output.sha256)
    there = itertools.takewhile(Path.exists, _numbered(first))  # somebody may have edited the first of them
    kept = next((place for place in there if _holds(place, str(output.sha256))), None)
    return replace(output, path=str(PurePosixPath(output.path).parent / "earlier" / kept.name)) if kept else output


def bring_back(root: Path, job: Job, record: Record) -> Record:
    """Put the results of an earlier task that is asked for again where results of `job` lie, and keep what lies there.

    What somebody edited stays where it is, and so does the result then. Raises KirinError where the disk refuses.
    """
    outputs = []
    try:
        for index, output in enumerate(record.outputs, 1):
            name = output_path(job.output_stem, index=index, ext=Path(output.path or "").suffix)
            is_elsewhere = output.path not in {None, name} and output.sha256 is not None
            is_back = is_elsewhere and _bring_back(root, name, output, record)
            outputs.append(replace(output, path=name) if is_back else output)
    except OSError as error:
        raise KirinError(f"the results of {job.id} cannot be brought back: {error}") from error
    return with_earlier_files(root, replace(record, outputs=tuple(outputs)))


def _bring_back(root: Path, name: str, output: Output, record: Record) -> bool:
    """Whether the result is at `name` now."""
    target, source = root / name, root / str(output.path)
    sha256 = str(output.sha256)
    if _holds(target, sha256):  # of a run that died before it was recorded
        return True
    if not _holds(source, sha256):
        return False
    if target.exists():
        held = sha256_of_file(target) if target.is_file() else ""
        if held not in {out.sha256 for task in record.earlier for out in task.outputs if out.path == name}:
            return False
        _keep_earlier(root, name, held)
    make_folders(target.parent)
    source.replace(target)
    move_sidecar(source, target, sha256=sha256)
    fsync_folder(target.parent)
    fsync_folder(source.parent)
    return True


def _places(root: Path, name: Path) -> Iterator[Path]:
    """Where a copy may lie: under the file's own path, then with numbers. A file outside the root comes inside."""
    inside = [part for part in name.parts if part not in {"..", name.anchor}]
    return _numbered(root.joinpath(REPLACED, *inside))


def _numbered(first: Path) -> Iterator[Path]:
    yield first
    for number in itertools.count(2):
        yield first.with_name(f"{first.stem}-{number}{first.suffix}")


def _copy(file: Path, places: Iterator[Path], sha256: str) -> Path:
    """Copy to the first place that is free, or that a run which died has copied to already."""
    place = next(place for place in places if not place.exists() or _holds(place, sha256))
    if not place.exists():
        make_folders(place.parent)
        part = place.with_name(f".{place.name}{PART_SUFFIX}")
        with file.open("rb") as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        part.replace(place)
        fsync_folder(place.parent)
    return place


def _holds(place: Path, sha256: str) -> bool:
    return place.is_file() and sha256_of_file(place) == sha256
