"""Patience: what is busy or out of reach is waited out, and only answers that tell come through."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from job_samples import picture
from scripted_gateway import Script, World, done

from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.gateway.answers import (
    Answer,
    Broken,
    Busy,
    Denied,
    Failed,
    Missing,
    Refused,
    Running,
    Unknown,
)
from kirin_batch.scheduler.observer import Stage
from kirin_batch.scheduler.patience import PATIENCE, Patience

JOB = picture("s:a")
BUSY, PARALLEL = Busy(None, "1302", "too fast"), Busy(7.0, "1303", "no slot left", parallel=True)
REFUSED = Refused("1301", "content policy")


def ask(world: World, call: Callable[[Patience], Awaitable[Answer]]) -> Answer:
    async def scenario() -> Answer:
        return await call(Patience(world.gateway, world.clock, world.watcher, world.slots))

    return asyncio.run(scenario())


def find(*answers: Answer) -> tuple[World, Answer]:
    world = World()
    world.gateway.on_query = Script(*answers)
    return world, ask(world, lambda patience: patience.find(JOB, "kb-1"))


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([Running("t")], Running("t")),
        ([done("t")], done("t")),
        ([Failed("t", "1", "no")], Failed("t", "1", "no")),
        ([Missing()], Missing()),
        ([REFUSED, Running("t")], Running("t")),
        ([REFUSED] * PATIENCE, Unknown(f"{REFUSED.message} ({REFUSED.code})")),
        ([BUSY, Broken("no route"), Unknown("502"), Running("t")], Running("t")),
        ([Unknown("502")] * PATIENCE, Unknown("502")),
        ([BUSY] * 50 + [Missing()], Missing()),
    ],
)
def test_a_query_ends_with_an_answer_that_tells(answers: list[Answer], found: Answer) -> None:
    world, answer = find(*answers)
    assert answer == found
    assert len(world.acts) == len(answers)


def test_an_external_id_that_is_refused_is_missing_at_once() -> None:
    world = World()
    world.gateway.on_query = Script(REFUSED)
    assert ask(world, lambda patience: patience.look_up(JOB, "kb-1")) == Missing()
    assert world.acts == ["query kb-1"]


def test_waiting_begins_at_a_second_backs_off_and_honours_what_the_gateway_asks_for() -> None:
    world, _ = find(BUSY, PARALLEL, BUSY, Missing())
    first, second, third = world.clock.slept
    assert 1.0 <= first <= 1.5
    assert second == 7.0
    assert 4.0 <= third <= 6.0
    assert [detail for _, stage, detail in world.watcher.stages if stage is Stage.WAITING] == [
        "too fast",
        "no slot left",
        "too fast",
    ]


def test_a_long_wait_that_the_gateway_asks_for_is_told() -> None:
    world, _ = find(Busy(3600.0, "1302", "too fast"), Missing())
    world.gateway.on_create = Script(Busy(3600.0, "1303", "no slot", parallel=True))
    ask(world, lambda patience: patience.create(JOB, {"external_task_id": "kb-1"}))
    assert [detail for *_, detail in world.watcher.stages] == ["too fast; again in 60 min", "no slot; again in 60 min"]


def test_only_creates_that_are_refused_make_the_limit_shrink() -> None:
    world, _ = find(BUSY, PARALLEL, Missing())
    assert world.slots.snapshot()["image"] == (0, 10)
    for answer in (BUSY, PARALLEL):
        world = World()
        world.slots.take("image", 8)
        world.gateway.on_create = Script(answer)
        assert ask(world, lambda patience: patience.create(JOB, {"external_task_id": "kb-1"})) == answer
        assert world.slots.snapshot()["image"] == (8, 4)


@pytest.mark.parametrize(
    ("answers", "error", "told"),
    [
        ([Denied(401, "", "the key is wrong")], GatewayRefusedError, "the key is wrong"),
        ([BUSY, Denied(402, "1101", "no balance")], GatewayRefusedError, "no balance"),
        ([Broken("no route")] * PATIENCE, GatewayUnreachableError, "the gateway cannot be reached: no route"),
    ],
)
def test_what_concerns_every_job_is_an_error(answers: list[Answer], error: type[KirinError], told: str) -> None:
    with pytest.raises(error, match=told):
        find(*answers)


@pytest.mark.parametrize("answer", [Running("t"), done("t"), Missing(), REFUSED, Unknown("504"), BUSY, PARALLEL])
def test_a_create_is_repeated_only_where_none_was_made(answer: Answer) -> None:
    world = World()
    world.gateway.on_create = Script(Broken("no route"), Broken("no route"), answer, Running("never asked"))
    params: dict[str, object] = {"external_task_id": "kb-1"}
    assert ask(world, lambda patience: patience.create(JOB, params)) == answer
    assert world.created == ["kb-1"] * 3


def test_a_task_that_appears_late_is_found() -> None:
    world = World()
    world.gateway.on_query = Script(Missing(), Missing(), Running("t"))
    assert ask(world, lambda patience: patience.settle(JOB, "kb-1", (1.0, 2.0, 4.0))) == Running("t")
    assert world.clock.slept == [1.0, 2.0, 4.0]
    assert ask(World(), lambda patience: patience.settle(JOB, "kb-1", (1.0,))) == Missing()
