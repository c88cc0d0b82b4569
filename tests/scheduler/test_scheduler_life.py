"""The life of a job's task: each answer at each step, what is on disk by then, and that nothing is sent twice."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from job_samples import picture, plan_for, record_of, result
from scripted_gateway import Lost, Script, World, done

from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.gateway.answers import (
    Answer,
    Broken,
    Busy,
    Denied,
    Done,
    Failed,
    Missing,
    Refused,
    Running,
    Unknown,
)
from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.plan import PlanOptions
from kirin_batch.records import Record, Status, TaskError
from kirin_batch.scheduler.observer import Stage
from kirin_batch.scheduler.outcome import Missed, Outcome
from kirin_batch.scheduler.patience import PATIENCE
from kirin_batch.scheduler.scheduler import Limits

JOB = picture("s:a")
ID = JOB.external_task_id
IN_FLIGHT = record_of(JOB, Status.IN_FLIGHT, task_id="task-1")
INTENT = record_of(JOB, Status.IN_FLIGHT, task_id=None)
UNFETCHED = replace(record_of(JOB), outputs=(result(None),))
TAKEN = Refused("1201", "external_task_id is taken", taken=True)
TRANSIENT = Failed("task-1", "006001094", "resource insufficient")
AGAIN = external_task_id("", "s:a", JOB.digest, 2)


def live(world: World, job: Job = JOB, options: PlanOptions | None = None) -> Outcome:
    """The job's life from what is recorded."""
    plan = plan_for([job], *world.memory.records.values(), options=options)
    return asyncio.run(world.live(job, plan.jobs[0]))


def record(world: World) -> Record:
    return world.memory.records["s:a"]


def test_every_step_is_on_disk_before_the_next() -> None:
    world = World()
    assert live(world) == Outcome(Status.COMPLETED, cost=Decimal("0.028"))
    steps = list(dict.fromkeys(act for act in world.acts if act != "query task-1"))
    assert steps == [
        f"query {ID}",
        "record in_flight None",
        f"create {ID}",
        "record in_flight task-1",
        "pause for query",
        "pause for download",
        "collect",
        "record completed task-1",
    ]
    assert world.acts.index("query task-1") > world.acts.index("record in_flight task-1")
    assert record(world).cost == "0.028"
    assert [output.path for output in record(world).outputs] == ["outputs/s:a.png"]


@pytest.mark.parametrize(
    "found", [Running("task-1"), done("task-1"), Failed("task-1", "1301", "policy"), Unknown("502")]
)
def test_what_is_found_before_a_create_is_never_created(found: Answer) -> None:
    world = World()
    world.gateway.on_query = Script(*[found] * PATIENCE, done("task-1"), done("task-1"))
    outcome = live(world)
    assert world.created == []
    match found:
        case Unknown():
            assert (outcome.status, world.memory.records) == (Status.IN_FLIGHT, {})
        case Failed():
            assert (outcome.status, record(world).status) == (Status.FAILED, Status.FAILED)
        case _:
            assert (outcome.status, record(world).task_id) == (Status.COMPLETED, "task-1")


def test_a_create_whose_answer_got_lost_is_found_and_adopted() -> None:
    world = World()
    world.gateway.on_create = Script(Lost())
    assert live(world).status is Status.COMPLETED
    assert world.created == [ID]
    assert [act for act in world.acts if act.startswith("record")] == [
        "record in_flight None",
        "record in_flight task-1",
        "record completed task-1",
    ]


def test_a_lost_create_that_is_not_found_is_sent_again_under_the_same_id() -> None:
    world = World()
    world.gateway.on_create = Script(Unknown("reset"), Unknown("504"))
    assert live(world).status is Status.COMPLETED
    assert world.created == [ID] * 3
    assert record(world).attempt == 1
    assert world.clock.slept[:3] == [1.0, 2.0, 4.0]


def test_a_task_that_appears_too_late_to_be_found_is_adopted_when_its_id_is_refused() -> None:
    world = World()
    world.gateway.on_create = Script(Lost())
    world.gateway.on_query = Script(*[Missing()] * 4)  # before the create, and while it is settled
    assert live(world).status is Status.COMPLETED
    assert world.gateway.twice == [ID]
    assert len(world.gateway.tasks) == 1


def test_creates_whose_answers_all_get_lost_leave_the_intent_for_the_next_run() -> None:
    world = World()
    world.gateway.on_create = Script(*[Unknown("504")] * 9)
    outcome = live(world)
    assert outcome == Outcome(Status.IN_FLIGHT, TaskError("", "the answers to its create got lost"))
    assert world.created == [ID] * 3
    assert record(world) == replace(INTENT, created_at=record(world).created_at)


