"""What driver and workers tell each other: plain data, packed by the one and unpacked by the other.

Both must be the same program with the same schemas: that is seen before anything is unpacked. None holds the key.
"""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Generic, TypeVar, cast

from kirin_batch import __version__
from kirin_batch.jobs import Job
from kirin_batch.models.catalog import schema_folder
from kirin_batch.plan import PlannedJob
from kirin_batch.records import Output, Record, TaskError
from kirin_batch.scheduler.life import Pause
from kirin_batch.scheduler.observer import Stage
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.surroundings import Rules

__all__ = [
    "Answer",
    "Ended",
    "Errand",
    "Facts",
    "Heard",
    "Kept",
    "News",
    "Observed",
    "Packed",
    "Parcel",
    "Program",
    "Taken",
    "Terms",
    "Told",
    "Trouble",
    "Wanted",
    "own_program",
    "pack",
]

_Message = TypeVar("_Message")


class Packed(Generic[_Message]):
    """A message as bytes, which shows nothing of itself in logs and dashboards."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes>"

    def open(self) -> _Message:
        """The message. Who can put one in the way can have any code run anyway: that is what clusters are for."""
        return cast("_Message", pickle.loads(self.data))  # noqa: S301 - see above


def pack(message: _Message) -> Packed[_Message]:
    """A message on its way."""
    return Packed(pickle.dumps(message, protocol=5))


@dataclass(frozen=True, slots=True)
class Program:
    """What must be equal on both sides: the program's version, and a hash of the schemas that it has."""

    version: str
    schemas: str


@cache
def own_program() -> Program:
    """The program that runs here."""
    seen = hashlib.sha256()
    for path in sorted(schema_folder().rglob("*.schema.json")):
        data = path.read_bytes()
        seen.update(f"{path.name} {len(data)}\n".encode() + data)
    return Program(__version__, seen.hexdigest()[:12])


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for all jobs of a run: settings of the project, and where results go.

    `requests_per_second` is one worker's share. `shared` is the folder in which workers find the project, None where
    they do not. `store`: the address of one. `schemas` are the texts of further models' schemas by file name, and
    `latencies` how long tasks took so far, as `Latencies.dump` tells it.
    """

    base_url: str
    timeout_seconds: float
    requests_per_second: float | None
    result_bytes: int
    downloads: int
    rules: Rules
    is_downloading: bool
    is_embedding: bool
    shared: str | None
    store: str | None
    schemas: Mapping[str, str]
    latencies: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One job, and what of the driver's knowledge its work takes.

    `told_params` are the params as others may see them, `needs` the records of the jobs that it refers to, `recorded`
    the SHA-256 of what its places may hold, `recorded_before` the results that its task is known to have. `closed` are
    paths below the root that the project may not read. `worth` is what a second late is worth (see `pacing`).
    `refusal`: its content was refused before.
    """

    job: Job
    planned: PlannedJob
    told_params: Mapping[str, Any] | None
    needs: Mapping[str, Record]
    recorded: Mapping[str, frozenset[str | None]]
    recorded_before: tuple[Output, ...]
    closed: frozenset[str]
    worth: float
    refusal: TaskError | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent to a worker: who sent it, for which run, under which key, and the errand."""

    program: Program
    run: str
    key: str
    terms: Packed[Terms] = field(repr=False)
    errand: Packed[Errand] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that ends the run: `kind` is the name of its class, which the driver raises; "" for a bug."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How far a worker came with a job: to an outcome, to a pause that the driver decides about, or it was recalled.

    `record` is the job's last (None: there is none), of any worth where `has_recorded`. `attempt` and `external_id` are
    those of its present task. `is_unsent`: nothing came of its create. `retry_after`: what the gateway asked for.
    `held` are the results that wait at `worker`; `is_stored`: they are in the store, and were inspected. `is_gone`:
    they will not come any more.
    """

    worker: str
    found: Outcome | Pause | None = None
    trouble: Trouble | None = None
    record: Record | None = None
    has_recorded: bool = False
    attempt: int = 1
    external_id: str = ""
    is_unsent: bool = False
    retry_after: float | None = None
    held: tuple[str, ...] = ()
    is_stored: bool = False
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A job came to a stage."""

    stage: Stage
    detail: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to be on disk: an intent (a create may follow), or the task's id."""

    record: Record


@dataclass(frozen=True, slots=True)
class Taken:
    """The gateway took a create."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The task has ended: it holds no slots any more."""


@dataclass(frozen=True, slots=True)
class Observed:
    """How long a task took; see `Latencies.observe`."""

    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether a task that exists is found by its external_task_id; see `Lookups.note`."""

    external_id: str
    is_found: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A worker has no file of this content, and is to be sent it."""

    sha256: str
    worker: str


News = Told | Kept | Taken | Ended | Observed | Heard | Wanted
"""What a worker tells on the way."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker says of itself. `sees_shared`: whether it found the file by which a shared folder is known."""

    program: Program
    has_key: bool
    sees_shared: bool
