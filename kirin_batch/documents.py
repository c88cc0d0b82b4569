"""A YAML file of the project with the way back from its values to their places. Knows nothing of what it says."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from kirin_batch.problems import Pointer, Problem, Severity, json_pointer, one_line
from kirin_batch.source import Places, Value, YamlError, load_yaml

__all__ = ["Document", "read_document"]


class Document:
    """What a file holds: `file` is its name for people, relative to the project's root, `value` what its YAML says."""

    def __init__(self, path: Path, file: str, data: bytes) -> None:
        """Raises YamlError."""
        self.path = path
        self.file = file
        self.value: Value = load_yaml(data)
        self._data = data

    @cached_property
    def _places(self) -> Places:
        return Places.of(self._data)

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


def read_document(path: Path, file: str) -> Document | Problem:
    """The document of a file, or why there is none."""
    try:
        return Document(path, file, path.read_bytes())
    except OSError as error:
        return Problem(file, 1, 1, Severity.ERROR, "file", f"cannot be read: {error.strerror}")
    except YamlError as error:
        return Problem(file, error.line, error.column, Severity.ERROR, "yaml", error.message)