def test_an_id_that_is_taken_while_no_task_is_found_is_unknown_and_never_sent_under_another() -> None:
    world = World()
    world.gateway.on_create = Script(TAKEN)
    outcome = live(world)
    assert outcome.status is record(world).status is Status.UNKNOWN
    assert outcome.error is not None
    assert outcome.error.message.startswith("its external_task_id is taken, yet no task is found")
    assert world.created == [ID]
    assert world.clock.slept == [1.0, 2.0, 4.0]
    assert plan_for([JOB], record(world)).count() == {"unknown": 1}


def test_a_refused_request_fails_its_job_alone() -> None:
    world = World()
    world.gateway.on_create = Script(Refused("1301", "content policy"))
    assert live(world) == Outcome(Status.FAILED, TaskError("1301", "content policy"))
    assert (record(world).status, record(world).task_id) == (Status.FAILED, None)
    assert world.watcher.stages[-1] == ("s:a", Stage.FAILED, "content policy (1301)")


@pytest.mark.parametrize("before", [None, replace(IN_FLIGHT, status=Status.FAILED)])
def test_a_request_that_was_broken_off_here_leaves_the_job_as_it_was(before: Record | None) -> None:
    world = World([before] if before else [])
    world.gateway.on_create = Script(Refused("", "fox.png has changed since it was checked: run again", is_unsent=True))
    outcome = live(world, options=PlanOptions(retry_failed=True))
    assert outcome == Outcome(Status.FAILED, TaskError("", "fox.png has changed since it was checked: run again"))
    assert world.memory.records == ({"s:a": before} if before else {})


def test_a_refusal_of_a_task_that_exists_after_all_adopts_it() -> None:
    world = World()
    world.gateway.on_create = Script(Lost(Refused("1201", "no such parameter")))
    assert live(world).status is Status.COMPLETED


@pytest.mark.parametrize("before", [None, IN_FLIGHT, replace(IN_FLIGHT, status=Status.FAILED)])
@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([Busy(None, "", "wait"), Denied(402, "", "no balance")], GatewayRefusedError),
        ([Missing()], GatewayRefusedError),
        ([Broken("no route")] * PATIENCE, GatewayUnreachableError),
    ],
)
def test_what_concerns_every_job_leaves_this_one_as_it_was(
    before: Record | None, answers: list[Answer], error: type[KirinError]
) -> None:
    changed = picture("s:a", request="changed")
    world = World([before] if before else [])
    world.gateway.on_create = Script(*answers)
    with pytest.raises(error):
        live(world, changed)
    assert world.memory.records == ({"s:a": before} if before else {})


def test_a_refusal_after_a_create_that_got_lost_keeps_the_intent() -> None:
    world = World()
    world.gateway.on_create = Script(Unknown("504"), Denied(402, "", "no balance"))
    with pytest.raises(GatewayRefusedError, match="no balance"):
        live(world)
    assert (record(world).status, record(world).task_id) == (Status.IN_FLIGHT, None)


def test_a_busy_gateway_never_uses_up_an_attempt() -> None:
    world = World()
    world.gateway.on_create = Script(*[Busy(None, "1303", "no slot", parallel=True)] * 40)
    assert live(world).status is Status.COMPLETED
    assert record(world).attempt == 1
    assert world.slots.snapshot()["image"] == (0, 2)


def test_a_transient_failure_is_tried_again_under_a_new_id_and_the_old_task_is_kept() -> None:
    world = World()
    world.gateway.on_end = lambda id_: TRANSIENT if id_ == ID else done()
    assert live(world).status is Status.COMPLETED
    assert world.created == [ID, AGAIN]
    assert record(world).attempt == 2
    assert [(task.external_task_id, task.status) for task in record(world).earlier] == [(ID, Status.FAILED)]
    assert ("s:a", Stage.RETRYING, "resource insufficient (006001094)") in world.watcher.stages


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (3, 4)])
def test_there_are_only_so_many_retries(retries: int, attempts: int) -> None:
    world = World()
    world.rules = replace(world.rules, retries=retries)
    world.gateway.on_end = lambda _id: TRANSIENT
    assert live(world).status is Status.FAILED
    assert len(world.created) == len(set(world.created)) == record(world).attempt == attempts


def test_final_failures_and_fixed_ids_are_not_tried_again() -> None:
    for job, failure in ((JOB, Failed("task-1", "1301", "policy")), (replace(JOB, fixed_task_id=True), TRANSIENT)):
        world = World()
        world.gateway.on_query = Script(None, failure)
        assert live(world, job).status is Status.FAILED
        assert world.created == [ID]


