"""The lines that problems are about, fit for a terminal: what stands in a spec is data, never a terminal's command."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from kirin_batch.problems import Problem
from kirin_batch.project import Project
from kirin_batch.specs.files import Boundary

__all__ = ["Excerpt", "SourceLines"]

_BREAK = re.compile("\r\n|\n|\r")  # as places count lines: YAML 1.2, section 5.4
_MOST_BYTES = 64 * 1024 * 1024  # in a larger file the problem is its size
_TAB = "    "
_CROPPED = "…"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line as it is shown, and how many columns of the terminal stand before the place that is meant."""

    text: str
    before: int


class SourceLines:
    """The lines of a project's files. Each file is read once, and only if it may be read: if it lies inside."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._boundary = Boundary(project)
        self._files: dict[str, list[str]] = {}

    def excerpt(self, problem: Problem, *, columns: int) -> Excerpt | None:
        """The line of a problem, cropped to `columns` around its place; None where there is none to show."""
        if problem.file not in self._files:
            self._files[problem.file] = self._read(problem.file)
        lines = self._files[problem.file]
        return _crop(lines[problem.line - 1], problem.column - 1, columns) if problem.line <= len(lines) else None

    def _read(self, file: str) -> list[str]:
        path = self._project.root / file
        try:
            if not self._boundary.has(file) or not path.is_file() or path.stat().st_size > _MOST_BYTES:
                return []
            # What is no UTF-8 is the problem itself, more often than not: the rest of its line still tells the place.
            return _BREAK.split(path.read_bytes().decode("utf-8-sig", errors="replace"))
        except (OSError, RuntimeError, ValueError):  # gone by now; a loop of links; a name that was made readable
            return []


def _crop(line: str, index: int, columns: int) -> Excerpt:
    """The part of a line around the character at `index`."""
    index = min(index, len(line))
    if len(line) <= columns and index <= columns * 2 // 3 and line.isascii() and line.isprintable():  # as most lines
        return Excerpt(line.rstrip(), index)
    # A character takes a column or none, so that of a line of megabytes this much is enough to look at.
    first, last = max(0, index - columns), index + columns
    before = [_shown(char) for char in reversed(line[first:index])]
    after = [_shown(char) for char in line[index:last]]
    before = _fitted(before, columns * 2 // 3, is_all=first == 0)
    width = sum(map(_width, before))
    after = _fitted(after, columns - width, is_all=last >= len(line))
    return Excerpt("".join([*reversed(before), *after]).rstrip(), width)


def _fitted(pieces: Sequence[str], columns: int, *, is_all: bool) -> list[str]:
    """As many pieces as `columns` have room for, and a mark where some are left out."""
    if is_all and sum(map(_width, pieces)) <= columns:
        return list(pieces)
    room = columns - 1
    fitted: list[str] = []
    for piece in pieces:
        room -= _width(piece)
        if room < 0:
            break
        fitted.append(piece)
    return [*fitted, _CROPPED]


def _shown(char: str) -> str:
    """A character that moves nothing on a terminal: tabs as spaces, all else that is not printable by its code."""
    if char == "\t":
        return _TAB
    return char if char.isprintable() else ascii(char)[1:-1]


def _width(text: str) -> int:
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    """How many columns a terminal gives a printable character: wide ones two, marks upon the one before none."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
