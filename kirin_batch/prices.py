"""What a task will cost, as far as anyone knows: learned from what tasks of the model cost, else told by kirin.yaml."""

from collections.abc import Mapping
from decimal import Decimal

from kirin_batch.jobs import Job
from kirin_batch.records import Record

__all__ = ["Estimates"]

_CENT_PARTS = Decimal("0.0001")


class Estimates:
    """Estimates in USD, by model and slot (an image task of nine images costs nine times one image)."""

    def __init__(self, records: Mapping[str, Record], prices: Mapping[str, Decimal]) -> None:
        """`prices`: USD a slot by model, for models that no record tells of."""
        paid: dict[str, tuple[Decimal, int]] = {}
        for record in records.values():
            if record.cost is not None:
                # What an image task makes is what it took of the account; films and subjects are single.
                cost, slots = paid.get(record.model, (Decimal(0), 0))
                paid[record.model] = (cost + Decimal(record.cost), slots + max(1, len(record.outputs)))
        self._per_slot = dict(prices) | {model: cost / slots for model, (cost, slots) in paid.items()}

    def of(self, job: Job) -> Decimal | None:
        """What one task of `job` is expected to cost; None where nothing is known of its model."""
        per_slot = self._per_slot.get(job.model)
        return None if per_slot is None else (per_slot * job.slots).quantize(_CENT_PARTS)
