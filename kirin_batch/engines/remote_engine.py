"""The engine whose lives are lived by workers of a cluster: makes errands of jobs, and has what their lives share."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from kirin_batch.clock import Clock
from kirin_batch.engines.depot import read_piece
from kirin_batch.engines.knowledge import Knowledge
from kirin_batch.engines.messages import Errand, Parcel, Terms, own_program, pack
from kirin_batch.engines.receiver import Receiver
from kirin_batch.engines.remote_life import RemoteLife
from kirin_batch.engines.work import describe, dismiss, misfit, recall, take_piece, work
from kirin_batch.engines.workers import Call, LostError, Workers
from kirin_batch.errors import GatewayRefusedError, UsageError
from kirin_batch.jobs import Job, Link, LocalFile
from kirin_batch.plan import PlannedJob
from kirin_batch.records import Record, TaskError
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.lookups import Lookups
from kirin_batch.scheduler.observer import Observer
from kirin_batch.scheduler.slots import Turns

__all__ = ["RemoteEngine", "require_fitting_workers"]

_RECALL_SECONDS = 0.5
_DISMISS_SECONDS = 1.0
_DESCRIBE_SECONDS = 30.0
_SERVED_AT_ONCE = 4  # files whose pieces are in memory


class RemoteEngine:
    """Has `workers` do the work; use as a context manager, whose end ends what they still do.

    `recorded_at` gives the SHA-256 that results at a job's places may have. `gone` are the ids of jobs whose results
    will not come any more.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the world
        self,
        workers: Workers,
        terms: Terms,
        parts: Knowledge,
        *,
        recorded_at: Callable[[Job], Mapping[str, frozenset[str | None]]],
        clock: Clock,
        observer: Observer,
        latencies: Latencies,
    ) -> None:
        self.workers = workers
        self.terms = terms
        self.parts = parts
        self.clock = clock
        self.observer = observer
        self.lookups = Lookups()
        self.refusals: dict[str, TaskError] = {}
        self.gone: set[str] = set()
        self.receiver = Receiver(parts.root, workers, at_once=terms.downloads, is_recorded=parts.is_recorded)
        self._recorded_at = recorded_at
        self._latencies = latencies
        self._packed_terms = pack(terms)
        self._run = secrets.token_hex(8)
        self._sent = 0
        self._files: dict[str, Path] = {}
        self._being_served: set[tuple[str, str]] = set()
        self._serving = asyncio.Semaphore(_SERVED_AT_ONCE)
        self._worth_of: Callable[[Job], float] = lambda _job: 0.0
        self._random = Random()  # noqa: S311 - spreads waiting times, keeps no secret

    @property
    def latencies(self) -> Latencies:
        """See Engine."""
        return self._latencies

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.workers.ask_all(dismiss, self._run, seconds=_DISMISS_SECONDS)

    def attach(self, turns: Turns, worth_of: Callable[[Job], float]) -> None:
        """See Engine."""
        self.turns = turns
        self._worth_of = worth_of

    def begin(self, job: Job, planned: PlannedJob) -> RemoteLife:
        """See Engine."""
        return RemoteLife(job, planned, self)

    async def recall(self) -> None:
        """See Engine."""
        await self.workers.ask_all(recall, self._run, seconds=_RECALL_SECONDS)

    def jitter(self) -> float:
        """A number from 0 to 1 that spreads what would happen at once."""
        return self._random.random()

    def send(self, job: Job, planned: PlannedJob) -> tuple[str, Call]:
        """Send a job to some worker; the key of the parcel, and what to hear of it by."""
        self._sent += 1
        key = f"{planned.external_task_id}-{self._run}-{self._sent}"
        errand = pack(self._make_errand(job, planned, key))
        return key, self.workers.submit(work, Parcel(own_program(), self._run, key, self._packed_terms, errand))

    def _make_errand(self, job: Job, planned: PlannedJob, key: str) -> Errand:
        linked = [part for text in job.links.values() for part in text.parts if isinstance(part, Link)]
        needs = {link.job: replace(self.parts.records[link.job], earlier=(), params=None) for link in linked}
        closed = self._offer(job, linked, needs)
        return Errand(
            job=self._as_sent(job, key),
            planned=planned,
            told_params=self.parts.tell_params(job),
            needs=needs,
            recorded=self._recorded_at(job) if self.terms.shared else {},
            recorded_before=self.parts.recorded_before(job),
            closed=closed,
            worth=self._worth_of(job),
            refusal=self.refusals.get(job.digest),
        )

    def _offer(self, job: Job, linked: list[Link], needs: Mapping[str, Record]) -> frozenset[str]:
        """Note which files workers may ask for; the paths of those that they may not have."""
        for file in job.files.values():
            self._files[file.sha256] = file.path
        outputs = [output for link in linked if link.field == "file" for output in needs[link.job].outputs]
        known = {output.path: output.sha256 for output in outputs if output.path and output.sha256}
        closed = frozenset(path for path in known if not self.parts.may_read(path))
        for path, sha256 in known.items():
            if path not in closed:
                self._files.setdefault(sha256, self.parts.root / path)
        return closed

    def _as_sent(self, job: Job, key: str) -> Job:
        """The job as a worker takes it: results go to a folder of their own there, unless the project's is shared."""
        if not self.terms.shared:
            return replace(job, output_stem=f"{key}/{{index}}{{ext}}")
        root = self.parts.root
        files = {
            pointer: LocalFile(file.path.relative_to(root), file.sha256) if file.path.is_relative_to(root) else file
            for pointer, file in job.files.items()
        }
        return replace(job, files=files)

    async def serve(self, sha256: str, worker: str) -> None:
        """Send a file to the worker that asked for it; what cannot be read arrives as nothing, which it tells."""
        if (sha256, worker) in self._being_served:
            return
        self._being_served.add((sha256, worker))
        try:
            async with self._serving:
                await self._send_file(sha256, worker)
        except LostError:
            pass  # whoever still waits for it asks again
        finally:
            self._being_served.remove((sha256, worker))

    async def _send_file(self, sha256: str, worker: str) -> None:
        offset, is_last = 0, False
        while not is_last:
            data, is_last = await asyncio.to_thread(_read, self._files.get(sha256), offset)
            await self.workers.ask(worker, take_piece, self._run, sha256, offset, data, is_last)
            offset += len(data)


def _read(path: Path | None, offset: int) -> tuple[bytes, bool]:
    if path is None:
        return b"", True
    try:
        return read_piece(path, offset)
    except OSError:
        return b"", True


async def require_fitting_workers(workers: Workers, mark: Path | None) -> int:
    """Look at all workers before anything is sent; `mark` is a file of the project as they are to see it. How many.

    Raises UsageError and GatewayRefusedError where one is not what it should be.
    """
    told = await workers.ask_all(describe, str(mark) if mark else None, seconds=_DESCRIBE_SECONDS)
    there = {worker: facts for worker, facts in told.items() if not isinstance(facts, OSError)}  # else it has just gone
    for worker, facts in there.items():
        if isinstance(facts, BaseException):
            raise UsageError(
                f"worker {worker} cannot load kirin-batch as it is here ({facts}): install the same version there"
            ) from facts
        if complaint := misfit(own_program(), facts.program):
            raise UsageError(f"worker {worker} {complaint}")
        if not facts.has_key:
            raise GatewayRefusedError(
                f"worker {worker} has no API key: set KIRIN_API_KEY, or KIRIN_API_KEY_FILE, in its environment"
            )
        if mark and not facts.sees_shared:
            raise UsageError(f"--shared: worker {worker} does not see this project in {mark.parent.parent}")
    return len(there)
