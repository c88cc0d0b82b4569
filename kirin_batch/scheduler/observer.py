"""What the scheduler tells those who watch a run. They draw; they decide nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from kirin_batch.jobs import Job

__all__ = ["KindMeasures", "Measures", "Observer", "Silent", "Stage"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class KindMeasures:
    """Jobs of one kind that this run has to do with, each counted once, and the slots in use and allowed for it.

    `waiting`: not begun, what the budget does not allow included; `in_flight`: begun and not ended, or left so;
    `failed`: ended without results, for whatever reason.
    """

    waiting: int
    in_flight: int
    completed: int
    failed: int
    slots_in_use: int
    slot_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Where a run stands. `spent` and `reserved` are USD of this run; `seconds_left` is what may still pass.

    None where nothing is left to wait for.
    """

    kinds: Mapping[str, KindMeasures]
    spent: Decimal
    reserved: Decimal
    seconds_left: float | None


class Observer(Protocol):
    """Told of every step; called on the event loop, so it returns at once."""

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """A run of `jobs` begins, of which `working` have something to do; `measure` tells where it stands, any time.

        It may be asked several times a second.
        """

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """A job came to `stage`; `detail` is a short word for people, or empty."""


class Silent:
    """Watches nothing."""

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer."""

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
