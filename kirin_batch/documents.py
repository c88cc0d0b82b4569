"""A YAML file of the project with the way back from its values to their places. Knows nothing of what it says."""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Final

from kirin_batch.problems import Pointer, Problem, Severity, json_pointer, one_line
from kirin_batch.source import Places, Value, YamlError, load_yaml

__all__ = ["Document", "UnreadDocument", "read_document"]

_MEGABYTE: Final = 1024 * 1024


class Document:
    """What a file holds: `file` is its name for people, relative to the project's root, `value` what its YAML says."""

    def __init__(self, path: str | Path, file: str, data: bytes) -> None:
        """Raises YamlError."""
        self.file = file
        self._path = path
        self.value: Value = load_yaml(data, max_bytes=len(data))  # how much is read, the caller knows
        self._data = data

    @property
    def folder(self) -> Path:
        """Where paths that it names begin."""
        return Path(self._path).parent

    @cached_property
    def _places(self) -> Places:
        return Places.of(self._data, max_bytes=len(self._data))

    @property
    def sha256(self) -> str:
        """The hash of what was read."""
        return hashlib.sha256(self._data).hexdigest()

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of the key that `path` leads to; of its nearest parent where it leads nowhere."""
        return self._places.key(path).line

    def problem(  # noqa: PLR0913 - they are the fields of a Problem
        self,
        path: Sequence[str | int],
        rule: str,
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        at_key: bool = False,
        job: str | None = None,
        parameter: Pointer | None = None,
    ) -> Problem:
        """A problem at the value that `path` leads to in this file, or at its key."""
        place = self._places.key(path) if at_key else self._places.value(path)
        pointer = None if parameter is None else json_pointer(parameter)
        return Problem(self.file, place.line, place.column, severity, rule, one_line(message), job, pointer)


class UnreadDocument(Document):
    """A file of which it is known what it says, by other means: it holds no value, and tells no places."""

    def __init__(self, path: str | Path, file: str) -> None:
        self.file = file
        self._path = path


def read_document(
    path: str | Path, file: str, *, max_mb: float = 8.0, remedy: str = "make it smaller"
) -> Document | Problem:
    """The document of a file, or why there is none.

    A file of more than `max_mb` megabytes (1,048,576 bytes each) is not read; `remedy` tells people what to do then.
    """
    try:
        match _read(path, max_mb=max_mb, remedy=remedy):
            case bytes() as data:
                return Document(path, file, data)
            case unfit:
                return Problem(file, 1, 1, Severity.ERROR, *unfit)
    except OSError as error:
        return Problem(file, 1, 1, Severity.ERROR, "file", f"cannot be read: {error.strerror}")
    except YamlError as error:
        return Problem(file, error.line, error.column, Severity.ERROR, "yaml", error.message)


def _read(path: str | Path, *, max_mb: float, remedy: str) -> bytes | tuple[str, str]:
    """The bytes of a file, or rule and message of why they are not read."""
    # Takes half the time of `Path.stat` and `Path.read_bytes`, and to open a pipe this way waits for nobody.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        unfit = _why_unread(status, max_mb=max_mb, remedy=remedy)
        return unfit or _read_all(descriptor, size=status.st_size)
    finally:
        os.close(descriptor)


def _why_unread(status: os.stat_result, *, max_mb: float, remedy: str) -> tuple[str, str] | None:
    """Rule and message for what reading would wait for without end (a pipe), or fill the memory with."""
    if not S_ISREG(status.st_mode):
        return "file", "is no file"
    if status.st_size > max_mb * _MEGABYTE:
        told = f"has {status.st_size / _MEGABYTE:,.1f} MB ({status.st_size:,} bytes), more than the limit"
        return "file-size", f"{told} of {max_mb:g} MB: {remedy}"
    return None


def _read_all(descriptor: int, *, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    if len(data) == size:  # as nearly always
        return data
    while more := os.read(descriptor, _MEGABYTE):
        data += more
    return data
