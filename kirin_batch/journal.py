"""What a run must not forget, on disk before its next step: an append-only journal in front of the lockfile.

The journal holds lines of the lockfile that are not folded in yet; the last one of a job wins. `Ledger.record`
returns when its record is on the device, so whoever awaits it may go on: intent before create, task id before query.
Jobs that record at the same time share one fsync.

News waits in memory until a thread has flushed it: whoever is cancelled meanwhile takes nobody's news along, and once
the device has refused, nobody is told that anything is kept.

What is written at once is one line with a checksum, so that a power cut tears the last line alone: it ends without a
newline, or holds zeros where a block never reached the device. No step followed it, and it is dropped. Any other damage
is an error that names the line. Folding writes the lockfile (rename), then empties the journal. A crash between the two
replays news that the lockfile already has, which changes nothing.
"""

import asyncio
import logging
import os
import re
import threading
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Self

import orjson

from kirin_batch.disk import fsync_folder, make_folders, remove_parts
from kirin_batch.errors import KirinError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.lockfile import holds_conflict, load_lockfile, read_document, save_lockfile
from kirin_batch.merging import merge_records
from kirin_batch.records import Record

__all__ = ["Ledger", "load_records"]

_FOLD_SECONDS = 1.0
_FOLD_SHARE = 20  # folding may take one part in twenty of a run's time
_READ_TRIES = 20
logger = logging.getLogger("kirin_batch.journal")

_LINE = re.compile(rb'\{"crc":"(?P<crc>[0-9a-f]{8})","news":(?P<news>\[.+\])\}')


def load_records(lockfile: Path, journal: Path) -> dict[str, Record]:
    """The records by job id as they stand now, beside a run too: never half a state.

    A fold that comes between reading the two files would hide what it moved; then both are read again.
    """
    for _ in range(_READ_TRIES):
        before = _identity(lockfile)
        records = load_lockfile(lockfile)
        lines = _read_lines(journal)
        if _identity(lockfile) == before:
            break
    known, moved = dict(records), dict[str, str]()
    for number, line in enumerate(lines, 1):
        _replay(line, f"{journal.name}, line {number}", records, moved)
    if lines:
        _keep_tasks(known, records, moved)
    return records


def _keep_tasks(known: Mapping[str, Record], records: dict[str, Record], moved: Mapping[str, str]) -> None:
    """Keep the tasks of a lockfile that was merged after the journal was begun, whose news knows nothing of them."""
    ids = {task.external_task_id for record in records.values() for task in record.tasks}
    for job, record in known.items():
        tasks = (*record.earlier, replace(record, earlier=()))
        lost = [task for task in tasks if task.task_id is not None and task.external_task_id not in ids]
        now = records.get(moved.get(job, job))
        if lost and now:
            kept = (replace(task, job=now.job, model=now.model) for task in lost)
            records[now.job] = replace(now, earlier=(*kept, *now.earlier))


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read_lines(journal: Path) -> list[bytes]:
    try:
        data = journal.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KirinError(f"{journal} cannot be read: {error.strerror}. It says what was paid for") from error
    return data[: _whole_bytes(data)].split(b"\n")[:-1]


def _whole_bytes(data: bytes) -> int:
    """How much of a journal is whole lines; what follows is torn."""
    end = data.rfind(b"\n") + 1
    if end < len(data):
        return end
    last = data.rfind(b"\n", 0, -1) + 1
    return last if b"\0" in data[last:] else end


def _render_line(news: list[bytes]) -> bytes:
    """What is written at once: records and `{"forget": JOB}`, which tells `moved_to` of a job renamed, as JSON."""
    listed = b"[%b]" % b",".join(news)
    return b'{"crc":"%08x","news":%b}\n' % (zlib.crc32(listed), listed)


def _forgetting(job: str) -> bytes:
    return orjson.dumps({"forget": job})


def _replay(line: bytes, place: str, records: dict[str, Record], moved: dict[str, str]) -> None:
    framed = _LINE.fullmatch(line)
    if framed is None or int(framed["crc"], 16) != zlib.crc32(framed["news"]):
        raise KirinError(
            f"{place}: damaged. It says what was paid for. Where no copy of the file is left, move it away and run "
            "again: tasks are found by their ids, and none is made twice"
        )
    for news in orjson.loads(framed["news"]):
        match news:
            case {"forget": str(job), "moved_to": str(target)}:
                records.pop(job, None)
                moved[job] = target
            case {"forget": str(job)}:
                records.pop(job, None)
            case _:
                record = read_document(news, place)
                records[record.job] = record


