"""Which job starts when: slots, needs and budget; and how a run ends, by itself, by a stop, by an error."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from job_samples import film, picture, plan_for, record_of, result
from scripted_gateway import Script, ScriptedGateway, World, done

from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.gateway.answers import Answer, Broken, Busy, Denied, Done, Failed, Refused, Running
from kirin_batch.jobs import Job
from kirin_batch.plan import PlanOptions
from kirin_batch.records import Status, TaskError
from kirin_batch.scheduler.observer import Silent, Stage
from kirin_batch.scheduler.outcome import Missed
from kirin_batch.scheduler.patience import PATIENCE
from kirin_batch.scheduler.scheduler import Limits

A, B, C = picture("s:a"), picture("s:b"), picture("s:c")


def slots(image: int = 10, video: int = 5, *, max_cost: str | None = None, fail_fast: bool = False) -> Limits:
    cost = None if max_cost is None else Decimal(max_cost)
    return Limits(slots={"image": image, "video": video}, max_cost=cost, fail_fast=fail_fast)


def statuses(
    world: World, *jobs: Job, limits: Limits | None = None, prices: Mapping[str, str] | None = None
) -> list[str]:
    """Run the jobs; `id status` of all that had an outcome, in the order in which they ended."""
    plan = plan_for(jobs, *world.memory.records.values(), prices=prices)
    outcomes = world.run(jobs, plan, limits)
    assert world.watcher.slots[-1].keys() == {"image", "video"}
    in_flight = [job for job in jobs if job.id in outcomes and outcomes[job.id].status is Status.IN_FLIGHT]
    for kind, (in_use, _) in world.watcher.slots[-1].items():
        assert in_use <= sum(job.slots for job in in_flight if job.kind == kind)
    return [f"{id_} {outcome.status}" for id_, outcome in outcomes.items()]


def started(world: World) -> list[str]:
    """Jobs in the order in which their creates were sent."""
    return list(dict.fromkeys(id_ for id_, stage, _ in world.watcher.stages if stage is Stage.CREATING))


def fail(*jobs: Job) -> Mapping[str, Failed]:
    return {job.external_task_id: Failed("", "1301", "policy") for job in jobs}


def test_of_a_kind_the_first_that_is_ready_starts_first_and_never_too_many() -> None:
    world, jobs = World(), [picture(f"s:{name}") for name in "dacbfe"]
    assert len(statuses(world, *jobs, film("s:z"), limits=slots(image=2, video=1))) == 7
    assert [id_ for id_ in started(world) if id_ != "s:z"] == [job.id for job in jobs]
    assert world.gateway.most_in_use == {"image": 2, "video": 1}
    assert started(world).index("s:z") <= 2  # another kind does not wait


def test_a_large_job_is_passed_by_only_in_slots_that_it_leaves_to_others() -> None:
    small = [picture(f"s:{number:02}") for number in range(20)]
    jobs = [*small[:3], picture("s:large", slots=9), *small[3:]]
    world = World()
    statuses(world, *jobs)
    order = started(world)
    assert 4 <= order.index("s:large") <= 6, "one at a time beside those that ran before it"
    assert [job for job in order if job != "s:large"] == [job.id for job in small]
    assert world.gateway.most_in_use == {"image": 10}


def test_a_large_job_that_the_account_has_no_room_for_keeps_no_small_one_waiting() -> None:
    world = World()
    world.gateway.limits = {"image": 3}  # others use the rest of the account, for good
    jobs = [picture("s:large", slots=9), *(picture(f"s:{number}") for number in range(6))]
    world.rules = replace(world.rules, timeouts={"image": 900.0, "video": 900.0})
    world.gateway.on_end = lambda _id: open_up(world)
    assert statuses(world, *jobs)[-1] == "s:large completed"
    assert len(world.gateway.tasks) == 7


def open_up(world: World) -> Done:
    """The others are gone when the last small job has begun."""
    if len(world.gateway.tasks) >= 5:
        world.gateway.limits = {}
    return done()


def test_a_job_starts_when_all_it_needs_has_ended_and_holds_no_slot_before() -> None:
    world = World()
    jobs = [A, B, film("s:f", needs=("s:a", "s:b")), picture("s:g", needs=("s:f",)), C]
    assert statuses(world, *jobs, limits=slots(image=1, video=1))[-1] == "s:g completed"
    assert started(world) == ["s:a", "s:b", "s:c", "s:f", "s:g"]


def test_the_longest_chain_goes_first_and_all_else_as_it_comes() -> None:
    world = World()
    chain = [picture("s:x"), film("s:y", needs=("s:x",)), film("s:z", needs=("s:y",))]
    jobs = [A, B, C, picture("s:short"), film("s:next", needs=("s:short",)), *chain]
    statuses(world, *jobs, limits=slots(image=1, video=1))
    order = started(world)
    assert [id_ for id_ in order if id_ not in {"s:y", "s:z", "s:next"}] == ["s:x", "s:short", "s:a", "s:b", "s:c"]
    assert [id_ for id_ in order if id_ in {"s:y", "s:z", "s:next"}] == ["s:y", "s:next", "s:z"]


def test_a_failed_job_blocks_what_needs_it_and_nothing_else() -> None:
    world = World()
    world.gateway.on_end = lambda id_: fail(A).get(id_, done())
    jobs = [A, B, picture("s:x", needs=("s:a", "s:b")), picture("s:y", needs=("s:x",)), picture("s:z", needs=("s:b",))]
    assert sorted(statuses(world, *jobs)) == [
        "s:a failed",
        "s:b completed",
        "s:x blocked",
        "s:y blocked",
        "s:z completed",
    ]
    assert len(world.created) == 3


def test_a_chain_longer_than_the_stack_is_blocked_to_its_end() -> None:
    world = World()
    world.gateway.on_create = Script(Refused("1301", "policy"))
    jobs = [A, *(picture(f"s:{number}", needs=(f"s:{number - 1}" if number else "s:a",)) for number in range(2000))]
    assert statuses(world, *jobs)[-1] == "s:1999 blocked"


def test_what_needs_a_job_that_is_left_in_flight_waits_for_the_next_run() -> None:
    world = World()
    world.rules = replace(world.rules, timeouts={"image": 5.0, "video": 5.0})
    jobs = [A, film("s:f", needs=("s:a",))]
    assert statuses(world, *jobs) == ["s:a in_flight"]
    assert statuses(world.later(), *jobs) == ["s:a completed", "s:f in_flight"]


def test_a_task_in_flight_holds_its_slot_before_anything_starts_and_waits_for_nothing() -> None:
    flying, other = film("s:f", needs=("s:a",)), film("s:e")
    world = World([replace(record_of(A), outputs=(result(None),)), record_of(flying, Status.IN_FLIGHT, task_id="t-f")])
    ends_at = 50.0

    def tell(id_: str) -> Answer | None:
        if id_ == "t-f":
            return done("t-f") if world.clock.seconds >= ends_at else Running("t-f")
        return done("task-1") if id_ == "task-1" else None

    world.gateway.on_query = tell
    world.shelf.missed = Missed("gone")
    assert statuses(world, A, other, flying, limits=slots(video=1))[0] == "s:a completed"
    assert world.gateway.tasks[other.external_task_id].ends_at >= ends_at + world.gateway.task_seconds


def test_results_that_are_owed_and_gone_block_what_needs_them() -> None:
    world = World([replace(record_of(A), outputs=(result(None),))])
    world.shelf.missed = Missed("gone")
    assert statuses(world, A, picture("s:x", needs=("s:a",))) == ["s:a completed", "s:x blocked"]


def test_the_limit_follows_what_the_gateway_says() -> None:
    world, jobs = World(), [picture(f"s:{number:02}") for number in range(12)]
    world.gateway.limits = {"image": 3}
    assert len(statuses(world, *jobs)) == 12
    assert world.gateway.most_in_use == {"image": 3}
    assert {record.attempt for record in world.memory.records.values()} == {1}
    assert min(snapshot["image"][1] for snapshot in world.watcher.slots) < 10


def test_a_limit_that_grows_again_lets_the_next_job_start_at_once() -> None:
    first, second = film("s:f"), film("s:g", needs=("s:a",))
    world = World()
    world.gateway.task_seconds = 100.0
    refusal = Script(Busy(200.0, "1303", "no slot", parallel=True))
    world.gateway.on_create = lambda id_: refusal(id_) if id_ == first.external_task_id else None
    statuses(world, first, A, second, limits=slots(video=2))
    ends = [world.gateway.tasks[job.external_task_id].ends_at for job in (first, second)]
    assert abs(ends[0] - ends[1]) < world.gateway.task_seconds


def test_a_job_over_budget_waits_for_what_is_in_flight_and_goes_when_that_was_cheaper() -> None:
    world = World()
    assert len(statuses(world, A, B, C, limits=slots(max_cost="0.11"), prices={"pictures": "0.05"})) == 3
    assert started(world) == ["s:a", "s:b", "s:c"]
    assert world.gateway.most_in_use == {"image": 2}


def test_what_the_budget_does_not_allow_is_left_and_all_else_goes_on() -> None:
    owed = picture("s:z", needs=("s:a",))
    world = World([replace(record_of(owed), outputs=(result(None),))])
    jobs = [A, B, picture("s:c", needs=("s:b",)), film("s:f"), owed]
    prices = {"pictures": "0.028", "films": "0"}
    told = statuses(world, *jobs, limits=slots(max_cost="0.03"), prices=prices)
    assert sorted(told) == ["s:a pending", "s:b completed", "s:c pending", "s:f completed", "s:z completed"]
    assert ("s:a", Stage.LEFT, "over budget") in world.watcher.stages


def test_a_task_left_in_flight_keeps_its_budget_and_nobody_waits_for_it() -> None:
    world = World()
    world.rules = replace(world.rules, timeouts={"image": 5.0, "video": 900.0})
    told = statuses(world, A, B, film("s:f"), limits=slots(max_cost="0.03"), prices={"pictures": "0.02", "films": "0"})
    assert sorted(told) == ["s:a in_flight", "s:b pending", "s:f completed"]
    assert ("s:b", Stage.LEFT, "over budget") in world.watcher.stages


def test_a_task_left_in_flight_keeps_its_slots_and_only_what_needs_them_is_left_too() -> None:
    world = World()
    world.rules = replace(world.rules, timeouts={"image": 15.0, "video": 900.0})
    large, small = picture("s:l", slots=9), [picture(f"s:{number}") for number in range(3)]
    world.gateway.on_query = lambda id_: Running("task-1") if id_ == "task-1" else None
    told = statuses(world, small[0], large, *small[1:], limits=slots(image=9))
    assert sorted(told) == ["s:0 in_flight", "s:1 completed", "s:2 completed", "s:l pending"]
    assert world.watcher.slots[-1]["image"] == (1, 9)
    assert ("s:l", Stage.LEFT, "its slots are held by tasks that were left in flight") in world.watcher.stages


def test_a_refused_job_goes_on_although_those_before_it_are_over_budget() -> None:
    world = World()
    world.gateway.on_create = Script(Busy(None, "1303", "no slot", parallel=True))
    told = statuses(world, A, B, C, limits=slots(image=1, max_cost="0.03"), prices={"pictures": "0.028"})
    assert sorted(told) == ["s:a completed", "s:b pending", "s:c pending"]


def test_a_job_that_is_tried_again_goes_on_although_those_before_it_are_over_budget() -> None:
    chain = [picture("s:z"), picture("s:y", needs=("s:z",)), picture("s:x", needs=("s:y",))]
    world = World()
    ends = {A.external_task_id: Failed("", "006001094", "-")}
    world.gateway.on_end = lambda id_: ends.get(id_, done())
    told = statuses(world, A, *chain, limits=slots(max_cost="0.06"), prices={"pictures": "0.03"})
    assert sorted(told) == ["s:a completed", "s:y pending", "s:z completed"]


def test_intents_that_came_to_nothing_do_not_go_over_the_budget() -> None:
    jobs = [A, B, C]
    world = World([record_of(job, Status.IN_FLIGHT, task_id=None) for job in jobs])
    told = statuses(world, *jobs, limits=slots(max_cost="0.03"), prices={"pictures": "0.028"})
    assert sorted(told) == ["s:a completed", "s:b in_flight", "s:c in_flight"]
    assert len(world.gateway.tasks) == 1
    assert sorted(statuses(world.later(), *jobs)) == ["s:b completed", "s:c completed"]


def test_the_run_knows_what_it_spent() -> None:
    world = World()
    scheduler = world.scheduler(slots(max_cost="1"))
    asyncio.run(scheduler.run({"s:a": A, "s:b": B}, plan_for([A, B])))
    assert scheduler.spent == Decimal("0.056")


def test_fail_fast_starts_nothing_after_a_failure() -> None:
    world = World()
    world.gateway.on_end = lambda id_: fail(A).get(id_, done())
    jobs = [A, film("s:f"), B, picture("s:g", needs=("s:f",))]
    told = statuses(world, *jobs, limits=slots(image=1, fail_fast=True))
    assert sorted(told) == ["s:a failed", "s:f completed"]


def test_fail_fast_makes_no_further_attempt_after_a_failure() -> None:
    world = World()
    ends = {A.external_task_id: Failed("", "006001094", "-"), B.external_task_id: Failed("", "1301", "policy")}
    world.gateway.on_end = lambda id_: ends.get(id_, done())
    assert statuses(world, A, B, limits=slots(fail_fast=True)) == ["s:b failed"]
    assert len(world.created) == 2


def test_a_job_without_work_is_not_touched() -> None:
    world = World([record_of(A), replace(record_of(B, Status.FAILED), error=TaskError("1301", "policy"))])
    assert statuses(world, A, B, picture("s:x", needs=("s:b",))) == []
    assert world.acts == []


class Stopper(Silent):
    """Stops the run when a job comes to a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stop: Callable[[], None] = lambda: None

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:  # noqa: ARG002 - the observer's form
        if stage is self.stage:
            self.stop()


