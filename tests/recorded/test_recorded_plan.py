"""The plan: what a run would do with each job, and why; nothing that is paid for is asked for again."""

from dataclasses import replace
from decimal import Decimal

import pytest
from job_samples import film, picture, plan_for, record_of, result

from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.plan import Action, Plan, PlannedJob, PlanOptions, pick
from kirin_batch.records import Record, Status, TaskError

JOB = picture("s:a")
CHANGED = picture("s:a", request="changed")
TRANSIENT, FINAL = TaskError("006001094", "resource insufficient"), TaskError("1301", "content policy")
FAILED = replace(record_of(JOB, Status.FAILED), error=FINAL)
TRIED = replace(FAILED, error=TRANSIENT)
UNKNOWN = record_of(JOB, Status.UNKNOWN, task_id=None)
IN_FLIGHT = record_of(JOB, Status.IN_FLIGHT)
DONE = record_of(JOB)
FIXED = replace(JOB, external_task_id="mine", fixed_task_id=True)
RESEND = PlanOptions(resend=("s:a",))
RETRY = PlanOptions(retry_failed=True)


def only(plan: Plan) -> PlannedJob:
    (planned,) = plan.jobs
    return planned


def fixed(record: Record) -> Record:
    return replace(record, external_task_id="mine")


@pytest.mark.parametrize(
    ("job", "record", "options", "action", "reason"),
    [
        (JOB, None, None, Action.CREATE, "new"),
        (JOB, DONE, None, Action.NONE, "up to date"),
        (JOB, IN_FLIGHT, None, Action.RESUME, "its task is in flight"),
        (JOB, replace(IN_FLIGHT, task_id=None), None, Action.RESUME, "its create was not answered"),
        (JOB, FAILED, None, Action.FAILED, "content policy (1301)"),
        (JOB, replace(FAILED, error=TaskError("", "no results")), None, Action.FAILED, "no results"),
        (JOB, replace(FAILED, error=None), None, Action.FAILED, "it failed"),
        (JOB, FAILED, RETRY, Action.RETRY, "content policy (1301)"),
        (JOB, TRIED, None, Action.RETRY, "resource insufficient (006001094)"),
        (JOB, replace(TRIED, attempt=2), None, Action.FAILED, "resource insufficient (006001094)"),
        (JOB, replace(TRIED, attempt=2), PlanOptions(retries=2), Action.RETRY, "resource insufficient (006001094)"),
        (JOB, TRIED, PlanOptions(retries=0), Action.FAILED, "resource insufficient (006001094)"),
        (
            JOB,
            UNKNOWN,
            None,
            Action.UNKNOWN,
            "whether its task exists; `--resend s:a` sends it again and may pay twice",
        ),
        (JOB, UNKNOWN, PlanOptions(resend=("s:b",), retry_failed=True), Action.UNKNOWN, "nobody knows"),
        (JOB, UNKNOWN, RESEND, Action.CREATE, "sent again by request"),
        (JOB, FAILED, RESEND, Action.FAILED, "content policy (1301)"),
        (CHANGED, DONE, None, Action.CREATE, "its request changed"),
        (picture("s:a", take=2), DONE, None, Action.CREATE, "take 2"),
        (FIXED, None, None, Action.CREATE, "new"),
        (FIXED, fixed(FAILED), RETRY, Action.FAILED, "content policy (1301); its external_task_id is used up: give it"),
        (FIXED, FAILED, RETRY, Action.RETRY, "content policy (1301)"),
        (FIXED, fixed(UNKNOWN), RESEND, Action.UNKNOWN, "give it a new external_task_id, then `--resend s:a`"),
        (FIXED, UNKNOWN, RESEND, Action.CREATE, "sent again by request"),
        (replace(FIXED, digest=CHANGED.digest), DONE, None, Action.CREATE, "its request changed"),
        (
            replace(FIXED, digest=CHANGED.digest),
            fixed(DONE),
            None,
            Action.BLOCKED,
            "mine is used up by an earlier request",
        ),
        (replace(FIXED, digest=CHANGED.digest), fixed(UNKNOWN), None, Action.BLOCKED, "give it a new one"),
        (replace(FIXED, digest=CHANGED.digest), fixed(replace(FAILED, task_id=None)), None, Action.CREATE, "changed"),
    ],
)
def test_each_job_has_an_action_and_its_reason(
    job: Job, record: Record | None, options: PlanOptions | None, action: Action, reason: str
) -> None:
    planned = only(plan_for([job], *([record] if record else []), options=options))
    assert planned.action is action
    assert reason in planned.reason


