"""The canaries of a run: which jobs go first, and whether they went so well that the others may. Sends nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kirin_batch.commands.rows import JobRow
from kirin_batch.jobs import Job
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob, pick
from kirin_batch.records import Status

__all__ = ["Canaries", "in_flight_cost", "pick_canaries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """How the jobs that went first ended, and what waits for them: `held_back` jobs of `held_back_cost` USD, as far as
    that is known. `spent`: USD. `is_released`: whether the others were sent.
    """

    rows: tuple[JobRow, ...]
    spent: Decimal
    held_back: int
    held_back_cost: Decimal | None
    is_released: bool = False

    @property
    def lost(self) -> int:
        """How many of them have no result."""
        return sum(row.status is not Status.COMPLETED or row.error is not None for row in self.rows)


def pick_canaries(plan: Plan, jobs: Mapping[str, Job], *, of_each_model: int) -> Plan:
    """The plan for the cheapest jobs of each model that has any to send, so many of each, and for what they need."""
    sending = [planned for planned in plan.jobs if planned.action in SENDING]
    wanted: set[str] = set()
    for model in {planned.model for planned in sending}:
        cheapest = sorted((planned for planned in sending if planned.model == model), key=lambda job: _price(job, jobs))
        wanted.update(planned.job for planned in cheapest[:of_each_model])
    for planned in reversed(plan.jobs):
        if planned.job in wanted and planned.action is not Action.NONE:
            wanted.update(jobs[planned.job].needs)
    return pick(plan, wanted)


def _price(planned: PlannedJob, jobs: Mapping[str, Job]) -> tuple[bool, Decimal]:
    """What puts the cheapest first; where no price is known, what takes the fewest slots is."""
    cost = planned.estimated_cost
    return cost is None, Decimal(jobs[planned.job].slots) if cost is None else cost


def in_flight_cost(plan: Plan, canaries: Plan) -> Decimal:
    """USD that tasks in flight may cost which are not among the canaries: the budget counts them all the while."""
    among = {planned.job for planned in canaries.jobs}
    may_run = {Action.RESUME, Action.UNKNOWN}
    others = (planned for planned in plan.jobs if planned.action in may_run and planned.job not in among)
    costs = (planned.estimated_cost if planned.estimated_cost is not None else plan.dearest for planned in others)
    return sum((cost for cost in costs if cost is not None), Decimal(0))
