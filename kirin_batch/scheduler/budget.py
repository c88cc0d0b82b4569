"""What a run may spend: the price of a job is reserved before its create and settled by its cost.

With prices that hold, no more than one job ever goes over the limit: only one of unknown price is in flight at a time.
"""

from decimal import Decimal

from kirin_batch.jobs import Job

__all__ = ["Budget"]


class Budget:
    """USD spent and reserved, against the most that the run may spend (None: no limit)."""

    def __init__(self, most: Decimal | None) -> None:
        self._most = most
        self._reserved: dict[str, Decimal | None] = {}
        self._left: set[str] = set()
        self._per_slot: dict[str, Decimal] = {}
        self._dearest = Decimal(0)
        self.spent = Decimal(0)

    @property
    def reserved(self) -> Decimal:
        """USD of what is in flight; a job of unknown price counts as the dearest known."""
        return sum((self._dearest if price is None else price for price in self._reserved.values()), Decimal(0))

    @property
    def may_free(self) -> bool:
        """Whether anything is in flight whose end may leave more to spend."""
        return self._reserved.keys() > self._left

    def allows(self, job: Job, estimate: Decimal | None) -> bool:
        """Whether a job of this estimate may be sent now; of those of unknown price, one goes after the other."""
        if self._most is None:
            return True
        left = self._most - self.spent - self.reserved
        price = self._price(job, estimate)
        return (left > 0 and None not in self._reserved.values()) if price is None else price <= left

    def reserve(self, job: Job, estimate: Decimal | None) -> None:
        """Count a job as in flight."""
        price = self._reserved[job.id] = self._price(job, estimate)
        self._dearest = max(self._dearest, price or Decimal(0))

    def leave(self, job: Job) -> None:
        """The job's task outlives the run, or may: what was reserved for it stays so."""
        if job.id in self._reserved:
            self._left.add(job.id)

    def settle(self, job: Job, cost: Decimal | None, *, completed: bool, is_adopted: bool = False) -> None:
        """The job's task has ended: what it cost replaces what was reserved.

        A completed task whose cost the gateway does not name counts with its estimate; one that was adopted was paid
        for before, and costs this run nothing.
        """
        if job.id not in self._reserved:
            return
        price = self._reserved.pop(job.id)
        spent = (price if cost is None and completed else cost) or Decimal(0)
        self.spent += Decimal(0) if is_adopted else spent
        self._dearest = max(self._dearest, spent)
        if cost is not None:
            self._per_slot[job.model] = max(self._per_slot.get(job.model, Decimal(0)), cost / job.slots)

    def _price(self, job: Job, estimate: Decimal | None) -> Decimal | None:
        """The estimate, or what tasks of this run taught; None where nothing is known of the model."""
        per_slot = self._per_slot.get(job.model)
        return per_slot * job.slots if estimate is None and per_slot is not None else estimate
