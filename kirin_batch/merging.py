"""Merges what two sides recorded of the same jobs: no task that either of them knows is lost, whatever the order.

A task is known by the gateway's id, and before that by its request: digest and external_task_id. Where both sides have
it, the one that knows more of it is right; where they have different tasks of one job, one stays the job's and the
others become earlier ones. The result does not depend on which side is called ours, so that two clones that merge each
other end alike. Reads and writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kirin_batch.records import Record, Status

__all__ = ["Merged", "merge_records"]

_Request = tuple[str, str, bool]
"""External_task_id and digest (an id that a spec gives outlives a refused request), and whether it is a sandbox's."""

_EXISTS = 3  # the least `_promise` of a task that may still bring a result, or has


@dataclass(frozen=True, slots=True)
class Merged:
    """The records by job id, and a sentence for each request that was paid for on both sides."""

    records: dict[str, Record]
    paid_twice: tuple[str, ...]


def merge_records(base: Mapping[str, Record], ours: Mapping[str, Record], theirs: Mapping[str, Record]) -> Merged:
    """Three-way merge by job. A job that one side forgot and the other left as it was in `base` is forgotten."""
    records: dict[str, Record] = {}
    paid_twice: list[str] = []
    for job in sorted(ours.keys() | theirs.keys()):
        merged = _merge_job(base.get(job), ours.get(job), theirs.get(job))
        if merged:
            records[job] = merged
            paid_twice += _tell_paid_twice(merged, ours.get(job), theirs.get(job))
    return Merged(records, tuple(paid_twice))


def _merge_job(base: Record | None, ours: Record | None, theirs: Record | None) -> Record | None:
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    if ours is None or theirs is None:
        return ours or theirs  # one side forgot what the other went on with
    return _combine(ours, theirs)


def _combine(ours: Record, theirs: Record) -> Record:
    tasks = _distinct([*_tasks(ours), *_tasks(theirs)])
    current = _current_of(_known(tasks, ours), _known(tasks, theirs))
    # A line names the model of its current task alone, and earlier ones are read as of that model.
    earlier = [replace(task, model=current.model) for task in tasks if not _is_same(task, current)]
    return replace(current, earlier=tuple(sorted(earlier, key=_age)))


def _tasks(record: Record) -> tuple[Record, ...]:
    return (*record.earlier, replace(record, earlier=()))


def _distinct(tasks: Iterable[Record]) -> list[Record]:
    """Each task once, as the side that knows more has it; what has no task id yet is a task of its request, if any."""
    best: dict[tuple[_Request, str | None], Record] = {}
    for task in tasks:
        key = _request(task), task.task_id
        best[key] = max(best.get(key, task), task, key=_knowledge)
    seen = {request for request, task_id in best if task_id is not None}
    return [task for (request, task_id), task in best.items() if task_id is not None or request not in seen]


def _request(task: Record) -> _Request:
    return task.external_task_id, task.digest, task.sandbox


def _is_same(task: Record, other: Record) -> bool:
    """Whether two records are of one task, as far as both know it."""
    return _request(task) == _request(other) and (
        task.task_id == other.task_id or task.task_id is None or other.task_id is None
    )


def _known(tasks: Iterable[Record], side: Record) -> Record:
    """What both sides together know of a side's current task."""
    found = max((task for task in tasks if _is_same(task, side)), key=_knowledge)
    return replace(found, model=side.model)


def _knowledge(task: Record) -> tuple[object, ...]:
    """Orders what is known of one task: how it ended, else that it exists, else that it may; files before URLs."""
    match task.status, task.task_id:
        case Status.COMPLETED, _:
            rank = 5
        case Status.FAILED, str():
            rank = 4
        case Status.IN_FLIGHT, str():
            rank = 3
        case Status.UNKNOWN, _:
            rank = 2
        case Status.FAILED, None:
            rank = 1  # refused, as far as this side was told
        case _:
            rank = 0
    files = sum(output.path is not None for output in task.outputs)
    return rank, files, task.finished_at or "", str(task.as_json())


def _current_of(ours: Record, theirs: Record) -> Record:
    """The one that stays the job's: the newer request; of one request the task that is nearest to a result, then the
    older; where no task is known to exist, the later attempt, whose side had given the other one up.
    """
    both = ours, theirs
    if _is_same(ours, theirs):
        return ours
    if ours.digest != theirs.digest or ours.sandbox != theirs.sandbox:
        return max(both, key=lambda task: (not task.sandbox, _age(task)))
    if max(map(_promise, both)) < _EXISTS:
        return max(both, key=lambda task: (task.attempt, _promise(task), _age(task)))
    if _promise(ours) != _promise(theirs):
        return max(both, key=_promise)
    return min(both, key=_age)


def _promise(task: Record) -> int:
    """Orders tasks of one request. An intent goes before a failure: it may be a task that nobody looked up yet."""
    if task.status is Status.IN_FLIGHT:
        return _EXISTS if task.task_id else 1
    return {Status.COMPLETED: 4, Status.UNKNOWN: 2, Status.FAILED: 0}[task.status]


def _age(task: Record) -> tuple[str, int, int, str, str]:
    return task.created_at, task.take, task.attempt, task.external_task_id, str(task.as_json())


def _tell_paid_twice(merged: Record, ours: Record | None, theirs: Record | None) -> list[str]:
    """A sentence for each request of which either side has a task that the other one has not, failures aside."""
    if ours is None or theirs is None:
        return []
    told = []
    paid = [task for task in _tasks(merged) if _costs(task)]
    for digest in dict.fromkeys(task.digest for task in paid):
        same = [task for task in paid if task.digest == digest]
        if all(any(not _has(side, task) for task in same) for side in (ours, theirs)):
            names = " and ".join(sorted(str(task.task_id) for task in same))
            used = f"{merged.task_id} is used, " if any(_is_same(task, merged) for task in same) else ""
            told.append(f"{merged.job} was paid for on both sides, as tasks {names}; {used}all are kept")
    return told


def _has(side: Record, task: Record) -> bool:
    return any(_is_same(known, task) for known in _tasks(side))


def _costs(task: Record) -> bool:
    return task.task_id is not None and task.status is not Status.FAILED and not task.sandbox
