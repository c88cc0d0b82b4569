"""Before a run: what its plan takes from elsewhere becomes the record of the job that has it now, files included."""

import asyncio
from dataclasses import replace
from functools import partial

from kirin_batch.commands.planning import without_outside
from kirin_batch.commands.workspace import Workspace
from kirin_batch.journal import Ledger
from kirin_batch.outputs.relocation import take_along
from kirin_batch.outputs.replaced import bring_back
from kirin_batch.plan import Action, Plan, PlannedJob
from kirin_batch.records import Record

__all__ = ["settle_records"]


async def settle_records(plan: Plan, workspace: Workspace, ledger: Ledger) -> bool:
    """Record what the plan takes from elsewhere: of an earlier digest, or of another id, whose files come along.

    Whether there was anything. Raises KirinError for a disk that refuses.
    """
    project, has_changed = workspace.project, False
    for planned in _in_order_of_places(plan):
        record = planned.record
        if record is None or record is ledger.records.get(planned.job):
            continue
        has_changed = True
        job, record = workspace.specs.jobs[planned.job], without_outside(project, record)
        if planned.moved_from or planned.taken_from:
            is_gone = planned.moved_from is not None  # else what lies there may be newer
            take = partial(take_along, project.root, job, record.outputs, edited=is_gone)
            record = replace(record, outputs=await asyncio.to_thread(take))
        else:
            record = await asyncio.to_thread(bring_back, project.root, job, record)
        if planned.moved_from:
            await ledger.move(record, moved_from=planned.moved_from)
        else:
            await ledger.record(record)
    return await _drop_copies(plan, workspace, ledger) or has_changed


async def _drop_copies(plan: Plan, workspace: Workspace, ledger: Ledger) -> bool:
    """Forget old names of renamed jobs, which a merge of conflict marks brings back; whether there were any.

    Every task of such a record is one of a job that a spec has: nothing that was paid for is forgotten. Its files go
    where those of that job lie.
    """
    jobs = workspace.specs.jobs
    heirs = {task_id: job for job in jobs if job in ledger.records for task_id in _task_ids(ledger.records[job])}
    copies = [planned.record for planned in plan.jobs if planned.action is Action.ORPHAN and planned.record]
    copies = [record for record in copies if None not in (ids := _task_ids(record)) and ids <= heirs.keys()]
    for record in copies:
        job = jobs[heirs[record.task_id]]
        if ledger.records[job.id].task_id == record.task_id:
            outputs = without_outside(workspace.project, record).outputs
            await asyncio.to_thread(take_along, workspace.project.root, job, outputs, edited=False)
        await ledger.forget(record.job)
    return bool(copies)


def _task_ids(record: Record) -> set[str | None]:
    return {task.task_id for task in record.tasks}


def _in_order_of_places(plan: Plan) -> list[PlannedJob]:
    """Planned jobs, each before the one that comes to where its results lie: names that were shifted make way."""
    ordered: list[PlannedJob] = []
    waiting = {planned.job: planned for planned in plan.jobs if planned.action is not Action.ORPHAN}
    heirs = {planned.taken_from or planned.moved_from: planned.job for planned in waiting.values()}
    while waiting:
        job = next(iter(waiting))
        chain = [job]
        while (job := heirs.get(job, "")) in waiting and job not in chain:
            chain.append(job)
        ordered += [waiting.pop(name) for name in reversed(chain)]
    return ordered
