"""Which files are the specs of a project, and whether what they name lies inside it. Reads none of them.

A project may have thousands of specs: here paths are plain text below the root, with `/`, and each folder is looked at
once.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from fnmatch import translate
from functools import cache
from pathlib import Path
from stat import S_ISLNK

from kirin_batch.errors import UsageError
from kirin_batch.project import Project

__all__ = ["Boundary", "find_files"]


def find_files(project: Project, further: Sequence[Path]) -> Mapping[str, bool]:
    """The files that the `specs:` of a project name, and `further` ones, relative to its root and sorted.

    Each with whether a link may lead to it: then it may lie outside. In patterns `*` stands for any part of a name and
    `**` for any folders; `**` follows no links. Raises UsageError for what leads out of the project.
    """
    walk = _Walk()
    found: dict[str, bool] = {}
    for pattern in project.settings.specs:
        found.update(walk.matching(str(project.root), _steps(pattern)))
    for path in further:
        below = path if path.is_relative_to(project.root) else path.resolve()
        if not below.is_relative_to(project.root):
            raise UsageError(f"{path} is outside the project {project.root}: name its folder with --project")
        found.setdefault(below.relative_to(project.root).as_posix(), True)
    return dict(sorted(found.items(), key=lambda entry: entry[0].replace("/", "\0")))  # a folder's files together


_Steps = tuple[str, ...]


def _steps(pattern: str) -> _Steps:
    path = Path(pattern)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(f"specs: {pattern} leads out of the project: name a place below its root")
    if not path.parts or any("**" in part and part != "**" for part in path.parts):
        raise UsageError(f"specs: {pattern} is no pattern: write specs/**/*.yaml, say")
    return path.parts


class _Walk:
    """A look at folders, each once."""

    def __init__(self) -> None:
        self._entries = cache(_entries)
        self._fits = cache(_fits)

    def matching(
        self, folder: str, steps: _Steps, below: str = "", *, is_link: bool = False
    ) -> Iterator[tuple[str, bool]]:
        """The files in a folder that the steps of a pattern lead to, and whether over a link.

        `below` is the way from the root to the folder.
        """
        step, rest = steps[0], steps[1:]
        if step == "**":
            if rest:
                yield from self.matching(folder, rest, below, is_link=is_link)
            for entry in self._entries(folder):
                if entry.is_dir(follow_symlinks=False):
                    yield from self.matching(entry.path, steps, f"{below}{entry.name}/", is_link=is_link)
            return
        fits = self._fits(step)
        for entry in self._entries(folder):
            if fits(entry.name):
                name, through = f"{below}{entry.name}", is_link or entry.is_symlink()
                if not rest and _is_file(entry):
                    yield name, through
                elif rest and _is_folder(entry):
                    yield from self.matching(entry.path, rest, f"{name}/", is_link=through)


def _fits(step: str) -> Callable[[str], object]:
    return re.compile(translate(step)).match


def _is_file(entry: "os.DirEntry[str]") -> bool:
    # The entry itself knows it without a question to the system, but fails where a link leads round in a circle.
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file(follow_symlinks=False)  # noqa: PTH113 - a Path for each would take longer than the rest


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir(follow_symlinks=False)  # noqa: PTH112 - as above


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
        self._folders: dict[str, _Way] = {}

    def has(self, name: str) -> bool:
        """Whether a place, named relative to the root with `/`, is inside the project."""
        if self._project.settings.allow_outside:
            return True
        is_direct = not name.startswith("/") and "/../" not in f"/{name}/"
        if is_direct and self._way_to(name) is not _Way.LINK:
            return True
        return self._project.is_inside(self._project.root / name)

    def _way_to(self, name: str) -> _Way:
        end = name.find("/")
        while end >= 0:
            folder = name[:end]
            way = self._folders.get(folder)
            if way is None:
                way = self._folders[folder] = self._look(folder)
            if way is not _Way.PLAIN:
                return way
            end = name.find("/", end + 1)
        return self._look(name)

    def _look(self, name: str) -> _Way:
        try:
            status = os.lstat(f"{self._root}/{name}")
        except OSError:
            return _Way.ABSENT
        return _Way.LINK if S_ISLNK(status.st_mode) else _Way.PLAIN
