"""Files that a new result would cover and that no record knows, say because somebody edited a result by hand.

They are copied first: what stood under a result's name stays there until the new one takes its place.
"""

import itertools
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from kirin_batch.disk import PART_SUFFIX, fsync_folder, make_folders, sha256_of_file

__all__ = ["REPLACED", "IsRecorded", "keep_copy"]

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
    if sha256 == successor or is_recorded(name, sha256):
        return None
    copy = _copy(file, _places(root, Path(name)), sha256)
    told = copy.relative_to(root).as_posix()
    logger.warning("%s was changed by hand: a new result takes its place, a copy is kept in %s", name, told)
    return copy


def _places(root: Path, name: Path) -> Iterator[Path]:
    """Where a copy may lie: under the file's own path, then with numbers. A file outside the root comes inside."""
    inside = [part for part in name.parts if part not in {"..", name.anchor}]
    first = root.joinpath(REPLACED, *inside)
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
