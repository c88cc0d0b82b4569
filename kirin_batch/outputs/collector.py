"""Downloads the results of a task: each is written beside its place, checked, flushed, and renamed when all are there.

So what stands under a result's name is complete; whatever bears the part suffix is a leftover of a run that died. A
download that breaks off keeps its part for the next try, never for the next run.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kirin_batch.clock import Clock
from kirin_batch.disk import PART_SUFFIX, fsync_folder, make_folders
from kirin_batch.errors import KirinError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import (
    Begun,
    Fetched,
    Gateway,
    Gone,
    Interrupted,
    Received,
    Rejected,
    Result,
    Resumption,
)
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.outputs.replaced import IsRecorded, keep_copy
from kirin_batch.outputs.sink import Part, Sink
from kirin_batch.records import Output
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Downloader", "Lister", "remove_leftovers"]

_PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each of the tries that bring nothing
_STALE_SECONDS = 3600.0
_PROGRESS_BYTES = 64 * 1024  # a try that brought so much more begins the pauses anew


class Lister:
    """Collects nothing but where the results are, for `--no-download`."""

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...]:
        """The results as URLs; `fetch` brings them later."""
        del job
        return tuple(Output(url=result.url, type=result.type) for result in results)


class Downloader:
    """Brings results below the project's root, so many at a time.

    A file that `is_recorded` does not know is copied before a result takes its place.
    """

    def __init__(self, root: Path, gateway: Gateway, clock: Clock, *, downloads: int, is_recorded: IsRecorded) -> None:
        self._root = root
        self._is_recorded = is_recorded
        self._gateway = gateway
        self._clock = clock
        self._turns = asyncio.Semaphore(downloads)
        self._mark = secrets.token_hex(4)  # outside the project, another checkout may write to the same place

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...] | Missed:
        """All results as complete files in the gateway's order, or why not; KirinError where the disk refuses."""
        parts: list[Part] = []
        try:
            for index, result in enumerate(results, 1):
                part = await self._download(job, index, result)
                if isinstance(part, Missed):
                    return part
                parts.append(part)
            return await asyncio.to_thread(self._publish, job, parts, results)
        except OSError as error:
            raise KirinError(f"the results of {job.id} cannot be written: {error}") from error
        finally:
            for part in parts:
                part.path.unlink(missing_ok=True)

    async def _download(self, job: Job, index: int, result: Result) -> Part | Missed:
        path = self._root / output_path(job.output_stem, index=index, ext="")
        sink = Sink(path.with_name(f".{path.name}.{self._mark}{PART_SUFFIX}"))
        try:
            fetched = await self._fetch(result.url, sink)
            match fetched:
                case Interrupted(reason):
                    return Missed(reason)
                case Gone(reason) | Rejected(reason):
                    return Missed(reason, is_gone=True)
                case Received():
                    return sink.finish(job, result)
        finally:
            sink.discard()

    async def _fetch(self, url: str, sink: Sink) -> Fetched:
        """Try until nothing more comes; the size limit of a download bounds how often something does."""
        begun, most_bytes, tries, reason = None, 0, 0, ""
        pauses = iter(_PAUSES)
        while (pause := next(pauses, None)) is not None:
            await self._clock.sleep(pause)
            async with self._turns:
                fetched = await self._try(url, sink, begun)
            if not isinstance(fetched, Interrupted):
                return fetched
            begun, reason, tries = fetched.begun, fetched.reason, tries + 1
            # More than ever was there: what is lost and comes again, and again, is no progress.
            kept_bytes = begun.size_bytes if begun else 0
            if kept_bytes >= most_bytes + _PROGRESS_BYTES:
                pauses = iter(_PAUSES)
            most_bytes = max(most_bytes, kept_bytes)
        return Interrupted(f"a download broke off {tries} times: {reason}")

    async def _try(self, url: str, sink: Sink, begun: Begun | None) -> Fetched:
        await asyncio.to_thread(make_folders, sink.path.parent)
        with sink.open(is_kept=begun is not None):
            resumption = Resumption(begun, sink.restart) if begun else None
            fetched = await self._gateway.download(url, sink.write, resumption=resumption)
            if isinstance(fetched, Received):
                await asyncio.to_thread(sink.flush)
            return fetched

    def _publish(self, job: Job, parts: Sequence[Part], results: Sequence[Result]) -> tuple[Output, ...]:
        names = [output_path(job.output_stem, index=index, ext=part.ext) for index, part in enumerate(parts, 1)]
        for name, part in zip(names, parts, strict=True):
            keep_copy(self._root, name, successor=part.sha256, is_recorded=self._is_recorded)
        for name, part in zip(names, parts, strict=True):
            part.path.replace(self._root / name)
            reach(FaultPoint.RESULT_RENAMED)
        for folder in {(self._root / name).parent for name in names}:
            fsync_folder(folder)
        reach(FaultPoint.RESULTS_KEPT)
        return tuple(
            Output(url=result.url, type=result.type, path=name, sha256=part.sha256, bytes=part.size_bytes)
            for name, part, result in zip(names, parts, results, strict=True)
        )


def remove_leftovers(root: Path, jobs: Iterable[Job]) -> int:
    """Remove what a run that died left unfinished where results of `jobs` go.

    Where results of a job that is gone by now went is searched too, if it shares its first folder with another's.
    Outside the root another checkout may be at work: there only what has not grown for an hour is a leftover. Gives how
    many files that were.
    """
    leftovers = [
        path
        for top in {_top_folder(root, Path(job.output_stem)) for job in jobs}
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


def _top_folder(root: Path, stem: Path) -> Path:
    """The first folder below the root that a result lies in; its own folder where that is outside."""
    parts = stem.parent.parts
    return root / stem.parent if not parts or ".." in parts or stem.is_absolute() else root / parts[0]
