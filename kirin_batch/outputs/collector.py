"""Downloads the results of a task: each is written beside its place, checked, flushed, and renamed when all are there.

So what stands under a result's name is complete; whatever bears the part suffix is a leftover of a run that died. A
download that breaks off keeps its part for the next try, never for the next run.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from kirin_batch.clock import Clock
from kirin_batch.disk import PART_SUFFIX, flush_folder
from kirin_batch.errors import KirinError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import Gateway, Result
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.outputs.courier import Courier
from kirin_batch.outputs.embedding import Note
from kirin_batch.outputs.replaced import IsRecorded, keep_copy
from kirin_batch.outputs.sink import Part, Sink
from kirin_batch.records import Output
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Downloader", "Lister", "remove_leftovers"]

_STALE_SECONDS = 3600.0


class Lister:
    """Collects nothing but where the results are, for `--no-download`."""

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...]:
        """The results as URLs; `fetch` brings them later."""
        del job
        return tuple(Output(url=result.url, type=result.type) for result in results)


class Downloader:
    """Brings results below the project's root, so many at a time.

    A file that `is_recorded` does not know is copied before a result takes its place. `recorded_before` tells the
    results of a job's task as an earlier run recorded them: what comes now must be the same. `note_of` tells what is
    embedded into the pictures of a job, if anything. `gone` are the ids of jobs whose results will not come any more.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the world that a test replaces
        self,
        root: Path,
        gateway: Gateway,
        clock: Clock,
        *,
        downloads: int,
        is_recorded: IsRecorded,
        recorded_before: Callable[[Job], Sequence[Output]] = lambda _job: (),
        note_of: Callable[[Job], Note | None] = lambda _job: None,
    ) -> None:
        self.gone: set[str] = set()
        self._root = root
        self._is_recorded = is_recorded
        self._recorded_before = recorded_before
        self._note_of = note_of
        self._courier = Courier(gateway, clock, downloads=downloads)
        self._mark = secrets.token_hex(4)  # outside the project, another checkout may write to the same place

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...] | Missed:
        """All results as complete files in their order, or why not. Raises KirinError for a disk that refuses."""
        before = self._recorded_before(job)
        delivery = _Delivery(self._root, job, results, self._is_recorded, before=before, note=self._note_of(job))
        try:
            missed = await self._bring(job, results, delivery)
        except IsADirectoryError as error:  # in the place of one result: that keeps no other job back
            return Missed(f"its results cannot be written: {error}")
        except OSError as error:
            raise KirinError(f"the results of {job.id} cannot be written: {error}") from error
        finally:
            for sink in delivery.sinks:
                sink.discard()
        if missed and missed.is_gone:
            self.gone.add(job.id)
        return missed or delivery.outputs

    async def _bring(self, job: Job, results: Sequence[Result], delivery: "_Delivery") -> Missed | None:
        for index, result in enumerate(results, 1):
            path = self._root / output_path(job.output_stem, index=index, ext="")
            delivery.sinks.append(Sink(path.with_name(f".{path.name}.{self._mark}{PART_SUFFIX}")))
            if missed := await self._courier.bring(result.url, delivery.sinks[-1], delivery.keep_last):
                return missed
        return None


class _Delivery:
    """The results of one task on their way to their names: all of them or none."""

    def __init__(
        self,
        root: Path,
        job: Job,
        results: Sequence[Result],
        is_recorded: IsRecorded,
        *,
        before: Sequence[Output],
        note: Note | None,
    ) -> None:
        self._before = before
        self._note = note
        self._root = root
        self._job = job
        self._results = results
        self._is_recorded = is_recorded
        self._parts: list[Part] = []
        self.sinks: list[Sink] = []
        self.outputs: tuple[Output, ...] = ()

    def keep_last(self) -> Missed | None:
        """Put the result of the last sink on the device; where it is the last one, all under their names. In a thread,
        which does so in one go. Raises OSError.
        """
        part = self.sinks[-1].finish(self._job, self._results[len(self._parts)])
        if isinstance(part, Missed):
            return part
        index = len(self._parts)
        before = self._before[index] if index < len(self._before) else None
        if before and (before.served_sha256 or before.sha256) not in {None, part.sha256}:
            return Missed(f"result {index + 1} is served with another content than was recorded", is_gone=True)
        is_plain = before is not None and before.sha256 == part.sha256  # and stays the file that was recorded
        if self._note is not None and not is_plain:
            part = self.sinks[-1].embed(part, self._note, number=index + 1)
        self._parts.append(part)
        if len(self._parts) == len(self._results):
            self.outputs = self._publish()
        return None

    def _publish(self) -> tuple[Output, ...]:
        stem, parts = self._job.output_stem, self._parts
        names = [output_path(stem, index=index, ext=part.ext) for index, part in enumerate(parts, 1)]
        for name, part in zip(names, parts, strict=True):
            keep_copy(self._root, name, successor=part.sha256, is_recorded=self._is_recorded)
        for name, sink in zip(names, self.sinks, strict=True):
            sink.place(self._root / name)
            reach(FaultPoint.RESULT_RENAMED)
        for folder in {(self._root / name).parent for name in names}:
            flush_folder(folder)
        reach(FaultPoint.RESULTS_KEPT)
        return tuple(
            Output(
                url=result.url,
                type=result.type,
                path=name,
                sha256=part.sha256,
                bytes=part.size_bytes,
                served_sha256=part.served_sha256,
            )
            for name, part, result in zip(names, parts, self._results, strict=True)
        )


def remove_leftovers(root: Path, jobs: Iterable[Job]) -> int:
    """Remove what a run that died left unfinished where results of `jobs` go.

    Where results of a job that is gone by now went is searched too, if it shares its first folder with another's.
    Outside the root another checkout may be at work: there only what has not grown for an hour is a leftover. Gives how
    many files that were.
    """
    leftovers = [
        path
        for top in _top_folders(root, jobs)
        for path in _parts_below(top)
        if _is_inside(root, top) or time.time() - path.stat().st_mtime > _STALE_SECONDS
    ]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def _parts_below(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name) for name in names if name.startswith(".") and name.endswith(PART_SUFFIX))


def _is_inside(root: Path, top: Path) -> bool:
    return Path(os.path.normpath(top)).is_relative_to(root)


def _top_folders(root: Path, jobs: Iterable[Job]) -> set[Path]:
    """The first folders below the root that results lie in; their own folders where those are outside."""
    folders = {job.output_stem.rpartition("/")[0] for job in jobs}
    outside = {folder for folder in folders if not folder or folder.startswith("/") or ".." in folder}
    tops = {folder.partition("/")[0] for folder in folders - outside}  # as text: a Path takes twenty times as long
    return {root / folder for folder in tops | outside}
