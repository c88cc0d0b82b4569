"""What is wrong with a job's params, as data. Knows no file, no line and no job: its reader adds them."""

from dataclasses import dataclass

from kirin_batch.problems import Pointer, Severity

__all__ = ["Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of params.

    `rule` is a keyword of JSON Schema or one of our `x-` keywords; `pointer` leads to the value within params, or to
    where a missing one would stand; `key` says that the place to show is the key, not the value (an unknown, missing
    or forbidden parameter).
    """

    rule: str
    pointer: Pointer
    message: str
    severity: Severity = Severity.ERROR
    key: bool = False
