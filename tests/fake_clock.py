"""A clock whose time passes only when everybody waits for it: concurrent sleepers wake in order, in no real time."""

import asyncio
import heapq
from datetime import UTC, datetime

__all__ = ["FakeClock"]

_QUIET_ROUNDS = 12  # of the event loop without a new sleeper: then nobody has anything to do but to wait


class FakeClock:
    """Stands still but for what is slept, and remembers it (`slept`, in the order of the calls).

    Threads are out of its sight: while one works, time may pass.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._ticking = False

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, len(self.slept), woken))
        if not self._ticking:
            self._ticking = True
            loop.call_soon(self._tick, len(self.slept), _QUIET_ROUNDS)
        await woken

    def _tick(self, seen: int, rounds: int) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # cancelled
        if not self._sleepers:
            self._ticking = False
            return
        if len(self.slept) > seen:
            rounds = _QUIET_ROUNDS
        if not rounds:
            self._wake_next()
            rounds = _QUIET_ROUNDS
        asyncio.get_running_loop().call_soon(self._tick, len(self.slept), rounds - 1)

    def _wake_next(self) -> None:
        self.seconds = max(self.seconds, self._sleepers[0][0])
        while self._sleepers and self._sleepers[0][0] <= self.seconds:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
