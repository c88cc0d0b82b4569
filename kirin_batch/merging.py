"""Merges what two sides recorded of the same jobs: no task that either of them knows is lost, whatever the order.

A task is known by its external_task_id. Where both sides have it, the one that knows more of it is right; where they
have different tasks of one job, one stays the job's and the others become earlier ones. The result does not depend on
which side is called ours, so that two clones that merge each other end alike. Reads and writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kirin_batch.records import Record, Status

__all__ = ["Merged", "merge_records"]

_Key = tuple[str, bool]
"""What names a task: its external_task_id, and whether it is a sandbox's."""


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
    tasks: dict[_Key, Record] = {}
    for task in (*_tasks(ours), *_tasks(theirs)):
        key = _key(task)
        tasks[key] = max(tasks[key], task, key=_knowledge) if key in tasks else task
    current = _current_of(tasks[_key(ours)], tasks[_key(theirs)])
    earlier = sorted((task for key, task in tasks.items() if key != _key(current)), key=_age)
    return replace(current, earlier=tuple(earlier))


def _tasks(record: Record) -> Iterable[Record]:
    return (*record.earlier, replace(record, earlier=()))


def _key(task: Record) -> _Key:
    return task.external_task_id, task.sandbox


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
    """The one that stays the job's: of one request the one that is nearest to a result, else the newer request."""
    if _key(ours) == _key(theirs):
        return ours
    if ours.digest != theirs.digest or ours.sandbox != theirs.sandbox:
        return max(ours, theirs, key=lambda task: (not task.sandbox, _age(task)))
    if _promise(ours) != _promise(theirs):
        return max(ours, theirs, key=_promise)
    return min(ours, theirs, key=_age)


def _promise(task: Record) -> int:
    """Orders tasks of one request. An intent goes before a failure: it may be a task that nobody looked up yet."""
    if task.status is Status.IN_FLIGHT:
        return 3 if task.task_id else 1
    return {Status.COMPLETED: 4, Status.UNKNOWN: 2, Status.FAILED: 0}[task.status]


def _age(task: Record) -> tuple[str, int, int, str]:
    return task.created_at, task.take, task.attempt, task.external_task_id


def _tell_paid_twice(merged: Record, ours: Record | None, theirs: Record | None) -> list[str]:
    """Two tasks of one request, each made by one side alone, and neither a failure: both cost."""
    if ours is None or theirs is None:
        return []
    our_keys, their_keys = ({_key(task) for task in _tasks(side)} for side in (ours, theirs))
    told = []
    paid = [task for task in _tasks(merged) if _costs(task)]
    for digest in dict.fromkeys(task.digest for task in paid):
        same = [task for task in paid if task.digest == digest]
        if any(_key(task) not in their_keys for task in same) and any(_key(task) not in our_keys for task in same):
            names = " and ".join(sorted(str(task.task_id) for task in same))
            used = next((task for task in same if _key(task) == _key(merged)), same[-1])
            told.append(
                f"{merged.job} was paid for on both sides, as tasks {names}; {used.task_id} is used, all are kept"
            )
    return told


def _costs(task: Record) -> bool:
    return task.task_id is not None and task.status is not Status.FAILED and not task.sandbox