def test_a_further_attempt_has_an_id_of_its_own_and_a_fixed_id_is_used_as_it_is() -> None:
    options = PlanOptions(namespace="n", retry_failed=True)
    again = only(plan_for([JOB], replace(FAILED, attempt=4), options=options))
    assert again.attempt == 5
    assert again.external_task_id == external_task_id("n", "s:a", JOB.digest, 5)
    assert only(plan_for([FIXED], FAILED, options=options)).external_task_id == "mine"
    assert only(plan_for([CHANGED], DONE)).external_task_id == CHANGED.external_task_id
    assert only(plan_for([JOB], replace(IN_FLIGHT, attempt=2, external_task_id="kb-9"))).external_task_id == "kb-9"


def test_results_that_are_not_on_disk_are_fetched_unless_nobody_wants_them() -> None:
    record = replace(DONE, outputs=(result(), result(None)))
    assert only(plan_for([JOB], record)).reason == "1 of 2 results are not on disk"
    assert only(plan_for([JOB], record, present=False)).reason == "2 of 2 results are not on disk"
    assert only(plan_for([JOB], record)).action is Action.FETCH
    assert only(plan_for([JOB], record, options=PlanOptions(download=False))).action is Action.NONE


def test_a_change_that_was_taken_back_finds_its_own_task_again() -> None:
    older = replace(DONE, task_id="task-0")
    changed = replace(record_of(CHANGED), earlier=(older, DONE))
    planned = only(plan_for([JOB], changed))
    assert planned.action is Action.NONE
    assert planned.record == replace(DONE, earlier=(older, replace(changed, earlier=())))
    flying = replace(changed, earlier=(IN_FLIGHT,))
    assert only(plan_for([JOB], flying)).action is Action.RESUME


@pytest.mark.parametrize(
    ("record", "action", "reason"),
    [
        (DONE, Action.MOVE, "it was s:a"),
        (IN_FLIGHT, Action.RESUME, "it was s:a; its task is in flight"),
        (replace(DONE, outputs=(result(None),)), Action.FETCH, "it was s:a; 1 of 1 results are not on disk"),
        (TRIED, Action.RETRY, "it was s:a; resource insufficient (006001094)"),
        (UNKNOWN, Action.UNKNOWN, "it was s:a; nobody knows"),
    ],
)
def test_a_renamed_job_takes_its_task_along(record: Record, action: Action, reason: str) -> None:
    job = picture("t:b", request="s:a")
    planned = only(plan_for([job], record))
    assert (planned.action, planned.moved_from) == (action, "s:a")
    assert planned.reason.startswith(reason)
    assert planned.record == replace(record, job="t:b")
    if action is not Action.RETRY:
        assert planned.external_task_id == record.external_task_id


def test_a_job_renamed_over_another_is_not_paid_twice_and_forgets_nothing() -> None:
    was_there = replace(record_of(picture("s:b")), earlier=(record_of(picture("s:b", request="older")),))
    planned = only(plan_for([picture("s:b", request="s:a")], DONE, was_there))
    assert (planned.action, planned.moved_from) == (Action.MOVE, "s:a")
    assert planned.record is not None
    assert planned.record.earlier == (*was_there.earlier, replace(was_there, earlier=()))


def test_of_equal_jobs_that_are_gone_each_record_is_taken_once_and_the_rest_are_orphans() -> None:
    gone = [record_of(picture(f"s:{name}", request="same")) for name in "cab"]
    plan = plan_for([picture("t:x", request="same"), picture("t:y", request="same")], *gone)
    assert [(planned.job, planned.action, planned.moved_from) for planned in plan.jobs] == [
        ("t:x", Action.MOVE, "s:a"),
        ("t:y", Action.MOVE, "s:b"),
        ("s:c", Action.ORPHAN, None),
    ]


def test_a_job_that_stays_keeps_its_task_when_another_asks_for_the_same() -> None:
    plan = plan_for([JOB, picture("s:copy", request="s:a")], DONE)
    assert [planned.action for planned in plan.jobs] == [Action.NONE, Action.CREATE]


def test_what_no_spec_has_any_more_is_an_orphan() -> None:
    orphan = only(plan_for([], IN_FLIGHT))
    assert (orphan.action, orphan.record, orphan.reason) == (
        Action.ORPHAN,
        IN_FLIGHT,
        "no spec has this job any more",
    )


@pytest.mark.parametrize("record", [FAILED, UNKNOWN])
def test_what_needs_a_job_without_result_is_blocked_and_nothing_else(record: Record) -> None:
    direct, indirect = film("s:b", needs=("s:a",)), film("s:c", needs=("s:b",))
    done, free = film("s:d", needs=("s:a",)), film("s:e")
    plan = plan_for([JOB, direct, indirect, done, free], record, record_of(done))
    blocked = {planned.job: planned.reason for planned in plan.jobs if planned.action is Action.BLOCKED}
    assert blocked == {"s:b": "it needs s:a, which has no result", "s:c": "it needs s:b, which has no result"}
    assert plan.count() == {"create": 1, str(record.status): 1, "blocked": 2, "none": 1}


