"""A request passes its moments in order, each with just that done which it tells."""

import asyncio

from gateway_wire import Wire, answer, serve, settings_for

from kirin_batch.fault_points import FaultPoint, arm
from kirin_batch.gateway.client import HttpGateway


async def note_moments(wire: Wire) -> list[tuple[FaultPoint, int]]:
    """The moments that a query passes, each with the number of requests that the server got by then."""
    seen: list[tuple[FaultPoint, int]] = []
    arm(lambda point: seen.append((point, len(wire.requests))))
    try:
        async with HttpGateway(settings_for(wire)) as gateway:
            await gateway.query("task")
    finally:
        arm(None)
    return seen


def test_a_request_is_about_to_leave_then_answered_then_read() -> None:
    async def scenario() -> list[tuple[FaultPoint, int]]:
        async with serve(answer(404)) as wire:
            return await note_moments(wire)

    assert asyncio.run(scenario()) == [
        (FaultPoint.REQUEST_READY, 0),
        (FaultPoint.ANSWER_BEGUN, 1),
        (FaultPoint.ANSWER_READ, 1),
    ]


def test_an_answer_that_breaks_off_was_begun_and_never_read() -> None:
    async def scenario() -> list[tuple[FaultPoint, int]]:
        async with serve(answer(200, b"{", Content_Length="9")) as wire:
            return await note_moments(wire)

    assert asyncio.run(scenario()) == [(FaultPoint.REQUEST_READY, 0), (FaultPoint.ANSWER_BEGUN, 1)]
