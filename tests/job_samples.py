"""Small jobs, records and plans to start a test from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.plan import Plan, PlanOptions, make_plan
from kirin_batch.prices import Estimates
from kirin_batch.records import Output, Record, Status

__all__ = ["film", "number", "picture", "plan_for", "record_of", "result"]

DATE = "2026-01-31T12:00:00Z"


def picture(id_: str, *, needs: tuple[str, ...] = (), slots: int = 1, request: str = "", take: int = 1) -> Job:
    """A job of one image; `request` stands for all that its digest sees but the take."""
    digest = hashlib.sha256(f"{request or id_} {take}".encode()).hexdigest()
    return Job(
        id=id_,
        spec="s",
        spec_file="specs/s.yaml",
        model="pictures",
        kind="image",
        slots=slots,
        params={"n": slots},
        digest=digest,
        external_task_id=external_task_id("", id_, digest, 1),
        take=take,
        needs=needs,
    )


def film(id_: str, *, needs: tuple[str, ...] = (), request: str = "") -> Job:
    """A job of one film."""
    return replace(picture(id_, needs=needs, request=request), model="films", kind="video", result_type="video")


def result(path: str | None = "outputs/1.png") -> Output:
    """A result that is on disk at `path`, or None: only known by its URL."""
    told = Output(url="https://results.example/1.png", type="image", path=path)
    return replace(told, sha256="ab" * 32, bytes=3) if path else told


def record_of(job: Job, status: Status = Status.COMPLETED, *, task_id: str | None = "task-1") -> Record:
    """The record of a job's first attempt; a completed one has a result and cost 0.028."""
    is_done = status is Status.COMPLETED
    return Record(
        job=job.id,
        model=job.model,
        status=status,
        digest=job.digest,
        external_task_id=job.external_task_id,
        created_at=DATE,
        take=job.take,
        task_id=task_id,
        cost="0.028" if is_done else None,
        outputs=(result(),) if is_done and job.result_type != "text" else (),
        finished_at=None if status is Status.IN_FLIGHT else DATE,
    )


def plan_for(
    jobs: Iterable[Job],
    *records: Record,
    options: PlanOptions | None = None,
    prices: Mapping[str, str] | None = None,
    present: bool = True,
) -> Plan:
    """The plan for jobs against records; `present`: whether results that have a path are on disk."""
    known = {job.id: job for job in jobs}
    by_job = {record.job: record for record in records}
    told = {model: Decimal(price) for model, price in (prices or {}).items()}
    return make_plan(
        known,
        by_job,
        is_present=lambda output: present and output.path is not None,
        estimates=Estimates(by_job, told),
        options=options or PlanOptions(),
    )


def number(record: Record, attempt: int) -> Record:
    """The record with an attempt's number, so that one state of a job can be told from another."""
    return replace(record, attempt=attempt)
