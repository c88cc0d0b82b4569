"""What a task will cost, as far as anyone knows: learned from what tasks like it cost, else told by kirin.yaml.

A record holds no params. Those of its task are known where a job still has its digest; where only its id is left, the
job's params stand for them: prompts change more often than what a price depends on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any

from kirin_batch.jobs import Job
from kirin_batch.records import Record, Status

__all__ = ["Estimate", "Estimates", "Source"]

_CENT_PARTS = Decimal("0.0001")
_GRADES = ("mode", "sound", "resolution", "quality", "size", "fps")  # params that change what one unit costs
_LENGTH = "duration"  # in seconds
_NEWEST_LIKE_IT = 3  # prices change: of tasks alike, older ones do not count
_NEWEST_OF_MODEL = 20
_NOTHING: Mapping[str, Any] = MappingProxyType({})

_Likeness = tuple[object, ...]


class Source(StrEnum):
    """Where an estimate comes from, the best first: tasks alike, other tasks of the model, `prices` in kirin.yaml, and
    last what a sandbox made up.
    """

    HISTORY = "history"
    MODEL = "model"
    PRICES = "prices"
    SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one task is expected to cost, in USD."""

    cost: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class _Paid:
    """A task that was paid for. `units`: its slots times its seconds."""

    likenesses: tuple[_Likeness, ...]
    units: Decimal
    cost: Decimal
    ended_at: str
    is_certain: bool
    is_made_up: bool


class Estimates:
    """Estimates by what a job asks for: first as tasks of the same model, grade and length cost, then of the same
    model and grade, then of the model, all by unit (a slot, and a second of a film).
    """

    def __init__(
        self,
        records: Mapping[str, Record],
        prices: Mapping[str, Decimal],
        *,
        jobs: Mapping[str, Job] = MappingProxyType({}),
        defaults: Callable[[str], Mapping[str, Any]] = lambda _: _NOTHING,
        takes_made_up: bool = False,
    ) -> None:
        """`prices`: USD a slot by model, for models that no record tells of; `defaults`: a model's params unsaid.

        `takes_made_up`: what a sandbox made up is better than nothing; never where money depends on it.
        """
        self._records = records
        self._prices = prices
        self._jobs = jobs
        self._defaults = defaults
        self._takes_made_up = takes_made_up

    @property
    def dearest(self) -> Decimal | None:
        """What the dearest task cost, or costs by `prices`, in USD; None where no price is known at all."""
        real = [*self._prices.values(), *(task.cost for task in self._paid if not task.is_made_up)]
        made_up = (task.cost for task in self._paid if task.is_made_up and self._takes_made_up)
        return max(real or made_up, default=None)

    def of(self, job: Job) -> Estimate | None:
        """What one task of `job` is expected to cost; None where nothing is known of its model."""
        units = job.slots * self._seconds(job.model, job.params)
        likenesses = self._likenesses(job.model, job.params)
        for rank, likeness in enumerate(likenesses):
            # A guess counts only where nothing like it is certain.
            by_unit = self._certain.get(likeness, self._guessed.get(likeness))
            if by_unit is not None:
                return _estimate(by_unit * units, Source.MODEL if rank else Source.HISTORY)
        if job.model in self._prices:
            return _estimate(self._prices[job.model] * job.slots, Source.PRICES)
        found = (self._made_up[likeness] for likeness in likenesses if likeness in self._made_up)
        made_up = next(found, None) if self._takes_made_up else None
        return None if made_up is None else _estimate(made_up * units, Source.SANDBOX)

    @cached_property
    def _paid(self) -> list[_Paid]:
        """What was paid for, in the order of time. Only looked for where somebody asks: it takes a while."""
        return sorted(self._find_paid(), key=lambda task: task.ended_at)

    @cached_property
    def _certain(self) -> dict[_Likeness, Decimal]:
        return _by_unit(task for task in self._paid if task.is_certain and not task.is_made_up)

    @cached_property
    def _guessed(self) -> dict[_Likeness, Decimal]:
        return _by_unit(task for task in self._paid if not task.is_certain and not task.is_made_up)

    @cached_property
    def _made_up(self) -> dict[_Likeness, Decimal]:
        return _by_unit(task for task in self._paid if task.is_made_up)

    def _find_paid(self) -> Iterator[_Paid]:
        by_digest = {job.digest: job for job in self._jobs.values()}
        for record in self._records.values():
            for task in record.tasks:
                if task.cost is None or task.status is not Status.COMPLETED:
                    continue
                if job := by_digest.get(task.digest):
                    yield self._judge(task, task.cost, job.model, job.params, is_certain=True)
                elif task is record:  # of earlier ones nobody knows the model
                    namesake = self._jobs.get(record.job)
                    is_alike = namesake is not None and namesake.model == record.model
                    params = namesake.params if namesake and is_alike else _NOTHING
                    yield self._judge(task, task.cost, record.model, params, is_certain=False)

    def _judge(self, task: Record, cost: str, model: str, params: Mapping[str, Any], *, is_certain: bool) -> _Paid:
        # What an image task makes is what it took of the account; films and subjects are single.
        units = max(1, len(task.outputs)) * self._seconds(model, params)
        ended_at = task.finished_at or task.created_at
        return _Paid(self._likenesses(model, params), units, Decimal(cost), ended_at, is_certain, task.sandbox)

    def _likenesses(self, model: str, params: Mapping[str, Any]) -> tuple[_Likeness, ...]:
        """What tasks may have in common, from much to little."""
        defaults = self._defaults(model)
        grade = tuple(str(params.get(name, defaults.get(name))) for name in _GRADES)
        return (model, grade, self._seconds(model, params)), (model, grade), (model,)

    def _seconds(self, model: str, params: Mapping[str, Any]) -> Decimal:
        """The length of a film; 1 where there is none."""
        try:
            seconds = Decimal(str(params.get(_LENGTH, self._defaults(model).get(_LENGTH, 1))))
        except InvalidOperation:
            return Decimal(1)
        return seconds if seconds.is_finite() and seconds > 0 else Decimal(1)


def _estimate(cost: Decimal, source: Source) -> Estimate:
    return Estimate(cost.quantize(_CENT_PARTS), source)


def _by_unit(paid: Iterable[_Paid]) -> dict[_Likeness, Decimal]:
    """USD a unit for each likeness of tasks, the newest last."""
    alike: dict[_Likeness, list[_Paid]] = {}
    for task in paid:
        for likeness in task.likenesses:
            alike.setdefault(likeness, []).append(task)
    return {likeness: _mean(tasks, is_mixed=len(likeness) == 1) for likeness, tasks in alike.items()}


def _mean(tasks: list[_Paid], *, is_mixed: bool) -> Decimal:
    newest = tasks[-(_NEWEST_OF_MODEL if is_mixed else _NEWEST_LIKE_IT) :]
    return sum((task.cost for task in newest), Decimal(0)) / sum((task.units for task in newest), Decimal(0))
