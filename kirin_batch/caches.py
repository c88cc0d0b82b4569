"""The files of caches in `.kirin/cache/`: written in one step, read only where they are surely this program's own.

They are read with `marshal`, which trusts its data. So a file must be of this user and of mode 0600, which no clone of
a repository has, and tell its own inode, which no archive can know; its checksum is over all of it. It must also be of
this version of program and Python. Whatever is not so is no cache: it is rewritten when there is something to keep.
Nothing is flushed to the device: what a power cut tears has a wrong checksum, and costs time alone.
"""

import marshal
import os
import sys
import time
import zlib
from contextvars import ContextVar

from kirin_batch import __version__
from kirin_batch.witness import Identity, identify

__all__ = ["FOLDER", "begun_at", "load_cache", "program_state", "save_cache", "settled_before"]

FOLDER = ".kirin/cache"
"""Where caches lie, below a project's root."""

begun_at: ContextVar[int | None] = ContextVar("begun_at", default=None)
"""When the program began, in nanoseconds of the epoch, where it may use caches; `__main__` sets it."""

_PACKAGE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib takes longer than all that is here
_FORMAT = 1
_MODE = 0o600
_MOST_ANSWERS = 24  # the ones that were written first go
_SETTLED_NS = 2_000_000_000  # no file system has coarser times (FAT)
_SITE = "/site-packages/"
_CHECKSUM_BYTES = 4


def load_cache(path: str) -> object:
    """What was saved there. Raises OSError, or ValueError for a file that is not this program's own and whole."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - see _PACKAGE
        status = os.fstat(descriptor)
        if status.st_uid != os.getuid() or status.st_mode & 0o7777 != _MODE:
            raise ValueError("of another user, or in reach of others")
        data = file.read()
    head = _head(status.st_ino)
    begin = len(head) + _CHECKSUM_BYTES
    content = memoryview(data)[begin:]
    if data[:begin] != head + zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big"):
        raise ValueError("of another program, or damaged")
    value: object = marshal.loads(content)  # noqa: S302 - see above: nobody else can have written it
    return value


def save_cache(path: str, value: object) -> None:
    """Put a value of plain data at `path`, in a folder that is there.

    Raises OSError, and ValueError for other data, or where a link leads to the folder: a clone may bring one that leads
    anywhere, and what is there is nobody's cache.
    """
    content = marshal.dumps(value)  # type: ignore[arg-type] # what is no plain data is a ValueError
    folder, name = os.path.split(path)
    if os.path.realpath(folder) != folder:
        raise ValueError("behind a link")
    part = f"{folder}/.{name}.{os.getpid()}.kirin-part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - see _PACKAGE
            os.fchmod(descriptor, _MODE)
            head = _head(os.fstat(descriptor).st_ino)
            file.write(head + zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big"))
            file.write(content)
        os.replace(part, path)  # noqa: PTH105 - see _PACKAGE
    except BaseException:
        os.unlink(part)  # noqa: PTH108 - see _PACKAGE
        raise
    _remove_oldest(folder)


def _head(inode: int) -> bytes:
    """What a file of this program begins with: whose it is, and which file."""
    parts = ("kirin-batch cache", _FORMAT, __version__, sys.version, sys.prefix, _PACKAGE, inode)
    return repr(parts).encode(errors="backslashreplace")


def _remove_oldest(folder: str) -> None:
    with os.scandir(folder) as entries:
        answers = [entry for entry in entries if entry.name.endswith((".answer", ".kirin-part"))]
        found = sorted((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in answers)
    for _, path in found[:-_MOST_ANSWERS]:
        os.unlink(path)  # noqa: PTH108 - see _PACKAGE


def settled_before(folder: str, begun_ns: int) -> int:
    """The time (ns of the epoch) before which a file must have changed last, so that its next change is told from it.

    A program that began at `begun_ns` may go by how such files look, even if it looks after it has read them: whatever
    changed in the two seconds before, or since, has a later time. `folder` is one of the same file system.
    """
    os.utime(folder)
    # The clock of a file server may be behind ours: what it dates in the past may be new.
    lead_ns = min(0, os.stat(folder).st_mtime_ns - time.time_ns())  # noqa: PTH116 - see _PACKAGE
    return begun_ns + lead_ns - _SETTLED_NS


def program_state() -> dict[str, Identity]:
    """How the program itself looks, which is edited in a checkout, and the folders in which packages are installed."""
    schemas = f"{_PACKAGE}/schemas"
    places = [_PACKAGE] if os.path.isdir(schemas) else [_PACKAGE, f"{os.path.dirname(_PACKAGE)}/schemas"]  # noqa: PTH112, PTH120 - see _PACKAGE
    paths = {
        path.partition(_SITE)[0] + _SITE for module in list(sys.modules.values()) if _SITE in (path := _file_of(module))
    }
    for folder, _, names in (found for place in places for found in os.walk(place)):
        if names and not folder.endswith("__pycache__"):
            paths.update(f"{folder}/{name}" for name in names if name.endswith((".py", ".json")))
    return {path: identify(os.stat(path)) for path in paths}  # noqa: PTH116 - see _PACKAGE


def _file_of(module: object) -> str:
    return str(getattr(module, "__file__", None))
