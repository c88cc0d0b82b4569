"""Files that are whole or absent, and content hashes. Knows nothing of jobs.

A file is written beside its target, flushed to the device, and renamed over it; then the folder is flushed, because a
rename that is not on disk is a file that a power cut takes back.
"""

import hashlib
import itertools
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kirin_batch.fault_points import FaultPoint, reach

__all__ = [
    "PART_SUFFIX",
    "flush_folder",
    "fsync_folder",
    "make_folders",
    "remove_parts",
    "sha256_of_file",
    "write_atomic",
]

PART_SUFFIX = ".kirin-part"
"""The ending of files that are being written. Whatever bears it without a run in progress is a leftover."""


@dataclass(slots=True)
class _Turn:
    """A flush of one folder, for all who made or renamed something in it before the flush began.

    It waits for the one before it, whose lock it shares; so many can join it.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    has_begun: bool = False
    is_over: bool = False


_making = threading.Lock()
_unflushed: dict[Path, _Turn] = {}  # folders in which this process has made or renamed something, until it is flushed


def write_atomic(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Put `data` at `path` in one step: a reader sees the old file or the new one, after a power cut too.

    Pieces are written as they come, and never held whole.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        with part.open("wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            reach(FaultPoint.FILE_WRITTEN)
            os.fsync(file.fileno())
        reach(FaultPoint.FILE_FLUSHED)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    reach(FaultPoint.FILE_RENAMED)
    fsync_folder(path.parent)


def remove_parts(folder: Path) -> int:
    """Remove what a killed run left unfinished right in `folder`; how many files that were. Only under the run lock."""
    parts = list(folder.glob(f".*{PART_SUFFIX}"))
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


def make_folders(folder: Path) -> None:
    """Make `folder` and what is missing above it; after a power cut they are there still.

    Threads that make folders in the same one at the same time share a flush, and whoever finds one that another has
    just made returns when that is flushed too. Raises OSError where the disk refuses.
    """
    way = (folder, *folder.parents)
    with _making:
        missing = list(itertools.takewhile(lambda place: not place.is_dir(), way))
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            _join(place.parent)
        turns = [(place, _unflushed[place]) for place in reversed(way) if place in _unflushed]
    for place, turn in turns:
        _flush(place, turn)


def flush_folder(folder: Path) -> None:
    """Flush the names in `folder` to the device; threads that do so at the same time share what is flushed."""
    with _making:
        turn = _join(folder)
    _flush(folder, turn)


def _join(folder: Path) -> _Turn:
    """The flush of what was changed in a folder before this call, under `_making`: one that has not begun."""
    turn = _unflushed.get(folder)
    if turn is None or turn.has_begun:
        turn = _unflushed[folder] = _Turn(turn.lock) if turn else _Turn()
    return turn


def _flush(folder: Path, turn: _Turn) -> None:
    with turn.lock:
        if not turn.is_over:
            turn.has_begun = True
            fsync_folder(folder)
            turn.is_over = True
    with _making:
        if _unflushed.get(folder) is turn:
            del _unflushed[folder]


def fsync_folder(folder: Path) -> None:
    """Flush the names in `folder` to the device."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
