"""What is wrong in a spec, as data: where, which rule, what would be right. Knows no file format, prints nothing."""

from dataclasses import dataclass
from enum import StrEnum

from kirin_batch.pointers import Pointer, json_pointer

__all__ = ["Pointer", "Problem", "Severity", "json_pointer"]


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
