"""Requests are spread evenly, in the order of the calls; and the system's clock tells the time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from fake_clock import FakeClock

from kirin_batch.clock import SystemClock, timestamp
from kirin_batch.gateway.pace import Pace

INTERVAL_SECONDS = 0.02
"""Of real time: the limiter goes by that of the event loop."""


def left_at(requests: int, *, before: Callable[[Pace], Awaitable[None]] | None = None) -> list[tuple[int, float]]:
    """Which request left when, of so many that came together."""
    left: list[tuple[int, float]] = []

    async def leave(pace: Pace, number: int) -> None:
        await pace.turn()
        left.append((number, time.monotonic()))

    async def scenario() -> None:
        pace = Pace(1 / INTERVAL_SECONDS, clock=SystemClock())
        if before:
            await before(pace)
        async with asyncio.TaskGroup() as group:
            for number in range(requests):
                group.create_task(leave(pace, number))

    asyncio.run(scenario())
    return left


def spread_evenly(left: list[tuple[int, float]]) -> bool:
    """Whether those that came together left in order, and never two at once."""
    gaps = [after - before for (_, before), (_, after) in pairwise(left)]
    return [number for number, _ in left] == list(range(len(left))) and min(gaps) > 0.8 * INTERVAL_SECONDS


def test_turns_are_evenly_spread_and_in_order() -> None:
    assert spread_evenly(left_at(5))


def test_after_a_pause_no_turns_are_saved_up() -> None:
    async def pause(pace: Pace) -> None:
        await pace.turn()
        await asyncio.sleep(4 * INTERVAL_SECONDS)

    assert spread_evenly(left_at(4, before=pause))


def test_nobody_leaves_in_a_hold_and_afterwards_they_are_spread_as_ever() -> None:
    begin = time.monotonic()

    async def hold(pace: Pace) -> None:
        pace.hold(0.1)
        pace.hold(0.01)  # the longer one counts

    left = left_at(4, before=hold)
    assert left[0][1] - begin > 0.099
    assert spread_evenly(left)


def test_a_hold_stops_those_that_wait_for_their_turn_already() -> None:
    moments: list[float] = []

    async def hold_soon(pace: Pace) -> None:
        await pace.turn()
        moments.append(time.monotonic() + 0.1)
        asyncio.get_running_loop().call_later(INTERVAL_SECONDS / 2, pace.hold, 0.1)

    left = left_at(4, before=hold_soon)
    assert left[0][1] > moments[0]
    assert spread_evenly(left)


def test_one_who_gives_up_waiting_holds_nobody_up() -> None:
    async def scenario() -> list[float]:
        clock = FakeClock()
        pace = Pace(None, clock=clock)
        pace.hold(60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pace.turn(), 0)
        await pace.turn()
        return [clock.seconds]

    assert asyncio.run(scenario()) == [60]


@pytest.mark.parametrize("requests_per_second", [None, 0.0])
def test_without_a_limit_nobody_waits(requests_per_second: float | None) -> None:
    async def scenario() -> list[float]:
        clock = FakeClock()
        pace = Pace(requests_per_second, clock=clock)
        for _ in range(5):
            await pace.turn()
        return clock.slept

    assert asyncio.run(scenario()) == []


def test_the_system_clock_measures_dates_and_sleeps() -> None:
    clock = SystemClock()
    begin = clock.monotonic()
    asyncio.run(clock.sleep(0.001))
    assert clock.monotonic() - begin >= 0.001
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5


def test_a_timestamp_is_utc_to_the_second() -> None:
    assert timestamp(FakeClock()) == "1970-01-01T00:00:00Z"
