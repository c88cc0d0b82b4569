"""What the gateway had no slot for is left as it was when a run ends."""

import asyncio

import pytest
from job_samples import picture, plan_for, record_of
from scripted_gateway import Script, World

from kirin_batch.errors import GatewayRefusedError
from kirin_batch.gateway.answers import Busy, Denied
from kirin_batch.plan import PlanOptions
from kirin_batch.records import Status

A, B = picture("s:a"), picture("s:b")
NO_SLOT = Busy(None, "1303", "no slot", parallel=True)


def test_a_refusal_of_the_account_leaves_a_job_in_line_as_it_was() -> None:
    failed = record_of(A, Status.FAILED)
    world = World([failed])
    world.gateway.on_create = Script(NO_SLOT, Denied(401, "", "no"))
    with pytest.raises(GatewayRefusedError):
        world.run([A, B], plan_for([A, B], failed, options=PlanOptions(retry_failed=True)))
    assert world.memory.records == {A.id: failed}


def test_a_stop_leaves_a_job_in_line_as_it_was() -> None:
    world = World()
    world.gateway.on_create = lambda _id: NO_SLOT
    scheduler = world.scheduler()

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(scheduler.run({A.id: A, B.id: B}, plan_for([A, B])))
            while len(world.created) < 6:  # noqa: ASYNC110 - looks after each step
                await asyncio.sleep(0)
            scheduler.stop()

    asyncio.run(run())
    assert world.memory.records == {}
