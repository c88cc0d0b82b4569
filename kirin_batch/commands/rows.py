"""Jobs as `run` and `status` tell of them: what is recorded, and what this run made of the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kirin_batch.plan import Action, PlannedJob
from kirin_batch.records import Mismatch, Record, Status, TaskError
from kirin_batch.scheduler.outcome import Outcome

__all__ = ["JobRow", "count_statuses", "make_row", "record_row", "task_cost", "total_cost"]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job: its status, why it is so where there is something to say, and the record behind it, if there is one.

    `is_orphan`: no spec has the job any more.
    """

    job: str
    model: str
    status: Status
    digest: str
    external_task_id: str
    error: TaskError | None = None
    record: Record | None = None
    is_orphan: bool = False

    @property
    def warnings(self) -> tuple[Mismatch, ...]:
        """Where its results are not what was asked for."""
        return self.record.warnings if self.record else ()

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`."""
        record = self.record
        return {
            "job": self.job,
            "model": self.model,
            "status": str(self.status),
            "digest": self.digest,
            "external_task_id": self.external_task_id,
            "task_id": record.task_id if record else None,
            "attempt": record.attempt if record else 0,
            "cost": record.cost if record else None,
            "error": self.error.as_json() if self.error else None,
            "outputs": [output.as_json() for output in record.outputs] if record else [],
            "element_id": record.element_id if record else None,
            "warnings": [warning.as_json() for warning in self.warnings],
        }


def make_row(planned: PlannedJob, records: Mapping[str, Record], outcome: Outcome | None = None) -> JobRow:
    """The row of a planned job, after what this run made of it (None: nothing was begun)."""
    record = records.get(planned.job, planned.record)
    if record and record.digest != planned.digest:
        record = None  # it tells of another request, which the spec has moved on from
    if outcome:
        status, error = outcome.status, outcome.error
        if record is None and status is Status.IN_FLIGHT:
            status = Status.PENDING  # nothing was sent, or nothing came of it
    elif planned.action is Action.BLOCKED:
        status, error = Status.BLOCKED, TaskError("", planned.reason)
    elif record:
        status, error = record.status, record.error
    elif planned.action is Action.FAILED:
        status, error = Status.FAILED, TaskError("", planned.reason)
    else:
        status, error = Status.PENDING, None
    return JobRow(planned.job, planned.model, status, planned.digest, planned.external_task_id, error, record)


def record_row(record: Record, *, is_orphan: bool = True) -> JobRow:
    """The row of a record alone: no spec has its job any more (`is_orphan`), or nobody can tell."""
    return JobRow(
        record.job,
        record.model,
        record.status,
        record.digest,
        record.external_task_id,
        record.error,
        record,
        is_orphan=is_orphan,
    )


def count_statuses(rows: Iterable[JobRow]) -> dict[str, int]:
    """How many rows each status has, in the order of `Status`, without zeros."""
    statuses = [row.status for row in rows]
    return {str(status): statuses.count(status) for status in Status if status in statuses}


def total_cost(rows: Iterable[JobRow]) -> Decimal:
    """USD that the rows' tasks cost, as far as the gateway said."""
    return sum((task_cost(row.record) for row in rows if row.record), Decimal(0))


def task_cost(task: Record) -> Decimal:
    """USD that a task cost; 0 where the gateway has not said."""
    return Decimal(task.cost or 0)