def stop_at(world: World, stage: Stage, *jobs: Job, gateway: ScriptedGateway | None = None) -> float:
    """Run, stopped at a stage; the real seconds that it took."""
    stopper = Stopper(stage)
    world.gateway = gateway or world.gateway
    scheduler = world.scheduler(slots(image=2), observer=stopper)
    stopper.stop = scheduler.stop
    begin = time.monotonic()
    asyncio.run(scheduler.run({job.id: job for job in jobs}, plan_for(jobs)))
    return time.monotonic() - begin


def test_a_stop_starts_nothing_more_and_still_hears_the_answers_to_its_creates() -> None:
    world = World()
    world.gateway.on_end = lambda _id: fail(A)[A.external_task_id]
    assert stop_at(world, Stage.CREATING, A, B, C) < 2
    assert [record.task_id for record in world.memory.records.values()] == ["task-1", "task-2"]


def test_a_stop_leaves_a_running_task_in_flight_at_once() -> None:
    world = World()
    assert stop_at(world, Stage.RUNNING, A) < 1
    assert world.memory.records["s:a"].status is Status.IN_FLIGHT
    assert statuses(world.later(), A) == ["s:a completed"]


class DeafGateway(ScriptedGateway):
    """Takes a create and never answers."""

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        await super().create(model, params)
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return] # never done


