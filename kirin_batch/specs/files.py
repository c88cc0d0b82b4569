"""Which files are the specs of a project, and whether what they name lies inside it. Reads none of them.

A project may have thousands of specs: here paths are plain text below the root, with `/`, and each folder is looked at
once.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum, auto
from fnmatch import fnmatchcase
from pathlib import Path
from stat import S_ISLNK

from kirin_batch.errors import UsageError
from kirin_batch.project import Project

__all__ = ["Boundary", "find_files"]


def find_files(project: Project, further: Sequence[Path]) -> list[str]:
    """The files that the `specs:` of a project name, and `further` ones, relative to its root and sorted.

    In patterns `*` stands for any part of a name and `**` for any folders; `**` follows no links. Raises UsageError for
    a pattern or a path that leads out of the project.
    """
    found = {file for pattern in project.settings.specs for file in _matching(str(project.root), _steps(pattern))}
    for path in further:
        below = path if path.is_relative_to(project.root) else path.resolve()
        if not below.is_relative_to(project.root):
            raise UsageError(f"{path} is outside the project {project.root}: name its folder with --project")
        found.add(below.relative_to(project.root).as_posix())
    return sorted(found, key=lambda file: file.split("/"))


def _steps(pattern: str) -> tuple[str, ...]:
    path = Path(pattern)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(f"specs: {pattern} leads out of the project: name a place below its root")
    if not path.parts or any("**" in part and part != "**" for part in path.parts):
        raise UsageError(f"specs: {pattern} is no pattern: write specs/**/*.yaml, say")
    return path.parts


def _matching(folder: str, steps: Sequence[str], below: str = "") -> Iterator[str]:
    """The files in a folder that the steps of a pattern lead to; `below` is the way from the root to the folder."""
    step, rest = steps[0], steps[1:]
    if step == "**" and rest:
        yield from _matching(folder, rest, below)
    for entry in _entries(folder):
        name = f"{below}{entry.name}"
        if step == "**":
            if entry.is_dir(follow_symlinks=False):
                yield from _matching(entry.path, steps, f"{name}/")
        elif fnmatchcase(entry.name, step):
            if not rest and os.path.isfile(entry.path):  # noqa: PTH113 - a Path for each would take longer than the rest
                yield name
            elif rest and os.path.isdir(entry.path):  # noqa: PTH112 - as above
                yield from _matching(entry.path, rest, f"{name}/")


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    with suppress(PermissionError), os.scandir(folder) as entries:
        return list(entries)
    return []


class _Way(Enum):
    """What leads to a place: nothing but folders, a link somewhere, or folders that are not there yet."""

    PLAIN = auto()
    LINK = auto()
    ABSENT = auto()


class Boundary:
    """Whether places may be read or written: what `Project.is_inside` says, but each folder is looked at once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._root = str(project.root)
        self._folders = {"": _Way.PLAIN}

    def has(self, name: str) -> bool:
        """Whether a place, named relative to the root with `/`, is inside the project."""
        if self._project.settings.allow_outside:
            return True
        is_direct = not name.startswith("/") and "/../" not in f"/{name}/"
        if is_direct and self._way_to(name) is not _Way.LINK:
            return True
        return self._project.is_inside(self._project.root / name)

    def _way_to(self, name: str) -> _Way:
        folder = name.rpartition("/")[0]
        way = self._folders.get(folder)
        if way is None:
            way = self._folders[folder] = self._way_to(folder)
        return self._look(name) if way is _Way.PLAIN else way

    def _look(self, name: str) -> _Way:
        try:
            status = os.lstat(f"{self._root}/{name}")
        except OSError:
            return _Way.ABSENT
        return _Way.LINK if S_ISLNK(status.st_mode) else _Way.PLAIN
