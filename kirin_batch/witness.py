"""How files and folders looked, in a form that tells later whether anything is different. Imports next to nothing."""

import os
from stat import S_ISDIR, S_ISLNK, S_ISREG

__all__ = ["Identity", "identify", "inner_folders", "kind_at", "kind_of", "listed", "listing", "whole_kind_of"]

Identity = tuple[int, int, int, int]
"""What tells a state of a file from all others, see `identify`."""

_OF_STATE = frozenset(
    {".gitignore", "cache", "journal.jsonl", "latencies.json", "manifest.json", "run.json", "run.lock", "stored.txt"}
)
_CACHE_ENDINGS = (".answer", ".specs", ".kirin-part")


def identify(status: os.stat_result) -> Identity:
    """Inode, size, and times in nanoseconds. That of the last change is the system's own, and cannot be set back."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def listing(root: str, folder: str) -> frozenset[str]:
    """What is in a folder below `root`, as `listed` tells it. Raises OSError."""
    with os.scandir(f"{root}/{folder}") as entries:
        return listed(folder, list(entries))


def listed(folder: str, entries: list["os.DirEntry[str]"]) -> frozenset[str]:
    """The names in a folder, each with its whole kind. The folder is told below the root, ending in `/` or "".

    What is in `.kirin/` as a matter of course is left out: it comes and goes, and is no spec of anybody's.
    """
    is_state = folder.startswith(".kirin/")
    return frozenset(
        whole_kind_of(entry) + entry.name
        for entry in entries
        if not is_state or (entry.name not in _OF_STATE and not entry.name.endswith(_CACHE_ENDINGS))
    )


def kind_of(entry: "os.DirEntry[str]") -> str:
    """`@` for a link, `/` for a folder, `.` for anything else."""
    if entry.is_symlink():
        return "@"
    return "/" if entry.is_dir(follow_symlinks=False) else "."


def whole_kind_of(entry: "os.DirEntry[str]") -> str:
    """The kind, and of a link where it leads: `&` to a folder, `%` to a file, `@` to nothing, where a spec may come."""
    kind = kind_of(entry)
    return _kind_behind(entry.path) if kind == "@" else kind


def kind_at(path: str) -> str:
    """The whole kind of what is at a path, "" for nothing. Raises OSError."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return _kind_behind(path) if S_ISLNK(mode) else "/" if S_ISDIR(mode) else "."


def _kind_behind(link: str) -> str:
    try:
        mode = os.stat(link).st_mode  # noqa: PTH116 - pathlib takes too long
    except OSError:  # it leads nowhere, or round in a circle
        return "@"
    return "&" if S_ISDIR(mode) else "%" if S_ISREG(mode) else "@"


def inner_folders(folder: str) -> frozenset[str]:
    """The names of the folders in a folder that are no links. Raises OSError."""
    with os.scandir(folder) as entries:
        return frozenset(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
