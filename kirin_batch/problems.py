"""What is wrong in a spec, as data: where, which rule, what would be right. Knows no file format, prints nothing."""

from dataclasses import dataclass
from enum import StrEnum

from kirin_batch.pointers import Pointer, json_pointer

__all__ = ["Pointer", "Problem", "Severity", "json_pointer", "one_line"]

_LONGEST = 600  # characters: a text in a spec may have millions, and what is wrong with it stands at the end


class Severity(StrEnum):
    """An error stops a run before anything is sent; a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault at one place.

    `file` is relative to the project's root; `line` and `column` count from 1; `job` is the id of the job, or of none;
    `parameter` is a JSON pointer in the job's params ("" for the whole), or None outside params; `rule` is a keyword of
    JSON Schema, one of our `x-` keywords, or a word for what no schema says (`yaml`, `cycle`, `unused-var`, …).
    """

    file: str
    line: int
    column: int
    severity: Severity
    rule: str
    message: str
    job: str | None = None
    parameter: str | None = None


def one_line(message: str) -> str:
    """The message without line breaks and control characters, which texts in specs may bring in, and not too long."""
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
    return message if message.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)