def test_a_stop_does_not_wait_for_a_gateway_that_says_nothing() -> None:
    world = World()
    assert 0.5 < stop_at(world, Stage.CREATING, A, gateway=DeafGateway(world.clock, world.acts)) < 2
    assert world.memory.records["s:a"].task_id is None
    later = World(world.memory.records.values())
    later.gateway.tasks = world.gateway.tasks
    assert statuses(later, A) == ["s:a completed"]
    assert later.created == []


class StaggeredGateway(ScriptedGateway):
    """Answers one create after the other."""

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        self.acts.append("asked")
        await self.clock.sleep(0.1 * self.acts.count("asked"))
        return await super().create(model, params)


@pytest.mark.parametrize("turns", [0, 1, 5])
@pytest.mark.parametrize(
    ("answer", "error"), [(Denied(402, "", "no balance"), GatewayRefusedError), (Broken("-"), GatewayUnreachableError)]
)
def test_what_concerns_every_job_ends_the_run_and_leaves_no_job_worse(
    turns: int, answer: Answer, error: type[KirinError]
) -> None:
    failed = replace(record_of(B, Status.FAILED), attempt=1)
    world = World([failed])
    world.memory.turns = turns
    world.gateway = StaggeredGateway(world.clock, world.acts, on_create=Script(*[answer] * PATIENCE * 6))
    jobs = [A, B, C, film("s:f"), film("s:g"), film("s:h", needs=("s:g",))]
    plan = plan_for(jobs, failed, options=PlanOptions(retry_failed=True))
    with pytest.raises(error):
        world.run(jobs, plan)
    assert world.memory.records == {"s:b": failed}
    assert len(world.created) <= PATIENCE * 5


def test_an_expected_error_surfaces_as_itself_and_a_bug_as_a_group() -> None:
    world = World()
    world.memory.error = KirinError("the disk is full")
    with pytest.raises(KirinError, match="the disk is full"):
        statuses(world, A, B, C)
    world.memory.error = ZeroDivisionError("a bug")
    with pytest.raises(ExceptionGroup) as group:
        statuses(world, A, B, C)
    assert group.group_contains(ZeroDivisionError)