def test_a_task_in_flight_is_watched_and_not_asked_for_again() -> None:
    world = World([IN_FLIGHT])
    told = Script(Running("task-1"), Missing(), Missing(), Running("task-1", 0.25), done("task-1"))
    world.gateway.on_query = lambda id_: told(id_) if id_ == "task-1" else Running("task-1")
    assert live(world).status is Status.COMPLETED
    assert world.created == []
    assert ("s:a", Stage.RUNNING, "25%") in world.watcher.stages


@pytest.mark.parametrize("misses", [1, 2, 4])
def test_a_task_that_vanished_is_looked_up_by_its_other_id_and_sent_again_under_that(misses: int) -> None:
    world = World([IN_FLIGHT])
    world.gateway.on_query = Script(*([Running("task-1")] if misses > 2 else []), *[Missing()] * misses)
    assert live(world).status is Status.COMPLETED
    assert world.created == [ID]
    assert record(world).attempt == 1


def test_an_intent_of_a_run_that_died_is_looked_up_first() -> None:
    for is_there in (True, False):
        world = World([INTENT])
        world.gateway.on_query = Script(done("task-7")) if is_there else Script()
        assert live(world).status is Status.COMPLETED
        assert world.acts[0] == f"query {ID}"
        assert world.created == ([] if is_there else [ID])


@pytest.mark.parametrize("answer", [Running("task-1"), Unknown("502")])
def test_a_task_that_takes_too_long_or_is_not_told_of_is_left_in_flight(answer: Answer) -> None:
    world = World()
    world.gateway.on_query = Script(Missing(), *[answer] * 500)
    outcome = live(world)
    assert outcome.status is record(world).status is Status.IN_FLIGHT
    assert record(world).task_id == "task-1"
    assert outcome.error is not None
    assert outcome.error.message in {"502", f"still running after {world.clock.seconds:.0f} s"}
    assert world.clock.seconds <= 935
    assert "pause for download" not in world.acts


def test_a_task_without_results_has_failed_and_still_cost_something() -> None:
    world = World()
    world.gateway.on_end = lambda _id: Done("", (), Decimal("0.00000001"))
    outcome = live(world)
    assert outcome == Outcome(Status.FAILED, TaskError("", "the task completed without results"), Decimal("0.00000001"))
    assert record(world).cost == "0.00000001"


@pytest.mark.parametrize(("element_id", "status"), [(2**63, Status.COMPLETED), (None, Status.FAILED)])
def test_a_subject_has_an_element_id_and_no_results(element_id: int | None, status: Status) -> None:
    world = World()
    world.gateway.on_end = lambda _id: Done("", (), None, element_id)
    assert live(world, replace(JOB, result_type="text")).status is status
    assert record(world).element_id == element_id


def test_a_small_cost_is_recorded_in_plain_digits() -> None:
    world = World()
    world.gateway.on_end = lambda _id: done(cost="0.00000002")
    live(world)
    assert record(world).cost == "0.00000002"


def test_results_that_cannot_be_brought_leave_the_task_for_the_next_run() -> None:
    world = World()
    world.shelf.missed = Missed("the download broke off")
    assert live(world) == Outcome(Status.IN_FLIGHT, TaskError("", "the download broke off"))
    assert (record(world).status, record(world).task_id) == (Status.IN_FLIGHT, "task-1")


def test_results_that_are_gone_are_recorded_as_paid_for_and_told_as_lacking() -> None:
    world = World()
    world.shelf.missed = Missed("the URL has expired", is_gone=True)
    outcome = live(world)
    assert (outcome.status, outcome.is_usable) == (Status.COMPLETED, False)
    assert outcome.error == TaskError("", "the URL has expired; another `take:` makes it again")
    assert (record(world).status, record(world).cost) == (Status.COMPLETED, "0.028")
    assert [output.path for output in record(world).outputs] == [None]


def test_a_request_that_cannot_be_built_fails_and_sends_nothing() -> None:
    world = World()
    world.cannot_build = "fox.png has changed"
    assert live(world) == Outcome(Status.FAILED, TaskError("", "fox.png has changed"))
    assert (world.created, world.memory.records) == ([], {})


@pytest.mark.parametrize(
    "answer",
    [done("task-1"), Missing(), Failed("task-1", "1", "expired"), Done("task-1"), Running("task-1"), Refused("", "")],
)
@pytest.mark.parametrize("task_id", ["task-1", None])
def test_results_that_are_owed_are_fetched_whatever_became_of_the_task(answer: Answer, task_id: str | None) -> None:
    world = World([replace(UNFETCHED, task_id=task_id)])
    world.gateway.on_query = Script(*[answer] * 500)
    assert live(world).status is Status.COMPLETED
    assert world.created == []
    assert [output.path for output in record(world).outputs] == ["outputs/s:a.png"]
    assert (record(world).cost, record(world).finished_at) == ("0.028", UNFETCHED.finished_at)


