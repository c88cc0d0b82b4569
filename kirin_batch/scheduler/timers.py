"""What waits for its time: one heap for all of it, and one sleeper, so that a task that waits costs a few bytes."""

import asyncio
import heapq
import math
from collections.abc import Callable, Iterator
from itertools import count

from kirin_batch.clock import Clock

__all__ = ["Alarm", "Timers"]


class Timers:
    """Ids of jobs by the moments at which they are due, on the clock; of one moment, first come, first served."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> float:
        """The earliest moment that anything waits for; infinite where nothing does."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, job: str, *, due: float) -> None:
        """Let the job wait until `due`."""
        heapq.heappush(self._heap, (due, next(self._arrivals), job))

    def pop_due(self, now: float) -> Iterator[str]:
        """Take out what is due, in its order."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]


class Alarm:
    """One sleeper: calls `ring` at the earliest moment that it was set to since it last rang."""

    def __init__(self, clock: Clock, group: asyncio.TaskGroup, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._group = group
        self._ring = ring
        self._at = math.inf
        self._sleeper: asyncio.Task[None] | None = None

    def set(self, at: float) -> None:
        """Ring at `at`, if not before; an infinite moment is none."""
        if at < self._at:
            self.cancel()
            self._at = at
            self._sleeper = self._group.create_task(self._sleep())

    async def _sleep(self) -> None:
        await self._clock.sleep(self._at - self._clock.monotonic())
        self._at = math.inf
        self._ring()

    def cancel(self) -> None:
        """Do not ring."""
        if self._sleeper:
            self._sleeper.cancel()
        self._at = math.inf