def test_a_job_waits_for_what_will_be_sent_again() -> None:
    plan = plan_for([JOB, film("s:b", needs=("s:a",))], FAILED, options=RETRY)
    assert [planned.action for planned in plan.jobs] == [Action.RETRY, Action.CREATE]


def test_what_needs_an_excluded_job_is_blocked_until_that_has_a_result() -> None:
    base, poster = picture("s:base"), picture("s:poster", needs=("s:base",))
    clip = film("s:clip", needs=("s:poster",))
    options = PlanOptions(excluded={"s:base"})
    blocked = plan_for([base, poster, clip], options=options)
    assert [str(planned.action) for planned in blocked.jobs] == ["create", "blocked", "blocked"]
    assert blocked.jobs[1].reason == "it needs s:base, which is excluded"
    for present in (True, False):
        free = plan_for([base, poster, clip], record_of(base), options=options, present=present)
        assert [str(planned.action) for planned in free.jobs][1:] == ["create", "create"]


def test_costs_are_those_of_what_would_be_sent_and_an_unknown_one_counts_as_the_dearest_known() -> None:
    jobs = [JOB, picture("s:b", slots=3), film("s:c")]
    prices = {"pictures": "0.01", "films": "1.5"}
    plan = plan_for(jobs, record_of(film("s:c"), Status.IN_FLIGHT), prices=prices)
    assert [planned.estimated_cost for planned in plan.jobs] == [Decimal("0.01"), Decimal("0.03"), Decimal("1.5")]
    assert plan.estimated_cost == Decimal("0.04")  # what is in flight is not asked for again
    partly = plan_for(jobs, prices={"pictures": "1"})
    assert [partly.jobs[2].estimated_cost, partly.unpriced, partly.estimated_cost] == [None, 1, 1 + 3 + 3]
    assert [plan_for(jobs).unpriced, plan_for(jobs).estimated_cost] == [3, None]
    assert plan_for([]).estimated_cost == 0


def test_a_plan_has_work_where_a_run_would_do_anything() -> None:
    for record in (None, IN_FLIGHT, replace(DONE, outputs=(result(None),)), TRIED):
        assert plan_for([JOB], *([record] if record else [])).has_work
    assert plan_for([picture("t:b", request="s:a")], DONE).has_work
    assert not plan_for([JOB, film("s:b", needs=("s:a",))], FAILED).has_work
    assert not plan_for([JOB], DONE, record_of(picture("s:gone"))).has_work


def test_a_picked_plan_holds_what_was_picked_in_its_order_and_no_orphans() -> None:
    plan = plan_for([JOB, film("s:b"), film("s:c")], record_of(picture("s:gone")))
    assert [planned.job for planned in pick(plan, {"s:c", "s:a", "s:nowhere"}).jobs] == ["s:a", "s:c"]


def test_content_that_was_refused_is_not_sent_again_as_another_job() -> None:
    same, other = picture("s:b", request="s:a"), picture("s:c")
    needs_it = picture("s:d", needs=("s:b",))
    plan = plan_for([JOB, same, other, needs_it], FAILED)
    assert [planned.action for planned in plan.jobs] == [Action.FAILED, Action.FAILED, Action.CREATE, Action.BLOCKED]
    assert plan.jobs[1].reason == "the same request was refused as s:a: content policy (1301)"
    assert plan.jobs[1].record is None


@pytest.mark.parametrize("record", [TRIED, replace(FAILED, error=None), DONE, IN_FLIGHT])
def test_what_ended_otherwise_says_nothing_of_another_job(record: Record) -> None:
    plan = plan_for([JOB, picture("s:b", request="s:a")], record)
    assert plan.jobs[1].action is Action.CREATE


def test_refused_content_is_remembered_when_its_job_moved_on_and_sent_again_on_demand() -> None:
    moved_on = replace(DONE, digest=CHANGED.digest, earlier=(FAILED,))
    jobs = [CHANGED, picture("s:b", request="s:a")]
    assert plan_for(jobs, moved_on).jobs[1].action is Action.FAILED
    assert plan_for(jobs, moved_on, options=RETRY).jobs[1].action is Action.CREATE


def test_a_change_taken_back_finds_the_task_that_has_results_before_a_later_failure() -> None:
    failed = replace(FAILED, attempt=2, external_task_id="kb-2")
    now = replace(record_of(CHANGED), earlier=(DONE, failed))
    planned = only(plan_for([JOB], now))
    assert planned.action is Action.NONE
    assert planned.record == replace(DONE, earlier=(failed, record_of(CHANGED)))


def test_a_change_taken_back_goes_on_with_a_task_in_flight_before_a_later_failure() -> None:
    failed = replace(FAILED, attempt=2, external_task_id="kb-2")
    planned = only(plan_for([JOB], replace(record_of(CHANGED), earlier=(IN_FLIGHT, failed))))
    assert (planned.action, planned.external_task_id) == (Action.RESUME, IN_FLIGHT.external_task_id)
