"""What a run may spend: the estimate of a job is reserved before its create and settled by its cost."""

from decimal import Decimal

__all__ = ["Budget"]


class Budget:
    """USD spent and reserved, against the most that the run may spend (None: no limit)."""

    def __init__(self, most: Decimal | None) -> None:
        self._most = most
        self._reserved: dict[str, Decimal | None] = {}
        self._dearest = Decimal(0)
        self.spent = Decimal(0)

    @property
    def reserved(self) -> Decimal:
        """USD of what is in flight; a job of unknown price counts as the dearest known."""
        return sum((self._dearest if cost is None else cost for cost in self._reserved.values()), Decimal(0))

    def allows(self, estimate: Decimal | None) -> bool:
        """Whether a job of this estimate may be sent now.

        A job of unknown price goes alone as long as no price is known at all: what it costs tells the next ones.
        """
        if self._most is None:
            return True
        left = self._most - self.spent - self.reserved
        if estimate is None and not self._dearest:
            return left > 0 and not self._reserved
        blind = any(cost is None for cost in self._reserved.values()) and not self._dearest
        return not blind and (self._dearest if estimate is None else estimate) <= left

    def reserve(self, job: str, estimate: Decimal | None) -> None:
        """Count a job as in flight."""
        self._reserved[job] = estimate
        self._dearest = max(self._dearest, estimate or Decimal(0))

    @property
    def has_reserved(self) -> bool:
        """Whether anything is in flight whose cost is not known yet."""
        return bool(self._reserved)

    def settle(self, job: str, cost: Decimal | None, *, completed: bool) -> None:
        """The job's task has ended: what it cost replaces what was reserved.

        A completed task whose cost the gateway does not name counts with its estimate.
        """
        if job not in self._reserved:
            return
        estimate = self._reserved.pop(job)
        spent = estimate if cost is None and completed else cost
        self.spent += spent or Decimal(0)
        self._dearest = max(self._dearest, spent or Decimal(0))
