"""Downloads the results of a task: each is written beside its place, checked, flushed, and renamed when all are there.

So what stands under a result's name is complete; whatever bears the part suffix is a leftover of a run that died.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kirin_batch.clock import Clock
from kirin_batch.disk import PART_SUFFIX, fsync_folder
from kirin_batch.errors import KirinError
from kirin_batch.gateway.answers import Gateway, Gone, Interrupted, Received, Rejected, Result
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.outputs.media import HEAD_BYTES, recognise
from kirin_batch.records import Output
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Downloader", "Lister", "remove_leftovers"]

_PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each try


class Lister:
    """Collects nothing but where the results are, for `--no-download`."""

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...]:
        """The results as URLs; `fetch` brings them later."""
        del job
        return tuple(Output(url=result.url, type=result.type) for result in results)


@dataclass(frozen=True, slots=True)
class _Part:
    """A result that is complete on disk, not yet under its name."""

    path: Path
    ext: str
    sha256: str
    size_bytes: int


class Downloader:
    """Brings results below the project's root, so many at a time."""

    def __init__(self, root: Path, gateway: Gateway, clock: Clock, *, downloads: int) -> None:
        self._root = root
        self._gateway = gateway
        self._clock = clock
        self._turns = asyncio.Semaphore(downloads)

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...] | Missed:
        """All results as complete files in the gateway's order, or why not; KirinError where the disk refuses."""
        parts: list[_Part] = []
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

    async def _download(self, job: Job, index: int, result: Result) -> _Part | Missed:
        path = self._root / (output_path(job.output_stem, index=index, ext="") + PART_SUFFIX)
        part = Missed("")
        for pause in _PAUSES:
            await self._clock.sleep(pause)
            async with self._turns:
                fetched = await self._try(path.with_name("." + path.name), result)
            if not isinstance(fetched, Interrupted):
                return fetched
            part = Missed(f"a download broke off {len(_PAUSES)} times: {fetched.reason}")
        return part

    async def _try(self, path: Path, result: Result) -> _Part | Missed | Interrupted:
        with _Sink(path) as sink:
            fetched = await self._gateway.download(result.url, sink.write)
            match fetched:
                case Interrupted():
                    return fetched
                case Gone(reason) | Rejected(reason):
                    return Missed(reason, is_gone=isinstance(fetched, Gone))
                case Received():
                    return await asyncio.to_thread(sink.finish, result)

    def _publish(self, job: Job, parts: Sequence[_Part], results: Sequence[Result]) -> tuple[Output, ...]:
        outputs = []
        for index, (part, result) in enumerate(zip(parts, results, strict=True), 1):
            name = output_path(job.output_stem, index=index, ext=part.ext)
            part.path.replace(self._root / name)
            outputs.append(
                Output(url=result.url, type=result.type, path=name, sha256=part.sha256, bytes=part.size_bytes)
            )
        for folder in {(self._root / str(output.path)).parent for output in outputs}:
            fsync_folder(folder)
        return tuple(outputs)


class _Sink:
    """The file that a download goes to, hashed on the way, off the event loop; removed at the end unless finished."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._head = b""
        self._size_bytes = 0
        self._is_finished = False

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._file.close()
        if not self._is_finished:
            self._path.unlink(missing_ok=True)

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._take, chunk)

    def _take(self, chunk: bytes) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + chunk)[:HEAD_BYTES]
        self._hash.update(chunk)
        self._file.write(chunk)
        self._size_bytes += len(chunk)

    def finish(self, result: Result) -> _Part | Missed:
        """Flush the file to the device, if it is what it should be."""
        media = recognise(self._head)
        if media is None or media.type != result.type:
            served = media.type if media else "neither image nor film"
            return Missed(f"what was served as {result.type} is {served}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._is_finished = True
        return _Part(self._path, media.ext, self._hash.hexdigest(), self._size_bytes)


def remove_leftovers(root: Path, jobs: Iterable[Job]) -> int:
    """Remove what a run that died left unfinished where results of `jobs` go.

    Where results of a job that is gone by now went is searched too, if it shares its first folder with another's.
    Gives how many files that were.
    """
    leftovers: list[Path] = []
    for top in {_top_folder(root, Path(job.output_stem)) for job in jobs}:
        for folder, _, names in os.walk(top):
            parts = [name for name in names if name.startswith(".") and name.endswith(PART_SUFFIX)]
            leftovers += [Path(folder, name) for name in parts]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def _top_folder(root: Path, stem: Path) -> Path:
    """The first folder below the root that a result lies in; its own folder where that is outside."""
    parts = stem.parent.parts
    return root / stem.parent if not parts or ".." in parts or stem.is_absolute() else root / parts[0]
