"""What a driver has of a project that the lives of jobs share, wherever they are lived."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.jobs import Job
from kirin_batch.outputs.replaced import IsRecorded
from kirin_batch.records import Output, Record
from kirin_batch.scheduler.outcome import Recorder
from kirin_batch.scheduler.surroundings import Inspect, TellParams

__all__ = ["Knowledge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """`records` are those of all jobs as they stand now; `recorded_before` gives the results that a job's task has.

    `is_recorded` tells whether a path was ever recorded to hold a content, `may_read` whether the project may read one.
    """

    root: Path
    records: Mapping[str, Record]
    recorder: Recorder
    tell_params: TellParams
    inspect: Inspect
    is_recorded: IsRecorded
    recorded_before: Callable[[Job], tuple[Output, ...]]
    may_read: Callable[[str], bool]
