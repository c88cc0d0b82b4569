"""What is known of a job's task, as data: one record is one line of the lockfile and of the journal.

A record of status `in_flight` without a task id is an intent: a create may or may not have reached the gateway, and
only a query for its external_task_id can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Mismatch", "Output", "Record", "Status", "TaskError"]


class Status(StrEnum):
    """How a job stands. Records hold the first four; `blocked` and `pending` are told of jobs without a task."""

    COMPLETED = "completed"
    FAILED = "failed"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Output:
    """One result: `path` below the project's root, `sha256` and `bytes` are None until it is on disk.

    `type` is the gateway's word (`image`, `video`); `url` is where the gateway serves it, for at most 30 days.
    `served_sha256` is of what it served, where the file differs from that: a note was embedded.
    """

    url: str
    type: str
    path: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    served_sha256: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The form of the lockfile and of `--format json`."""
        served = {} if self.served_sha256 is None else {"served_sha256": self.served_sha256}
        return {
            "path": self.path,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "type": self.type,
            "url": self.url,
            **served,
        }


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a job failed: the gateway's code as text (leading zeros count; "" where there is none) and its message."""

    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """The form of the lockfile and of `--format json`."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Results that came and are not what was asked for: a warning, because they are paid for and kept.

    `what` is `count`, `kind`, `ratio`, `resolution` or `duration`; `asked` and `got` are for people. `outputs` are the
    numbers of the results, from 1; none where all of them together are meant.
    """

    what: str
    asked: str
    got: str
    outputs: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form of the lockfile and of `--format json`."""
        return {"what": self.what, "asked": self.asked, "got": self.got, "outputs": list(self.outputs)}

    def __str__(self) -> str:
        numbers = ", ".join(map(str, self.outputs))
        which = f" (result{'s' if len(self.outputs) > 1 else ''} {numbers})" if numbers else ""
        return f"{self.what}: asked {self.asked}, got {self.got}{which}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A job's task and what became of it.

    `cost` is USD as decimal text, as the gateway said it; times are UTC, `2026-01-31T12:00:00Z`. `earlier` holds the
    tasks that this job had before (other digests, takes and attempts), newest last: what was paid for is never
    forgotten. `warnings` tell where its results are not what was asked for. `sandbox` marks what `run --sandbox` made.
    `params` are what was asked for, as others may see it (None: nobody noted it): a plan tells what changed since.
    """

    job: str
    model: str
    status: Status
    digest: str
    external_task_id: str
    created_at: str
    take: int = 1
    attempt: int = 1
    task_id: str | None = None
    cost: str | None = None
    error: TaskError | None = None
    element_id: int | None = None
    outputs: tuple[Output, ...] = ()
    finished_at: str | None = None
    warnings: tuple[Mismatch, ...] = ()
    sandbox: bool = False
    params: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    earlier: tuple["Record", ...] = field(default=(), repr=False)

    @property
    def tasks(self) -> tuple["Record", ...]:
        """All tasks that its job had, newest last."""
        return (*self.earlier, self)

    def as_json(self) -> dict[str, Any]:
        """The line of the lockfile, keys in its fixed order."""
        line = {"job": self.job, "model": self.model, **self._task_as_json()}
        if self.earlier:
            line["earlier"] = [record._task_as_json() for record in self.earlier]  # noqa: SLF001 - its own class
        return line

    def _task_as_json(self) -> dict[str, Any]:
        task: dict[str, Any] = {
            "status": str(self.status),
            "digest": self.digest,
            "take": self.take,
            "attempt": self.attempt,
            "external_task_id": self.external_task_id,
            "task_id": self.task_id,
            "cost": self.cost,
            "error": self.error.as_json() if self.error else None,
            "element_id": self.element_id,
            "outputs": [output.as_json() for output in self.outputs],
            "created_at": self.created_at,
            "finished_at": self.finished_at,
        }
        if self.warnings:
            task["warnings"] = [warning.as_json() for warning in self.warnings]
        if self.sandbox:
            task["sandbox"] = True
        if self.params is not None:
            task["params"] = self.params
        return task

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Record":
        """The record of a line that satisfies `schemas/lock.schema.json`; unknown keys are left out."""
        earlier = tuple(cls._from_task(task, job=line["job"], model=line["model"]) for task in line.get("earlier", ()))
        return cls._from_task(line, job=line["job"], model=line["model"], earlier=earlier)

    @classmethod
    def _from_task(
        cls, task: Mapping[str, Any], *, job: str, model: str, earlier: tuple["Record", ...] = ()
    ) -> "Record":
        error = task["error"]
        return cls(
            job=job,
            model=model,
            status=Status(task["status"]),
            digest=task["digest"],
            take=task["take"],
            attempt=task["attempt"],
            external_task_id=task["external_task_id"],
            task_id=task["task_id"],
            cost=task["cost"],
            error=TaskError(error["code"], error["message"]) if error else None,
            element_id=task["element_id"],
            outputs=tuple(
                Output(
                    url=out["url"],
                    type=out["type"],
                    path=out["path"],
                    sha256=out["sha256"],
                    bytes=out["bytes"],
                    served_sha256=out.get("served_sha256"),
                )
                for out in task["outputs"]
            ),
            created_at=task["created_at"],
            finished_at=task["finished_at"],
            warnings=tuple(
                Mismatch(told["what"], told["asked"], told["got"], tuple(told["outputs"]))
                for told in task.get("warnings", ())
            ),
            sandbox=task.get("sandbox", False),
            params=task.get("params"),
            earlier=earlier,
        )