def test_results_that_are_owed_and_cannot_be_fetched_leave_the_record_as_it_was() -> None:
    for missed, answer in ((Missed("gone"), Missing()), (None, Unknown("502"))):
        world = World([UNFETCHED])
        world.shelf.missed = missed
        world.gateway.on_query = Script(*[answer] * PATIENCE)
        outcome = live(world)
        assert (outcome.status, outcome.is_usable) == (Status.COMPLETED, False)
        assert record(world) == UNFETCHED


def test_an_id_of_the_spec_that_an_earlier_request_was_refused_with_serves_the_new_one() -> None:
    job = replace(picture("s:a", request="changed"), external_task_id="mine", fixed_task_id=True)
    world = World([replace(record_of(JOB, Status.FAILED, task_id=None), external_task_id="mine")])
    assert live(world, job).status is Status.COMPLETED
    assert (record(world).digest, record(world).earlier) == (job.digest, ())
    assert plan_for([job], record(world)).count() == {"none": 1}


def test_what_was_unknown_and_is_sent_again_stays_on_record() -> None:
    world = World([record_of(JOB, Status.UNKNOWN, task_id=None)])
    assert live(world, options=PlanOptions(resend=("s:a",))).status is Status.COMPLETED
    assert world.created == [AGAIN]
    assert [(task.external_task_id, task.status) for task in record(world).earlier] == [(ID, Status.UNKNOWN)]


def test_a_disk_that_refuses_ends_the_run_before_anything_is_sent() -> None:
    world = World()
    world.memory.error = KirinError("the disk is full")
    with pytest.raises(KirinError, match="the disk is full"):
        live(world)
    assert world.created == []


@pytest.mark.parametrize("code", ["006001094", "006001095", "006001099", "500", "503", "5001"])
def test_a_transient_failure_is_followed_by_a_further_attempt(code: str) -> None:
    world = World()
    world.gateway.on_end = lambda external_id: Failed("", code, "not now") if external_id == ID else done()
    assert live(world).status is Status.COMPLETED
    assert world.created == [ID, AGAIN]
    assert [(task.external_task_id, task.status) for task in record(world).earlier] == [(ID, Status.FAILED)]


@pytest.mark.parametrize("code", ["", "1301", "6001094", "50", "50000", "x500"])
def test_any_other_failure_is_final(code: str) -> None:
    world = World()
    world.gateway.on_end = lambda _id: Failed("", code, "no")
    assert live(world).status is Status.FAILED
    assert world.created == [ID]


def test_content_that_was_refused_is_not_asked_for_again_in_the_run() -> None:
    world, jobs = World(), [picture("s:a", request="x"), picture("s:b", request="x"), picture("s:c", request="y")]
    world.gateway.on_create = Script(Refused("1301", "content policy"))
    outcomes = world.run(jobs, plan_for(jobs), Limits(slots={"image": 1}))
    refused = Outcome(Status.FAILED, TaskError("1301", "content policy"))
    assert (outcomes["s:a"], outcomes["s:b"], outcomes["s:c"].status) == (refused, refused, Status.COMPLETED)
    assert world.created == [jobs[0].external_task_id, jobs[2].external_task_id]
    assert set(world.memory.records) == {"s:a", "s:c"}


def notices(world: World, caplog: pytest.LogCaptureFixture, *, jobs: int = 3) -> list[str]:
    """What a run of slow tasks warns of."""
    world.gateway.task_seconds = 60.0
    pictures = [picture(f"s:{number}") for number in range(jobs)]
    outcomes = world.run(pictures, plan_for(pictures), Limits(slots={"image": 1}))
    assert {outcome.status for outcome in outcomes.values()} == {Status.COMPLETED}
    return [record.getMessage() for record in caplog.records]


def test_a_gateway_that_does_not_look_up_external_ids_is_noticed_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.gateway.on_query = lambda subject: Missing() if subject.startswith("kb-") else None
    (told,) = notices(world, caplog)
    assert "does not look up external_task_ids" in told
    assert picture("s:0").external_task_id in told


def test_of_a_gateway_that_looks_up_external_ids_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    assert notices(world, caplog) == []
    lookups = [act for act in world.acts if act.startswith("query kb-")]
    assert len(lookups) == 4, "one before each create, and one to see whether it works"


def test_an_intent_stays_known_when_the_request_changes() -> None:
    changed = replace(JOB, digest="c" * 64, external_task_id=external_task_id("", "s:a", "c" * 64, 1))
    world = World([INTENT])
    live(world, changed)
    assert record(world).digest == changed.digest
    assert record(world).earlier == (INTENT,)
