"""Spreads requests evenly over time, first come, first served. Must not know what is asked."""

from kirin_batch.clock import Clock

__all__ = ["Pace"]


class Pace:
    """A gate that lets at most so many through a second, never two at once; None lets everyone through.

    A turn is taken before the wait, without an `await` between: the order is that of the calls, and no turn is given
    twice. One who is cancelled while waiting leaves its turn empty.
    """

    def __init__(self, requests_per_second: float | None, *, clock: Clock) -> None:
        self._interval_seconds = 1 / requests_per_second if requests_per_second else 0.0
        self._clock = clock
        self._next = clock.monotonic()

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = self._clock.monotonic()
        mine = max(now, self._next)
        self._next = mine + self._interval_seconds
        if mine > now:
            await self._clock.sleep(mine - now)
