"""What the scheduler tells those who watch a run. They draw; they decide nothing."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from kirin_batch.jobs import Job

__all__ = ["Observer", "Silent", "Stage"]


class Stage(StrEnum):
    """Where a job stands within a run."""

    CREATING = "creating"
    RUNNING = "running"
    WAITING = "waiting for the gateway"
    DOWNLOADING = "downloading"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"
    UNKNOWN = "unknown"
    LEFT = "left in flight"


class Observer(Protocol):
    """Told of every step; called on the event loop, so it returns at once."""

    def began(self, jobs: int, *, working: int) -> None:
        """A run of `jobs` begins, of which `working` have something to do."""

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """A job came to `stage`; `detail` is a short word for people, or empty."""

    def measured(self, slots: Mapping[str, tuple[int, int]], spent: Decimal) -> None:
        """Slots in use and allowed by kind, and the USD spent so far in this run."""


class Silent:
    """Watches nothing."""

    def began(self, jobs: int, *, working: int) -> None:
        """See Observer."""

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""

    def measured(self, slots: Mapping[str, tuple[int, int]], spent: Decimal) -> None:
        """See Observer."""
