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
    return has_changed


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