class Ledger:
    """The records of a project while a run holds it; use as a context manager, which folds at the end."""

    def __init__(self, lockfile: Path, journal: Path) -> None:
        """Raises KirinError where either file cannot be trusted."""
        self._lockfile = lockfile
        self._journal = journal
        self._records = load_records(lockfile, journal)
        self._seen = _identity(lockfile)
        self._is_folded = not _read_lines(journal) and not holds_conflict(lockfile)
        self._pending: list[bytes] = []
        self._taken = 0
        self._flushed = 0
        self._flushing = asyncio.Lock()
        self._writing = threading.Lock()
        self._file: FileIO | None = None
        self._fold_after = 0.0
        self._failure: KirinError | None = None

    def __enter__(self) -> Self:
        try:
            make_folders(self._journal.parent)
            for folder in (self._lockfile.parent, self._journal.parent):
                remove_parts(folder)
            self._file = self._journal.open("ab", buffering=0)
            self._file.truncate(_whole_bytes(self._journal.read_bytes()))
            fsync_folder(self._journal.parent)
        except OSError as error:
            raise KirinError(f"{self._journal} cannot be written: {error.strerror}. Nothing was sent") from error
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._writing, self._open_file() as file:
            self._file = None  # a thread that a cancelled job left behind finds no file to write to any more
            self._append(file)
            if not self._is_folded:
                self._fold(file)

    @property
    def records(self) -> Mapping[str, Record]:
        """The latest record of each job."""
        return self._records

    async def record(self, record: Record) -> None:
        """Keep `record` as the job's; returns when it is on the device. Raises KirinError where the disk refuses."""
        self._records[record.job] = record
        await self._commit(orjson.dumps(record.as_json()))

    async def move(self, record: Record, *, moved_from: str) -> None:
        """Keep `record` and drop that of the id that its job had before, in one step: the task is never there twice."""
        del self._records[moved_from]
        self._records[record.job] = record
        left = orjson.dumps({"forget": moved_from, "moved_to": record.job})
        await self._commit(left + b"," + orjson.dumps(record.as_json()))

    async def forget(self, job: str) -> None:
        """Drop the job's record, because nothing came of its intent."""
        if self._records.pop(job, None):
            await self._commit(_forgetting(job))

    async def _commit(self, news: bytes) -> None:
        self._pending.append(news)
        self._taken += 1
        mine = self._taken
        async with self._flushing:
            if self._flushed < mine:  # else the fsync of another job carried it along
                await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        # A cancelled job leaves its thread at work, or never started; the next one waits here, not in the event loop.
        with self._writing:
            file = self._open_file()
            self._append(file)
            if time.monotonic() >= self._fold_after:
                self._fold(file)

    def _append(self, file: FileIO) -> None:
        """Put all that is pending on the device. The event loop may add to it meanwhile: that is the next one's."""
        if self._failure:
            raise self._failure
        batch = self._pending[:]
        if not batch:
            return
        try:
            _write_all(file, _render_line(batch))
            reach(FaultPoint.JOURNAL_FLUSHED)
        except OSError as error:
            told = f"{self._journal} cannot be written: {error.strerror}. Nothing more was sent"
            self._failure = KirinError(told)
            raise self._failure from error
        self._is_folded = False
        del self._pending[: len(batch)]
        self._flushed += len(batch)

    def _fold(self, file: FileIO) -> None:
        begin = time.monotonic()
        try:
            self._save()
            reach(FaultPoint.LOCKFILE_SAVED)
            file.truncate(0)
            reach(FaultPoint.JOURNAL_EMPTIED)
            os.fsync(file.fileno())
            self._is_folded = True
        except OSError as error:
            raise KirinError(
                f"{self._lockfile} cannot be written: {error.strerror}. Its news is kept in the journal"
            ) from error
        now = time.monotonic()
        self._fold_after = now + max(_FOLD_SECONDS, _FOLD_SHARE * (now - begin))

    def _save(self) -> None:
        """Write the lockfile. One that git or a person has changed meanwhile counts beside what this run knows."""
        records = dict(self._records)
        is_ours = _identity(self._lockfile) in {None, self._seen}
        if not is_ours:
            logger.warning("%s was changed while this run is going on: both count", self._lockfile.name)
            records = merge_records({}, records, self._load_again()).records
        save_lockfile(self._lockfile, records)
        if is_ours:  # else what it holds besides has to be merged each time
            self._seen = _identity(self._lockfile)

    def _load_again(self) -> dict[str, Record]:
        try:
            return load_lockfile(self._lockfile)
        except KirinError as error:
            raise KirinError(f"{error}. The news of this run is kept in the journal") from error

    def _open_file(self) -> FileIO:
        if self._file is None:
            raise RuntimeError("a ledger is used inside its `with` block")
        return self._file


def _write_all(file: FileIO, data: bytes) -> None:
    """Append `data` and flush it to the device; where that fails, nothing of it stays to tear the next line."""
    before = os.fstat(file.fileno()).st_size
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
        reach(FaultPoint.JOURNAL_WRITTEN)
        os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            file.truncate(before)
        raise
