"""What a run refuses because the user cannot have meant it: looked at before anything is sent."""

from collections.abc import Collection

from kirin_batch.errors import KirinError, UsageError
from kirin_batch.plan import SENDING, WORK, Action, Plan, PlannedJob
from kirin_batch.records import Status

__all__ = ["check_plan"]

_TOLD = 3  # jobs named in a message


def check_plan(plan: Plan, *, locked: bool, resend: Collection[str], sandbox: bool) -> None:
    """Raises KirinError where a `locked` run would create something, UsageError for a `resend` of what is not unknown,
    and for a sandbox that would stand in for the gateway.
    """
    sending = [planned.job for planned in plan.jobs if _may_create(planned)]
    if locked and sending:
        raise KirinError(f"--locked: {_some(sending)} would be created; the lockfile does not hold them")
    unknown = {planned.job for planned in plan.jobs if planned.record and planned.record.status is Status.UNKNOWN}
    for job in resend:
        if job not in unknown:
            told = f" (unknown: {_some(unknown)})" if unknown else ""
            raise UsageError(f"--resend {job}: that job is not unknown{told}")
    if sandbox:
        _refuse_mixing(plan)


def _may_create(planned: PlannedJob) -> bool:
    """Whether the job may need a new task: an intent whose create was never answered may have come to nothing."""
    is_intent = planned.action is Action.RESUME and not (planned.record and planned.record.task_id)
    return planned.action in SENDING or is_intent


def _refuse_mixing(plan: Plan) -> None:
    """A sandbox knows nothing of the gateway's tasks: what it answered would replace what was paid for."""
    paid = [planned.job for planned in plan.jobs if planned.action in WORK | {Action.UNKNOWN} and _may_be_paid(planned)]
    if paid:
        have = "has a task" if len(paid) == 1 else "have tasks"
        told = f"--sandbox: {_some(paid)} {have} at the gateway, or may have, which a sandbox would replace"
        raise UsageError(f"{told}: use a copy of the project")


def _may_be_paid(planned: PlannedJob) -> bool:
    """Whether the gateway has a task of the job, or may have: an intent that was not answered counts."""
    record = planned.record
    may_exist = record is not None and (record.task_id is not None or record.status is not Status.FAILED)
    return record is not None and may_exist and not record.sandbox


def _some(jobs: Collection[str]) -> str:
    named = ", ".join(sorted(jobs)[:_TOLD])
    return named if len(jobs) <= _TOLD else f"{named} and {len(jobs) - _TOLD} more"
