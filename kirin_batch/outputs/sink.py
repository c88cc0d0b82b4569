"""The file that one result is written to, beside its place: whole and flushed, or gone. Knows no network."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import Result
from kirin_batch.jobs import Job
from kirin_batch.outputs.media import HEAD_BYTES, recognise
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Part", "Sink"]

_MEDIA_TYPES = frozenset({"image", "video"})  # results beside a text are whatever they are told to be


@dataclass(frozen=True, slots=True)
class Part:
    """A result that is complete on disk, not yet under its name."""

    path: Path
    ext: str
    sha256: str
    size_bytes: int


class Sink:
    """The file that a download goes to in one or several tries, hashed on the way, off the event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_finished = False
        self._forget()

    def _forget(self) -> None:
        self._hash = hashlib.sha256()
        self._head = b""
        self._size_bytes = 0

    @contextmanager
    def open(self, *, is_kept: bool) -> Iterator[None]:
        """Hold the file open for a try that goes on where the last one ended (`is_kept`), or begins anew."""
        if not is_kept:
            self._forget()
        with self.path.open("ab" if is_kept else "wb") as self._file:
            yield

    async def write(self, chunk: bytes) -> None:
        """Append the next bytes."""
        await asyncio.to_thread(self._take, chunk)

    def _take(self, chunk: bytes) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + chunk)[:HEAD_BYTES]
        self._hash.update(chunk)
        self._file.write(chunk)
        self._file.flush()
        self._size_bytes += len(chunk)
        reach(FaultPoint.PIECE_WRITTEN)

    async def restart(self) -> None:
        """Drop what is written: what comes next is the beginning."""
        await asyncio.to_thread(self._empty)

    def _empty(self) -> None:
        self._forget()
        self._file.truncate(0)

    def flush(self) -> None:
        """Put the whole of it on the device."""
        os.fsync(self._file.fileno())
        reach(FaultPoint.RESULT_FLUSHED)

    def finish(self, job: Job, result: Result) -> Part | Missed:
        """Keep the file, if it is what it should be."""
        media = recognise(self._head)
        served = media.type if media else "neither image nor film"
        if media is None or served != result.type:
            return Missed(f"what was served as {result.type} is {served}", is_gone=True)
        if job.result_type in _MEDIA_TYPES and served != job.result_type:
            return Missed(f"{job.model} makes {job.result_type}, and what was served is {served}", is_gone=True)
        self._is_finished = True
        return Part(self.path, media.ext, self._hash.hexdigest(), self._size_bytes)

    def discard(self) -> None:
        """Remove the file unless it is finished."""
        if not self._is_finished:
            self.path.unlink(missing_ok=True)
