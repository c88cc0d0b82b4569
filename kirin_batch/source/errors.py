"""A place in a YAML text, and the one error of this package. It must not know the file's name: its caller does."""

from typing import NamedTuple, Protocol

__all__ = ["AnyMark", "Place", "YamlError", "place_at", "place_of"]


class AnyMark(Protocol):
    """A place as PyYAML's two parsers tell it: both count from 0."""

    line: int
    column: int


class Place(NamedTuple):
    """Where something is written: line and column count from 1, columns count characters.

    Lines end with LF, CR LF or CR, as YAML 1.2 has it (section 5.4).
    """

    line: int
    column: int


class YamlError(ValueError):
    """A text that is no YAML we take: `message` is a sentence for people, `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


def place_of(mark: AnyMark | None) -> Place:
    """The place of a mark of PyYAML, which counts from 0; the start of the text where there is no mark."""
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def place_at(text: str, index: int) -> Place:
    """The place of the character at an index of a text."""
    before = text[:index]
    start_of_line = max(before.rfind("\n"), before.rfind("\r")) + 1
    return Place(before.count("\n") + before.count("\r") - before.count("\r\n") + 1, index - start_of_line + 1)
