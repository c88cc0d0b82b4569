"""Which files are the specs of a project, and whether what they name lies inside it. Reads none of them.

A project may have thousands of specs: here paths are plain text below the root, with `/`, and each folder is looked at
once.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import translate
from functools import cache
from glob import has_magic
from pathlib import Path
from stat import S_ISLNK, S_ISREG

from kirin_batch.errors import UsageError
from kirin_batch.project import Project
from kirin_batch.witness import kind_of, listed, whole_kind_of

__all__ = ["Boundary", "Found", "find_files"]


@dataclass(frozen=True, slots=True)
class Found:
    """The files that are specs, relative to the project's root and sorted, each with whether a link may lead to it.

    What this rests on, as `witness` has it: `folders` that were looked into, with what they held; `kinds` of places.
    """

    files: Mapping[str, bool]
    folders: Mapping[str, frozenset[str]]
    kinds: Mapping[str, str]


def find_files(project: Project, further: Sequence[Path]) -> Found:
    """The files that the `specs:` of a project name, and `further` ones.

    One to which a link may lead may lie outside. In patterns `*` stands for any part of a name and `**` for any
    folders; `**` follows no links. Raises UsageError for what leads out of the project.
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
    files = dict(sorted(found.items(), key=lambda entry: entry[0].replace("/", "\0")))  # a folder's files together
    return Found(files, walk.folders, walk.kinds)


_Steps = tuple[str, ...]


def _steps(pattern: str) -> _Steps:
    path = Path(pattern)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(f"specs: {pattern} leads out of the project: name a place below its root")
    if not path.parts or any("**" in part and part != "**" for part in path.parts):
        raise UsageError(f"specs: {pattern} is no pattern: write specs/**/*.yaml, say")
    return path.parts


class _Walk:
    """A look at folders, each once, and what was seen: see `Found`."""

    def __init__(self) -> None:
        self.folders: dict[str, frozenset[str]] = {}
        self.kinds: dict[str, str] = {}
        self._entries = cache(_entries)
        self._fits = cache(_fits)

    def matching(
        self, folder: str, steps: _Steps, below: str = "", *, is_link: bool = False
    ) -> Iterator[tuple[str, bool]]:
        """The files in a folder that the steps of a pattern lead to, and whether over a link.

        `below` is the way from the root to the folder.
        """
        step, rest = steps[0], steps[1:]
        self._note(folder, step, below)
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

    def _note(self, folder: str, step: str, below: str) -> None:
        if not has_magic(step):  # nothing else in the folder matters
            self.kinds[f"{below}{step}"] = next((whole_kind_of(e) for e in self._entries(folder) if e.name == step), "")
        elif below not in self.folders:
            self.folders[below] = listed(below, self._entries(folder))


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
    """Whether places may be read or written: what `Project.is_inside` says, but each folder is looked at once.

    `at_once`: the folders in one folder are looked at together, for those who ask about many places at one moment.
    """

    def __init__(self, project: Project, *, at_once: bool = False) -> None:
        self._project = project
        self._root = str(project.root)
        self._folders = {"": _Way.PLAIN}
        self._look_at_folder = self._look_in_listing if at_once else self._look
        self._kinds: dict[str, Mapping[str, str]] = {}

    def has(self, name: str) -> bool:
        """Whether a place, named relative to the root with `/`, is inside the project."""
        return self._has(name, self._way_to)

    def has_folder_of(self, name: str) -> bool:
        """Whether the folder of a place is, whatever is at the place itself."""
        return self._has(name, self._way_to_folder_of)

    def has_file(self, name: str) -> bool:
        """Whether there is a file at a place, and inside the project."""
        path = f"{self._root}/{name}"
        is_usual = not self._project.settings.allow_outside and _is_direct(name)
        if is_usual and self._way_to_folder_of(name) is not _Way.LINK:
            mode = _mode_of(path)
            if not S_ISLNK(mode):
                return S_ISREG(mode)  # one question to the system, for most
        return self.has(name) and os.path.isfile(path)  # noqa: PTH113 - there may be thousands

    def _has(self, name: str, way_to: Callable[[str], _Way]) -> bool:
        if self._project.settings.allow_outside or (_is_direct(name) and way_to(name) is not _Way.LINK):
            return True
        return self._project.is_inside(self._project.root / name)

    def _way_to(self, name: str) -> _Way:
        way = self._way_to_folder_of(name)
        return way if way is not _Way.PLAIN else self._look(name)

    def _way_to_folder_of(self, name: str) -> _Way:
        folder = name.rpartition("/")[0]
        way = self._folders.get(folder)
        if way is None:
            above = self._way_to_folder_of(folder)
            way = self._folders[folder] = above if above is not _Way.PLAIN else self._look_at_folder(folder)
        return way

    def _look_in_listing(self, name: str) -> _Way:
        folder, _, own = name.rpartition("/")
        if folder not in self._kinds:
            with suppress(OSError), os.scandir(f"{self._root}/{folder}") as entries:
                self._kinds[folder] = {entry.name: kind_of(entry) for entry in entries}
        kind = self._kinds.get(folder, {}).get(own, "")
        return _Way.LINK if kind == "@" else _Way.PLAIN if kind else _Way.ABSENT

    def _look(self, name: str) -> _Way:
        mode = _mode_of(f"{self._root}/{name}")
        return _Way.LINK if S_ISLNK(mode) else _Way.PLAIN if mode else _Way.ABSENT


def _is_direct(name: str) -> bool:
    return not name.startswith("/") and "/../" not in f"/{name}/"


def _mode_of(path: str) -> int:
    """The mode of what is at a path, links not followed; 0 where there is nothing."""
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):  # a NUL in the name
        return 0
