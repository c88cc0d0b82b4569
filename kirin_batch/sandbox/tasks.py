"""A task of the sandbox: a frozen record whose state is a function of the time, so nothing runs in the background."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kirin_batch.sandbox.draws import draw
from kirin_batch.sandbox.models import Model, kind_of, median_seconds_of
from kirin_batch.sandbox.prices import Price

__all__ = ["Status", "Task", "latency_of", "user_of"]

Status: TypeAlias = Literal["submitted", "in_progress", "completed", "failed"]
"""The states that this gateway tells; the real one has more names for a task that still runs."""

SUBMITTED_SHARE = 0.08
SILENT_SHARE = 0.25
SPREAD = 0.35


@dataclass(frozen=True, slots=True)
class Task:
    """One task in the books. Times are the clock's seconds, the cost is in USD and due only if the task completes.

    `params` is what was asked for, where a long string (Base64) is replaced by its length and hash. `user` is
    `user_of(KEY)`. `failure` is the error code with which the task will end, None if it will complete. `results` are
    the URLs, none for a subject, which has an `element_id`.
    """

    id: str
    user: str
    model: Model
    params: Mapping[str, object]
    external_id: str | None
    seed: str
    slots: int
    price: Price
    created_at: float
    finished_at: float
    failure: str | None
    results: tuple[str, ...]
    element_id: int | None

    @property
    def kind(self) -> str:
        """`image` or `video`: whose slots it holds."""
        return kind_of(self.model)

    def status(self, now: float) -> Status:
        """What a query at `now` is told."""
        if now >= self.finished_at:
            return "failed" if self.failure else "completed"
        return "submitted" if self._share(now) < SUBMITTED_SHARE else "in_progress"

    def progress(self, now: float) -> float | None:
        """From 0 to 1 while the task is in progress, with two digits; some tasks never tell."""
        if self.status(now) != "in_progress" or draw(self.seed, "progress").random() < SILENT_SHARE:
            return None
        return round(self._share(now), 2)

    def _share(self, now: float) -> float:
        return (now - self.created_at) / (self.finished_at - self.created_at)


def latency_of(model: Model, seed: str, *, speed: float) -> float:
    """Seconds from create to end: log-normal around the model's median, divided by `speed`."""
    return median_seconds_of(model) * math.exp(draw(seed, "latency").gauss(0, SPREAD)) / speed


def user_of(key: str) -> str:
    """The user whose key this is, as the books name them: keys themselves are never kept."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:12]
