"""Whatever the jobs, the answers and the moments at which the run is killed: nothing is paid twice, nothing is lost."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from job_samples import film, picture, plan_for
from scripted_gateway import Lost, Script, World, done

from kirin_batch.gateway.answers import Answer, Broken, Busy, Done, Failed, Unknown
from kirin_batch.jobs import Job
from kirin_batch.records import Record, Status
from kirin_batch.scheduler.scheduler import Limits

LIMITS = Limits(slots={"image": 9, "video": 2})
NOISE: tuple[Answer, ...] = (
    Busy(None, "1302", "fast"),
    Busy(2.0, "1303", "full", parallel=True),
    Broken("-"),
    Unknown("-"),
)
CREATES = st.lists(st.none() | st.sampled_from([*NOISE, Lost(), Lost(Busy(None, "", "?"))][:5]), max_size=12)
QUERIES = st.lists(st.none() | st.sampled_from(NOISE), max_size=12)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Job, ...]:
    """Up to seven jobs, each of which needs some of those before it."""
    jobs: list[Job] = []
    for number in range(draw(st.integers(1, 7))):
        needs = tuple(sorted({job.id for job in jobs if draw(st.booleans())}))[:2]
        name = f"s:{number}"
        jobs.append(film(name, needs=needs) if draw(st.booleans()) else picture(name, needs=needs, slots=draw(SLOTS)))
    return tuple(jobs)


SLOTS = st.sampled_from([1, 1, 4, 9])


def fates(jobs: tuple[Job, ...], failing: set[int], transient: set[int]) -> Callable[[str], Done | Failed]:
    final = {job.external_task_id: Failed("", "1301", "policy") for number, job in enumerate(jobs) if number in failing}
    once = {
        job.external_task_id: Failed("", "006001094", "-") for number, job in enumerate(jobs) if number in transient
    }
    ends: Mapping[str, Failed] = once | final
    return lambda id_: ends.get(id_, done())


async def run(world: World, jobs: tuple[Job, ...], kill_at: int | None) -> None:
    """One run, killed as soon as so many acts were done."""
    plan = plan_for(jobs, *world.memory.records.values())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.scheduler(LIMITS).run({job.id: job for job in jobs}, plan))
        while kill_at is not None and not running.done() and len(world.acts) < kill_at:  # noqa: ASYNC110 - looks after each step
            await asyncio.sleep(0)
        if kill_at is not None:
            running.cancel()


class Shared(Mapping[str, int]):
    """Slots of an account that others use too: so many are left from one span of seconds to the next, and then all."""

    def __init__(self, world: World, left: list[int]) -> None:
        self._clock, self._left = world.clock, left

    def __getitem__(self, kind: str) -> int:
        span = int(self._clock.seconds // SPAN_SECONDS)
        return min(LIMITS.slots[kind], self._left[span]) if span < len(self._left) else LIMITS.slots[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(LIMITS.slots)

    def __len__(self) -> int:
        return len(LIMITS.slots)


SPAN_SECONDS = 7.0


def all_tasks(records: Mapping[str, Record]) -> set[str]:
    return {task.external_task_id for record in records.values() for task in (record, *record.earlier)}


@settings(max_examples=60, deadline=None)
@given(
    graphs(), CREATES, QUERIES, st.lists(st.integers(1, 60), max_size=2), st.sets(st.integers(0, 6), max_size=1),
    st.sets(st.integers(0, 6), max_size=2),
)  # fmt: skip
def test_killed_and_run_again_every_job_gets_one_task_an_attempt_and_all_that_can_complete_do(
    jobs: tuple[Job, ...],
    creates: list[Answer | Lost | None],
    queries: list[Answer | None],
    kills: list[int],
    failing: set[int],
    transient: set[int],
) -> None:
    world = World()
    world.gateway.on_create, world.gateway.on_query = Script(*creates), Script(*queries)
    world.gateway.on_end = fates(jobs, failing, transient)
    for kill_at in (*kills, None, None):
        asyncio.run(run(world, jobs, kill_at))
        assert all(world.gateway.most_in_use.get(kind, 0) <= limit for kind, limit in LIMITS.slots.items())
        assert world.gateway.twice == []
        assert set(world.gateway.tasks) <= all_tasks(world.memory.records)
        world = world.later()
    lost: set[str] = set()
    for number, job in enumerate(jobs):
        if number in failing or lost & set(job.needs):
            lost.add(job.id)
        else:
            assert world.memory.records[job.id].status is Status.COMPLETED
    assert plan_for(jobs, *world.memory.records.values()).has_work is False


@settings(max_examples=80, deadline=None)
@given(
    graphs(), CREATES, st.lists(st.integers(0, 9), max_size=20), st.none() | st.integers(1, 12),
    st.none() | st.sampled_from(["0", "0.03", "0.06", "0.1"]), st.sets(st.integers(0, 6), max_size=2),
)  # fmt: skip
def test_a_run_ends_and_leaves_nothing_that_could_still_start(
    jobs: tuple[Job, ...],
    creates: list[Answer | Lost | None],
    others_leave: list[int],
    total: int | None,
    max_cost: str | None,
    transient: set[int],
) -> None:
    limits = replace(LIMITS, total=total, max_cost=None if max_cost is None else Decimal(max_cost))
    world = World()
    world.gateway.on_create, world.gateway.on_end = Script(*creates), fates(jobs, set(), transient)
    world.gateway.limits = Shared(world, others_leave)
    outcomes = world.run(jobs, plan_for(jobs, prices={"pictures": "0.028", "films": "0.028"}), limits)
    for job in jobs:
        if job.id in outcomes:
            continue
        assert any(need not in outcomes or outcomes[need].status is not Status.COMPLETED for need in job.needs)
    costs = len(world.gateway.tasks) * Decimal("0.028")
    assert limits.max_cost is None or costs <= limits.max_cost + len(transient) * Decimal("0.028")
    assert all(world.gateway.most_in_use.get(kind, 0) <= most for kind, most in LIMITS.slots.items())
    assert world.gateway.most_in_all <= max([total or 99, *(job.slots for job in jobs)])
    assert world.gateway.twice == []
