"""Time as a parameter: everything that waits or measures takes a clock, so that an hour takes no time in a test.

Knows nothing of the rest of the package.
"""

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

__all__ = ["Clock", "SystemClock", "age_of", "timestamp"]


class Clock(Protocol):
    """What waits, measures and dates; seconds are floats."""

    def monotonic(self) -> float:
        """Give the seconds since some fixed moment; they never go back."""
        ...

    def now(self) -> datetime:
        """Give the date and time in UTC, for people and for other machines; it may go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait at least this long; nothing or less only lets others go first."""
        ...


class SystemClock:
    """The clock of this machine and its event loop."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def timestamp(clock: Clock) -> str:
    """Write the present moment as RFC 3339 in UTC, to the second: `2026-01-02T03:04:05Z`."""
    return _written(clock.now().replace(microsecond=0))


@lru_cache(maxsize=8)
def _written(second: datetime) -> str:
    """Many records are of one second: they share its text."""
    return second.strftime("%Y-%m-%dT%H:%M:%SZ")


def age_of(created_at: str, clock: Clock) -> float:
    """Seconds since an RFC 3339 date; 0.0 for one that lies ahead, or is none."""
    try:
        return max(0.0, (clock.now() - datetime.fromisoformat(created_at)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
