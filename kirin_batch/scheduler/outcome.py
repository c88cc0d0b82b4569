"""How a job ended within this run, as a value; a failed job is data, not an exception."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from kirin_batch.gateway.answers import Result
from kirin_batch.jobs import Job
from kirin_batch.records import Output, Record, Status, TaskError

__all__ = ["Collector", "Missed", "Outcome", "Recorder"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is the job's at the end of the run; `error` says why it is not completed, or what of it is missing.

    `cost`: USD that its task cost, where the gateway said so. `is_adopted`: the task was there before this checkout
    knew of it.
    """

    status: Status
    error: TaskError | None = None
    cost: Decimal | None = None
    is_adopted: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether jobs that refer to this one can go on."""
        return self.status is Status.COMPLETED and self.error is None


@dataclass(frozen=True, slots=True)
class Missed:
    """Results that could not be brought here.

    `is_gone` where the same address will not bring them either: deleted, or no image or film at all.
    """

    reason: str
    is_gone: bool = False


class Collector(Protocol):
    """Brings results to where they belong."""

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...] | Missed:
        """All results of a task as complete files, or why not; partial work may stay, to be gone on with later."""


class Recorder(Protocol):
    """Keeps records; what it returned from is on disk."""

    async def record(self, record: Record) -> None:
        """Keep `record` as its job's."""

    async def forget(self, job: str) -> None:
        """Drop the job's record."""
