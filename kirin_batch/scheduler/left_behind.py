"""Tasks in flight that no spec asks for any more, because their job was changed or removed: they were paid for, too.

How they ended is recorded, with their cost and where their results are; nothing of them is downloaded.
"""

from collections.abc import Container, Iterable
from dataclasses import replace

from kirin_batch.clock import Clock, timestamp
from kirin_batch.gateway.answers import Done, Failed, Gateway
from kirin_batch.records import Output, Record, Status, TaskError
from kirin_batch.scheduler.outcome import Recorder

__all__ = ["has_left_behind", "record_left_behind"]


def has_left_behind(records: Iterable[Record], *, jobs: Container[str]) -> bool:
    """Whether any task is in flight that is not the present one of one of `jobs`."""
    return any(_is_open(task) for record in records for task in _left(record, jobs))


async def record_left_behind(
    records: Iterable[Record], *, jobs: Container[str], gateway: Gateway, recorder: Recorder, clock: Clock
) -> None:
    """Ask once for each such task, and record those that have ended. Raises KirinError for a disk that refuses."""
    for record in records:
        ended = {
            task.external_task_id: now
            for task in _left(record, jobs)
            if _is_open(task) and (now := await _ask(task, gateway, clock)) is not None
        }
        if ended:
            current = record if record.job in jobs else ended.get(record.external_task_id, record)
            earlier = tuple(ended.get(task.external_task_id, task) for task in record.earlier)
            await recorder.record(replace(current, earlier=earlier))


def _left(record: Record, jobs: Container[str]) -> Iterable[Record]:
    return record.earlier if record.job in jobs else record.tasks


def _is_open(task: Record) -> bool:
    return task.status in {Status.IN_FLIGHT, Status.UNKNOWN} and task.task_id is not None and not task.sandbox


async def _ask(task: Record, gateway: Gateway, clock: Clock) -> Record | None:
    """The task as it ended; None where it has not, or where nobody can say."""
    match await gateway.query(str(task.task_id)):
        case Done(results=results, cost=cost, element_id=element_id):
            told = None if cost is None else f"{cost:f}"
            outputs = tuple(Output(url=result.url, type=result.type) for result in results)
            ended = replace(
                task, status=Status.COMPLETED, cost=told, element_id=element_id, outputs=outputs, error=None
            )
        case Failed(code=code, message=message):
            ended = replace(task, status=Status.FAILED, error=TaskError(code, message))
        case _:
            return None
    return replace(ended, finished_at=timestamp(clock))
