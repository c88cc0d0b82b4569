"""The record that says of a job that a create may have been sent: what must be on disk before one is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from kirin_batch.error_codes import is_content_refusal
from kirin_batch.jobs import Job
from kirin_batch.records import Record, Status

__all__ = ["TaskName"]


@dataclass(frozen=True, slots=True)
class TaskName:
    """The task of one attempt of a job: what its records are known by. `sandbox`: the gateway is one of our own."""

    job: Job
    external_id: str
    attempt: int
    sandbox: bool

    def names(self, record: Record | None) -> TypeGuard[Record]:
        """Whether a record is of this task: an id that the spec gives may be that of an earlier request."""
        return record is not None and record.external_task_id == self.external_id and self.is_of_request(record)

    def is_of_request(self, record: Record) -> bool:
        """Whether a record is of what the job asks for; what a sandbox made up is no answer to the gateway's users."""
        return record.digest == self.job.digest and record.sandbox == self.sandbox

    def in_flight(
        self, record: Record | None, *, now: str, tell_params: Callable[[Job], Mapping[str, Any] | None]
    ) -> Record:
        """The record of this task, in flight, after `record` as the job's last; dated `now` where it is new."""
        if self.names(record):
            is_open = record.status is Status.IN_FLIGHT and record.error is None
            return record if is_open else replace(record, status=Status.IN_FLIGHT, error=None)
        return Record(
            job=self.job.id,
            model=self.job.model,
            status=Status.IN_FLIGHT,
            digest=self.job.digest,
            external_task_id=self.external_id,
            created_at=now,
            take=self.job.take,
            attempt=self.attempt,
            sandbox=self.sandbox,
            params=tell_params(self.job),
            earlier=_earlier(record),
        )


def _earlier(record: Record | None) -> tuple[Record, ...]:
    """The tasks that a job had, or may have had, before its next one, and refusals that must not be asked for again."""
    if record is None:
        return ()
    is_refusal = record.error is not None and is_content_refusal(record.error.code)
    is_kept = record.task_id is not None or record.status is not Status.FAILED or is_refusal
    return (*record.earlier, replace(record, earlier=())) if is_kept else record.earlier
