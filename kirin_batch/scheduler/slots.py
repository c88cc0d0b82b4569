"""The account's concurrency: slots by kind, never overdrawn, and a limit that follows what the gateway says of it.

The gateway refuses creates where others use the same account: then the limit halves, and grows by one with each task
that is taken, until it is what the user set (additive increase, multiplicative decrease). A refused kind is closed for
a while too, so that the refusal is not asked for again by every job in line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kirin_batch.clock import Clock
from kirin_batch.scheduler.pacing import backoff_seconds

__all__ = ["Slots", "Turns"]

_LEAST_SECONDS = 1.0  # that the gateway asks for between a refusal and the next create


class Turns(Protocol):
    """Is told what the gateway says of slots when a task is to be created; see `Slots`, which acts on it."""

    def round(self, kind: str) -> int:
        """A mark of the limit as it is now, to be kept while a create is under way."""
        ...

    def accept(self, kind: str) -> None:
        """The gateway took a task."""

    def refuse(self, kind: str, *, since: int, jitter: float, retry_after: float | None = None) -> None:
        """The gateway has no slot left for a create that began in the round `since`."""


@dataclass(slots=True)
class _Kind:
    most: int
    limit: int
    in_use: int = 0
    left: int = 0  # of those in use, by tasks that nobody watches any more
    rounds: int = 0  # how often the limit shrank
    refusals: int = 0  # in a row
    asked_for: float = 0.0  # the moment before which the gateway wants no create
    opens_at: float = 0.0


class Slots:
    """Slots in use and free, by kind (`image`, `video`)."""

    def __init__(self, limits: Mapping[str, int], clock: Clock, *, total: int | None = None) -> None:
        """`limits`: the most slots of each kind that may be in use at once; `total`: of all kinds together."""
        self._kinds = {kind: _Kind(most=limit, limit=limit) for kind, limit in limits.items()}
        self._clock = clock
        self._total = total
        self._in_use = 0
        self._left = 0

    def fits(self, kind: str, slots: int) -> bool:
        """Whether `slots` of the kind are free now. With nothing at work the limit as the user set it counts: else a
        large job could never start after the limit shrank.
        """
        state = self._kinds[kind]
        return state.in_use + slots <= (state.limit if self.is_at_work(kind) else state.most)

    def most(self, kind: str) -> int:
        """How many slots of the kind the user allows."""
        most = self._kinds[kind].most
        return most if self._total is None else min(most, self._total)

    def is_at_work(self, kind: str) -> bool:
        """Whether any slot of the kind is in use and will be free again."""
        state = self._kinds[kind]
        return state.in_use > state.left

    def out_of_reach(self, kind: str) -> range:
        """The sizes of jobs that no end of another makes room for, because of the slots that are left."""
        most = self._kinds[kind].most
        room = most - self._kinds[kind].left
        if self._total is not None and self._left:
            room = min(room, self._total - self._left)
        return range(max(0, room) + 1, most + 1)

    def fits_total(self, slots: int) -> bool:
        """Whether the cap over all kinds leaves room; a job that is larger than the cap runs alone."""
        return self._total is None or not self._in_use or self._in_use + slots <= self._total

    def spare(self, kind: str, slots: int) -> int:
        """How many slots of the kind a job of `slots` leaves to others while it runs."""
        return self._kinds[kind].limit - self._kinds[kind].left - slots

    def take(self, kind: str, slots: int) -> None:
        """Count `slots` as in use; a task in flight from an earlier run holds its slots whether they fit or not."""
        self._kinds[kind].in_use += slots
        self._in_use += slots

    def give_back(self, kind: str, slots: int) -> None:
        """Count `slots` as free again."""
        state = self._kinds[kind]
        state.in_use -= slots
        self._in_use -= slots

    def leave(self, kind: str, slots: int) -> None:
        """The task that holds `slots` is left in flight: the gateway counts them, and nobody will see it end."""
        self._kinds[kind].left += slots
        self._left += slots

    def end(self, kind: str, slots: int) -> None:
        """The task that held `slots` has ended: the account surely has room now, so that a closed kind may open."""
        self.give_back(kind, slots)
        state = self._kinds[kind]
        state.opens_at = min(state.opens_at, state.asked_for)

    def round(self, kind: str) -> int:
        """A mark of the limit as it is now, to be kept while a create is under way."""
        return self._kinds[kind].rounds

    def refuse(self, kind: str, *, since: int, jitter: float, retry_after: float | None = None) -> None:
        """The gateway has no slot left for a create that began in the round `since`: use half as many, in a while.

        One refusal a round halves the limit: those that come to creates sent before it shrank tell nothing new.
        """
        state, now = self._kinds[kind], self._clock.monotonic()
        if since == state.rounds:
            state.limit = max(1, min(state.limit, state.in_use) // 2)
            state.rounds += 1
            state.refusals += 1
        state.asked_for = max(state.asked_for, now + max(retry_after or 0.0, _LEAST_SECONDS))
        state.opens_at = max(state.asked_for, now + backoff_seconds(state.refusals, jitter=jitter))

    def accept(self, kind: str) -> None:
        """The gateway took a task: use one slot more, up to what the user set."""
        state = self._kinds[kind]
        state.limit = min(state.most, state.limit + 1)
        state.refusals = 0

    def opens_at(self, kind: str) -> float:
        """The moment, on the clock, before which no create of the kind should be sent; past where it is open."""
        return self._kinds[kind].opens_at

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Slots in use and allowed at the moment, by kind."""
        return {kind: (state.in_use, state.limit) for kind, state in self._kinds.items()}
