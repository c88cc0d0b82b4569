"""What a run may spend: the price of a job is reserved before its create and settled by its cost.

Never more than one job goes over the limit, whatever runs in parallel, as long as estimates hold. So a job of unknown
price counts as the dearest known, and of a model nobody has paid for yet one goes at a time: it may cost anything, and
the first that ends tells the price of the others. An estimate that turns out too low corrects those of its model, what
is in flight included, so that only what was sent by then can go over.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from kirin_batch.jobs import Job

__all__ = ["Budget"]

_NOTHING = Decimal(0)
_AS_ESTIMATED = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Reserved:
    """What a job in flight counts: USD as estimated, or slots that have the price of their model."""

    model: str
    slots: int
    estimate: Decimal | None


class Budget:
    """USD spent and reserved, against the most that the run may spend (None: no limit)."""

    def __init__(self, most: Decimal | None) -> None:
        self._most = most
        self._reserved: dict[str, _Reserved] = {}
        self._equal: dict[_Reserved, _Reserved] = {}  # most jobs reserve the same: one object stands for all
        self._left: set[str] = set()
        self._estimated: dict[str, Decimal] = {}  # of what is in flight, by model
        self._unpriced: Counter[str] = Counter()  # jobs in flight without an estimate, by model
        self._unpriced_slots: Counter[str] = Counter()
        self._per_slot: dict[str, Decimal] = {}
        self._correction: dict[str, Decimal] = {}
        self._silent: set[str] = set()
        self._dearest = _NOTHING
        self.spent = _NOTHING

    def know(self, price: Decimal | None) -> None:
        """Learn what some task costs, or is expected to: jobs of unknown price count as the dearest."""
        self._dearest = max(self._dearest, price or _NOTHING)

    @property
    def reserved(self) -> Decimal:
        """USD of what is in flight, by what is known now."""
        estimated = (amount * self._corrected(model) for model, amount in self._estimated.items())
        unpriced = (self._unpriced_cost(model) for model, jobs in self._unpriced.items() if jobs)
        return sum(estimated, _NOTHING) + sum(unpriced, _NOTHING)

    @property
    def may_free(self) -> bool:
        """Whether anything is in flight whose end may leave more to spend."""
        return self._reserved.keys() > self._left

    def allows(self, job: Job, estimate: Decimal | None) -> bool:
        """Whether a job of this estimate may be sent now."""
        if self._most is None:
            return True
        left = self._most - self.spent - self.reserved
        price = self._price(job, estimate)
        if price is not None:
            return price <= left
        is_alone = not any(jobs and self._may_cost_anything(model) for model, jobs in self._unpriced.items())
        return 0 < left >= self._dearest and (is_alone or not self._may_cost_anything(job.model))

    def reserve(self, job: Job, estimate: Decimal | None) -> None:
        """Count a job as in flight."""
        reserved = _Reserved(job.model, job.slots, self._believe(job, estimate))
        self._reserved[job.id] = self._equal.setdefault(reserved, reserved)
        self._count(reserved, by=1)
        self.know(self._price(job, estimate))

    def leave(self, job: Job) -> None:
        """The job's task outlives the run, or may: what was reserved for it stays so."""
        if job.id in self._reserved:
            self._left.add(job.id)

    def settle(self, job: Job, cost: Decimal | None, *, completed: bool, is_adopted: bool = False) -> None:
        """The job's task has ended: what it cost replaces what was reserved.

        A completed task whose cost the gateway does not name counts as it was reserved; one that was adopted was paid
        for before, and costs this run nothing.
        """
        if job.id not in self._reserved:
            return
        reserved = self._reserved.pop(job.id)
        self._count(reserved, by=-1)
        price = self._price(job, reserved.estimate)
        counted = self._dearest if price is None else price
        spent = (counted if cost is None and completed else cost) or _NOTHING
        self.spent += _NOTHING if is_adopted else spent
        self.know(spent)
        if cost is not None:
            self._learn(reserved, cost)
        elif completed:
            self._silent.add(job.model)  # it will not tell the next time either

    def _learn(self, reserved: _Reserved, cost: Decimal) -> None:
        model = reserved.model
        self._per_slot[model] = max(self._per_slot.get(model, _NOTHING), cost / reserved.slots)
        if reserved.estimate:
            self._correction[model] = max(self._corrected(model), cost / reserved.estimate)

    def _count(self, reserved: _Reserved, *, by: int) -> None:
        model, estimate = reserved.model, reserved.estimate
        if estimate is None:
            self._unpriced[model] += by
            self._unpriced_slots[model] += by * reserved.slots
        else:
            self._estimated[model] = self._estimated.get(model, _NOTHING) + by * estimate

    def _price(self, job: Job, estimate: Decimal | None) -> Decimal | None:
        """The estimate as this run corrects it, or what tasks of this run taught; None where nothing is known."""
        believed = self._believe(job, estimate)
        if believed is not None:
            return believed * self._corrected(job.model)
        per_slot = self._per_slot.get(job.model)
        return None if per_slot is None else per_slot * job.slots

    def _believe(self, job: Job, estimate: Decimal | None) -> Decimal | None:
        """The estimate, unless it says that a task is free and one was not: nothing can correct that."""
        return None if estimate == 0 and self._per_slot.get(job.model) else estimate

    def _unpriced_cost(self, model: str) -> Decimal:
        per_slot = self._per_slot.get(model)
        by_slot = self._unpriced_slots[model] * (per_slot or _NOTHING)
        return self._unpriced[model] * self._dearest if per_slot is None else by_slot

    def _corrected(self, model: str) -> Decimal:
        return self._correction.get(model, _AS_ESTIMATED)

    def _may_cost_anything(self, model: str) -> bool:
        return model not in self._per_slot and model not in self._silent
