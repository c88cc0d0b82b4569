"""What `run` tells its caller, from how its jobs stand."""

from decimal import Decimal

import pytest

from kirin_batch.commands.rows import JobRow, count_statuses, make_row
from kirin_batch.commands.run_terms import RunReport
from kirin_batch.errors import ExitCode, GatewayRefusedError
from kirin_batch.plan import Action, PlannedJob
from kirin_batch.records import Status, TaskError
from kirin_batch.scheduler.outcome import Outcome

DONE, FAILED, FLYING, UNKNOWN, BLOCKED, PENDING = Status


def row(status: Status, error: TaskError | None = None) -> JobRow:
    return JobRow("a:b", "kirin_v2_image", status, "0" * 64, "kb-1", error)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        ([DONE, DONE], 0),
        ([DONE, FAILED], 1),
        ([FAILED, BLOCKED, FLYING], 1),
        ([BLOCKED], 1),
        ([DONE, FLYING], 3),
        ([PENDING], 3),
        ([DONE, UNKNOWN], 3),
    ],
)
def test_the_worst_status_decides_the_exit_code(statuses: list[Status], code: int) -> None:
    report = RunReport(tuple(row(status) for status in statuses), Decimal(0))
    assert report.exit_code == code


def test_a_completed_job_whose_results_are_lost_is_a_failure() -> None:
    assert RunReport((row(DONE, TaskError("", "HTTP 404")),), Decimal(0)).exit_code is ExitCode.FAILED


def test_an_interrupt_and_a_refusal_come_before_the_jobs() -> None:
    rows = (row(FAILED),)
    assert RunReport(rows, Decimal(0), was_interrupted=True).exit_code is ExitCode.INTERRUPTED
    refused = RunReport(rows, Decimal(0), stopped_by=GatewayRefusedError("no"))
    assert refused.exit_code is ExitCode.REFUSED


def test_a_job_of_which_nothing_was_sent_is_pending_and_says_why() -> None:
    planned = PlannedJob(
        job="a:b", model="m", action=Action.CREATE, reason="new", digest="0" * 64, external_task_id="kb-1"
    )
    made = make_row(planned, {}, Outcome(FLYING, TaskError("", "HTTP 500")))
    assert (made.status, made.error) == (PENDING, TaskError("", "HTTP 500"))


def test_statuses_are_counted_in_their_order_without_zeros() -> None:
    assert list(count_statuses([row(FAILED), row(DONE), row(FAILED)]).items()) == [("completed", 1), ("failed", 2)]
