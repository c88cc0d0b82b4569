"""The moments between two steps of the promise "never twice, never lost": each fsync, rename and network boundary.

The code calls `reach` there, which does nothing until a test arms it with what ends the process. Which invariant must
hold at each of them stands in docs/durability.md. Knows nothing of the rest of the package.
"""

from collections.abc import Callable
from enum import StrEnum

__all__ = ["FaultPoint", "arm", "reach"]


class FaultPoint(StrEnum):
    """What has just happened, and is all that has."""

    FILE_WRITTEN = "a file is written beside its target, and not flushed"
    FILE_FLUSHED = "a file is on the device under its temporary name"
    FILE_RENAMED = "a file bears its name, and its folder is not flushed"
    JOURNAL_WRITTEN = "lines are in the journal, and not flushed"
    JOURNAL_FLUSHED = "lines of the journal are on the device, and nobody knows yet"
    LOCKFILE_SAVED = "the lockfile holds the journal's news, and so does the journal"
    JOURNAL_EMPTIED = "the journal is empty, and not flushed"
    REQUEST_READY = "a request is about to leave"
    ANSWER_BEGUN = "the gateway has done what was asked, and only its status line came"
    ANSWER_READ = "an answer is in memory alone"
    DOWNLOAD_BEGUN = "a result's server has answered, and nothing is written"
    PIECE_WRITTEN = "a part of a result is written"
    RESULT_FLUSHED = "a result is on the device under its temporary name"
    RESULT_RENAMED = "a result bears its name, and its folder is not flushed"
    RESULTS_KEPT = "all results of a task are on the device, and not recorded"
    RESULT_MOVED = "a result of a renamed job is at its new place, and not recorded there"


_stop: Callable[[FaultPoint], None] | None = None


def reach(point: FaultPoint) -> None:
    """Note that the program is at `point`; costs a call and nothing else unless a test armed it."""
    if _stop is not None:
        _stop(point)


def arm(stop: Callable[[FaultPoint], None] | None) -> None:
    """Have `stop` called at every point, in whatever thread gets there; None disarms."""
    global _stop  # noqa: PLW0603 - one switch for the process, off but in tests
    _stop = stop
