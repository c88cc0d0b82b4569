"""Where nobody can say whether a task exists, or whose it is: it is looked for, and never made a second time."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from job_samples import picture, plan_for, record_of
from scripted_gateway import Lost, Script, World, done

from kirin_batch.gateway.answers import Answer, Failed, Missing, Refused, Running, Unknown
from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.plan import PlanOptions
from kirin_batch.records import Record, Status, TaskError
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.patience import PATIENCE

JOB = picture("s:a")
ID = JOB.external_task_id
AGAIN = external_task_id("", "s:a", JOB.digest, 2)
IN_FLIGHT = record_of(JOB, Status.IN_FLIGHT)
INTENT = record_of(JOB, Status.IN_FLIGHT, task_id=None)
LOST = replace(record_of(JOB, Status.UNKNOWN, task_id=None), error=TaskError("1201", "taken"))
RESEND = PlanOptions(resend=("s:a",))
TAKEN = Refused("1201", "external_task_id is taken", taken=True, names_id=True)
POLICY = Refused("1301", "content policy")


def live(world: World, job: Job = JOB, options: PlanOptions | None = None) -> Outcome:
    """The job's life from what is recorded."""
    plan = plan_for([job], *world.memory.records.values(), options=options)
    return asyncio.run(world.live(job, plan.jobs[0]))


def record(world: World) -> Record:
    return world.memory.records["s:a"]


@pytest.mark.parametrize("options", [None, RESEND], ids=["run", "resend"])
@pytest.mark.parametrize("task_id", [None, "task-1"])
def test_an_unknown_task_that_has_appeared_is_taken_up_whatever_was_asked_for(
    task_id: str | None, options: PlanOptions | None
) -> None:
    world = World([replace(LOST, task_id=task_id)])
    world.gateway.on_query = Script(Running("task-1"), done("task-1"))
    assert live(world, options=options).status is Status.COMPLETED
    assert (record(world).task_id, record(world).external_task_id, world.created) == ("task-1", ID, [])


@pytest.mark.parametrize("answers", [[Missing()], [Unknown("502")] * PATIENCE])
def test_an_unknown_task_that_is_not_found_stays_unknown_and_is_not_sent(answers: list[Answer]) -> None:
    world = World([LOST])
    world.gateway.on_query = Script(*answers)
    assert live(world).status is Status.UNKNOWN
    assert (record(world), world.created) == (LOST, [])


def test_only_by_request_and_when_it_is_still_missing_an_unknown_task_is_sent_under_another_id() -> None:
    world = World([LOST])
    assert live(world, options=RESEND).status is Status.COMPLETED
    assert world.acts[0] == f"query {ID}"
    assert world.created == [AGAIN]


def test_an_unknown_task_of_another_request_is_none_of_the_jobs_business() -> None:
    changed = picture("s:a", request="changed")
    world = World([LOST])
    assert live(world, changed).status is Status.COMPLETED
    assert world.created == [changed.external_task_id]
    assert record(world).earlier == (LOST,)


def test_a_locked_run_makes_no_further_attempt() -> None:
    world = World([IN_FLIGHT])
    world.rules = replace(world.rules, may_create=False)
    world.gateway.on_query = Script(Failed("task-1", "006001094", "not now"))
    assert live(world).status is Status.FAILED
    assert (world.created, record(world).attempt) == ([], 1)


@pytest.mark.parametrize("known", [IN_FLIGHT, INTENT])
def test_a_locked_run_sends_nothing_for_a_task_that_is_gone(known: Record) -> None:
    world = World([known])
    world.rules = replace(world.rules, may_create=False)
    outcome = live(world)
    assert (outcome.status, world.created, record(world)) == (Status.FAILED, [], known)
    assert outcome.error is not None
    assert outcome.error.message.startswith("it is not at the gateway")


def test_what_a_sandbox_was_asked_is_not_what_the_gateway_is_asked() -> None:
    made_up = replace(IN_FLIGHT, sandbox=True, task_id="sandbox-1")
    world = World([made_up])
    assert live(world).status is Status.COMPLETED
    assert "query sandbox-1" not in world.acts
    assert (record(world).sandbox, record(world).earlier) == (False, (made_up,))


