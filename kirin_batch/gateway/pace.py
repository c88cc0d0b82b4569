"""Spreads requests evenly over time, first come, first served, and holds them all back. Must not know what is asked."""

import asyncio

from aiolimiter import AsyncLimiter

from kirin_batch.clock import Clock

__all__ = ["Pace"]


class Pace:
    """A gate that lets at most so many through a second, never two at once, and nobody in a hold; None: no limit.

    One after the other waits at the gate itself, the others behind, in the order of their calls: after a hold they are
    as spread as ever. The limiter goes by the event loop's time, a hold by the clock's.
    """

    def __init__(self, requests_per_second: float | None, *, clock: Clock) -> None:
        self._limiter = AsyncLimiter(1, 1 / requests_per_second) if requests_per_second else None
        self._clock = clock
        self._held_until = clock.monotonic()
        self._gate = asyncio.Lock()

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long from now, or for as long as an earlier hold says."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    async def turn(self) -> None:
        """Wait for one's turn."""
        if self._limiter is None and self._held_until <= self._clock.monotonic():
            return
        async with self._gate:
            while True:
                while (seconds := self._held_until - self._clock.monotonic()) > 0:
                    await self._clock.sleep(seconds)
                if self._limiter is not None:
                    await self._limiter.acquire()
                if self._held_until <= self._clock.monotonic():
                    return  # else a hold began meanwhile: a turn from before it would go beside the first one after it
