"""Where results are besides the disk: in the project's store, or at URLs alone, which die after about 30 days."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kirin_batch.clock import Clock, SystemClock, age_of
from kirin_batch.commands.planning import presence
from kirin_batch.commands.rows import JobRow
from kirin_batch.journal import load_records
from kirin_batch.plan import Action, Plan
from kirin_batch.project import Project
from kirin_batch.records import Output, Record, Status

if TYPE_CHECKING:
    from kirin_batch.outputs.keeper import Keeper

__all__ = ["URL_DAYS", "OnlyUrls", "find_only_urls", "lacking_outputs", "open_keeper"]

URL_DAYS = 30
"""So long, about, the gateway serves a result."""

_DAY_SECONDS = 86400


@contextmanager
def open_keeper(project: Project, *, is_wanted: bool = True, trusts_memory: bool = True) -> "Iterator[Keeper | None]":
    """The project's store, if it has one and `is_wanted`. Raises UsageError where what it needs is not installed."""
    if project.settings.store is None or not is_wanted:
        yield None
        return
    # Measured: fsspec takes 60 ms to import, and loads s3fs, which takes 300 ms, for a bucket.
    from kirin_batch.outputs.keeper import Keeper  # noqa: PLC0415 - see above

    with Keeper(project, project.settings.store, trusts_memory=trusts_memory) as keeper:
        yield keeper


def lacking_outputs(plan: Plan, project: Project, records: Mapping[str, Record]) -> dict[str, list[Output]]:
    """The recorded results that the plan would fetch, by job."""
    is_present = presence(project, records.values())
    fetched = {
        planned.job: planned.record for planned in plan.jobs if planned.record and planned.action is Action.FETCH
    }
    return {job: [out for out in record.outputs if not is_present(out)] for job, record in fetched.items()}


@dataclass(frozen=True, slots=True)
class OnlyUrls:
    """Results that are nowhere but at the gateway's addresses: their jobs, with the ages of their tasks in days.

    `store_fault`: why the store could not be asked about them.
    """

    results: int
    ages: Mapping[str, float]
    store_fault: str = ""

    @property
    def oldest_days(self) -> float:
        """The age of the oldest."""
        return max(self.ages.values())

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`."""
        return {"results": self.results, "jobs": list(self.ages), "oldest_days": round(self.oldest_days, 1)}


def find_only_urls(project: Project, rows: Iterable[JobRow], *, clock: Clock | None = None) -> OnlyUrls | None:
    """The results of completed jobs that are neither on disk nor, as far as can be told, in the store; None for none.

    A store is asked about results of which this clone does not know that it has them.
    """
    is_present = presence(project, load_records(project.lockfile, project.journal).values())
    real = [row.record for row in rows if row.record and not row.is_orphan and not row.record.sandbox]
    completed = {record.job: record for record in real if record.status is Status.COMPLETED}
    absent = {
        job: missing
        for job, record in completed.items()
        if (missing := [output for output in record.outputs if not is_present(output)])
    }
    left, fault = _without_kept(project, absent) if absent else (absent, "")
    if not left:
        return None
    dates = {job: completed[job].finished_at or completed[job].created_at for job in left}
    ages = {job: age_of(date, clock or SystemClock()) / _DAY_SECONDS for job, date in dates.items()}
    return OnlyUrls(sum(map(len, left.values())), ages, fault)


def _without_kept(project: Project, absent: dict[str, list[Output]]) -> tuple[dict[str, list[Output]], str]:
    """What of it no store holds, and why the store could not tell."""
    with open_keeper(project) as keeper:
        if keeper is None:
            return absent, ""
        for answer in keeper.look(output for missing in absent.values() for output in missing):
            answer.result()
        left = {job: [output for output in missing if not keeper.holds(output)] for job, missing in absent.items()}
        return {job: missing for job, missing in left.items() if missing}, keeper.fault