def test_a_task_that_another_gateway_knows_by_another_id_stays_on_record() -> None:
    world = World([replace(IN_FLIGHT, task_id="task-elsewhere")])
    assert live(world).status is Status.COMPLETED
    assert world.created == [ID]
    assert [task.task_id for task in record(world).earlier] == ["task-elsewhere"]


def test_a_task_that_vanished_for_a_moment_is_recorded_once() -> None:
    world = World([IN_FLIGHT])
    world.gateway.on_query = Script(Missing(), Running("task-1"), done("task-1"))
    assert live(world).status is Status.COMPLETED
    assert (record(world).task_id, record(world).earlier, world.created) == ("task-1", (), [])


def test_a_known_task_that_a_proxy_refuses_to_tell_of_stays_in_flight() -> None:
    world = World([IN_FLIGHT])
    world.gateway.on_query = Script(*[Refused("", "bad request")] * PATIENCE)
    assert live(world).status is Status.IN_FLIGHT
    assert (record(world), world.created) == (IN_FLIGHT, [])


def test_a_known_task_that_is_not_found_and_whose_id_is_taken_stays_in_flight() -> None:
    world = World([IN_FLIGHT])
    world.gateway.on_query = lambda _id: Missing()
    world.gateway.on_create = Script(TAKEN)
    assert live(world).status is Status.IN_FLIGHT
    assert (record(world).status, record(world).task_id) == (Status.IN_FLIGHT, "task-1")


def test_a_refusal_that_names_an_id_of_ours_can_only_mean_that_it_is_taken() -> None:
    world = World()
    world.gateway.on_create = Script(Refused("1201", "invalid parameter: external_task_id", names_id=True))
    world.gateway.on_query = lambda _id: Missing()
    assert live(world).status is Status.UNKNOWN


def test_after_a_lost_create_any_refusal_waits_for_a_task_that_appears_late() -> None:
    world = World()
    world.gateway.on_create = Script(Lost(), Refused("", "what is this"))
    looked_up = Script(*[Missing()] * 6, Running("task-1"))
    world.gateway.on_query = lambda id_: looked_up(id_) if id_ == ID else None
    assert live(world).status is Status.COMPLETED
    assert (record(world).task_id, len(world.gateway.tasks)) == ("task-1", 1)


def test_after_a_lost_create_content_that_is_refused_is_not_waited_for() -> None:
    world = World([INTENT])
    world.gateway.on_create = Script(POLICY)
    assert live(world).status is Status.FAILED
    assert sum(world.clock.slept) < 1.0


def test_a_refusal_of_content_is_remembered_when_the_job_has_moved_on() -> None:
    world = World()
    world.gateway.on_create = Script(POLICY)
    assert live(world).status is Status.FAILED
    changed = picture("s:a", request="changed")
    assert live(world, changed).status is Status.COMPLETED
    back, copy = plan_for([JOB, picture("s:b", request="s:a")], record(world)).jobs
    assert (back.action, copy.action) == ("failed", "failed")
    assert copy.reason == "the same request was refused as s:a: content policy (1301)"


def test_a_refusal_of_a_request_that_passed_since_holds_no_other_job_back() -> None:
    refused = replace(record_of(JOB, Status.FAILED, task_id=None), error=TaskError("1301", "policy"))
    passed = replace(record_of(JOB), attempt=2, external_task_id=AGAIN, earlier=(refused,))
    assert plan_for([JOB, picture("s:b", request="s:a")], passed).jobs[1].action == "create"


def test_a_task_that_is_adopted_costs_the_run_nothing() -> None:
    world, jobs = World(), [JOB, picture("s:b")]
    first = world.scheduler()
    asyncio.run(first.run({job.id: job for job in jobs[:1]}, plan_for(jobs[:1])))
    world.memory.records.clear()
    second = world.scheduler()
    asyncio.run(second.run({job.id: job for job in jobs}, plan_for(jobs)))
    assert (first.spent, second.spent) == (Decimal("0.028"), Decimal("0.028"))
    assert {outcome.status for outcome in second.outcomes.values()} == {Status.COMPLETED}
