"""Requests are spread evenly, in the order of the calls; and the system's clock tells the time."""

import asyncio
from datetime import UTC, datetime

import pytest
from fake_clock import FakeClock

from kirin_batch.clock import SystemClock, timestamp
from kirin_batch.gateway.pace import Pace


def test_turns_are_evenly_spread_and_in_order() -> None:
    clock, order = FakeClock(), []

    async def scenario() -> None:
        pace = Pace(2.0, clock=clock)

        async def take(number: int) -> None:
            await pace.turn()
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(take(number))

    asyncio.run(scenario())
    assert order == [0, 1, 2, 3]
    assert len(clock.slept) == 3


def test_after_a_pause_no_turns_are_saved_up() -> None:
    async def scenario() -> list[float]:
        clock = FakeClock()
        pace = Pace(2.0, clock=clock)
        await pace.turn()
        clock.seconds += 60
        await pace.turn()
        await pace.turn()
        return clock.slept

    assert asyncio.run(scenario()) == [0.5]


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
