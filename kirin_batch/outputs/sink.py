"""The file that one result is written to, beside its place: whole and flushed, or gone. Knows no network.

Bytes wait in memory until there are HELD_BYTES of them, so that a small result costs one trip to a thread, which makes
its folder, writes, hashes and flushes it; a large one is written piece by piece.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from kirin_batch.disk import make_folders, sha256_of_file
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import Result
from kirin_batch.jobs import Job
from kirin_batch.outputs.embedding import Note, embed
from kirin_batch.outputs.media import HEAD_BYTES, recognise
from kirin_batch.scheduler.outcome import Missed

__all__ = ["HELD_BYTES", "Part", "Sink"]

HELD_BYTES = 256 * 1024
"""So many bytes wait in memory at most, and the piece that came last."""

_MEDIA_TYPES = frozenset({"image", "video"})  # results beside a text are whatever they are told to be


@dataclass(frozen=True, slots=True)
class Part:
    """A result that is complete on disk, not yet under its name. `served_sha256` as in Output."""

    ext: str
    sha256: str
    size_bytes: int
    served_sha256: str | None = None


class Sink:
    """The file that a download goes to in one or several tries, hashed on the way, off the event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._is_dropped = False
        self._is_on_disk = False
        self._forget()

    def _forget(self) -> None:
        self._hash = hashlib.sha256()
        self._head = b""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._written_bytes = 0

    def write(self, chunk: bytes) -> Awaitable[None] | None:
        """Take the next bytes."""
        if len(self._head) < HEAD_BYTES:
            self._head = (self._head + chunk)[:HEAD_BYTES]
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        return asyncio.to_thread(self._spill) if self._held_bytes >= HELD_BYTES else None

    def restart(self) -> None:
        """Drop what came so far: what comes next is the beginning."""
        self._close()
        self._forget()

    async def pause(self, *, is_kept: bool) -> None:
        """A try has ended and another may follow: it goes on where this one ended (`is_kept`), or begins anew."""
        if is_kept:
            await asyncio.to_thread(self._spill)  # between tries, nothing is held in memory
            self._close()
        else:
            self.restart()

    def finish(self, job: Job | None, result: Result) -> Part | Missed:
        """Put all of it on the device, if it is what it should be; in a thread. `job` is None where no spec has it.

        Raises OSError.
        """
        media = recognise(self._head)
        served = media.type if media else "neither image nor film"
        if media is None or served != result.type:
            return Missed(f"what was served as {result.type} is {served}", is_gone=True)
        if job and job.result_type in _MEDIA_TYPES and served != job.result_type:
            return Missed(f"{job.model} makes {job.result_type}, and what was served is {served}", is_gone=True)
        with self._open() as file:
            self._append(file)
            os.fsync(file.fileno())
        reach(FaultPoint.RESULT_FLUSHED)
        return Part(media.ext, self._hash.hexdigest(), self._written_bytes)

    def embed(self, part: Part, note: Note, *, number: int) -> Part:
        """Write a note into the finished file, where its format takes one; in a thread. Raises OSError."""
        if not embed(self.path, note, number=number):
            return part
        size_bytes = self.path.stat().st_size
        return replace(part, sha256=sha256_of_file(self.path), size_bytes=size_bytes, served_sha256=part.sha256)

    def _spill(self) -> None:
        self._append(self._open())

    def _append(self, file: BinaryIO) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held, self._held_bytes = [], 0
            self._hash.update(data)
            file.write(data)
            file.flush()
            self._written_bytes += len(data)
            reach(FaultPoint.PIECE_WRITTEN)

    def _open(self) -> BinaryIO:
        if self._file is None or self._file.closed:
            make_folders(self.path.parent)
            self._is_on_disk = True
            self._file = self.path.open("ab" if self._written_bytes else "wb")
        if self._is_dropped:  # meanwhile, by one who was cancelled and could not wait: nobody hears of what follows
            self.discard()
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def place(self, target: Path) -> None:
        """Give the finished file its name."""
        self.path.replace(target)
        self._is_on_disk = False

    def discard(self) -> None:
        """Remove the file unless it has its name; a thread that is still at it removes what it makes."""
        self._is_dropped = True
        self._close()
        if self._is_on_disk:
            self.path.unlink(missing_ok=True)
