"""The journal: what `record` returned from is on disk, whoever is cancelled or refused beside it."""

import asyncio
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from circumstances import room_of
from job_samples import number, picture, record_of

from kirin_batch.errors import KirinError
from kirin_batch.journal import Ledger, load_records
from kirin_batch.lockfile import load_lockfile, save_lockfile
from kirin_batch.records import Record, Status

A, B, C = (record_of(picture(id_), Status.IN_FLIGHT) for id_ in ("s:a", "s:b", "s:c"))


class Files:
    """Where a project keeps what is recorded."""

    def __init__(self, root: Path) -> None:
        self.lockfile = root / "kirin.lock"
        self.journal = root / ".kirin" / "journal.jsonl"
        self.journal.parent.mkdir()

    def open(self) -> Ledger:
        return Ledger(self.lockfile, self.journal)

    def load(self) -> dict[str, Record]:
        return load_records(self.lockfile, self.journal)

    def write_journal(self, *records: Record, tail: bytes = b"") -> None:
        self.journal.write_bytes(b"".join(line_of(record) for record in records) + tail)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def line_of(*records: Record) -> bytes:
    return line(*(orjson.dumps(record.as_json()) for record in records))


def line(*news: bytes) -> bytes:
    """What is written at once, as the journal's own docstring has it."""
    listed = b"[" + b",".join(news) + b"]"
    return f'{{"crc":"{zlib.crc32(listed):08x}","news":'.encode() + listed + b"}\n"


def zeroed(line: bytes) -> bytes:
    """A line of which a block never reached the device."""
    return line[:20] + bytes(len(line) - 40) + line[-20:]


def test_a_record_is_on_disk_when_its_call_returns_and_in_the_lockfile_at_the_end(files: Files) -> None:
    async def scenario() -> None:
        with files.open() as ledger:
            for attempt in (1, 2, 3):
                await ledger.record(number(A, attempt))
                assert files.load() == {"s:a": number(A, attempt)} == ledger.records

    asyncio.run(scenario())
    assert load_lockfile(files.lockfile) == {"s:a": number(A, 3)}
    assert files.journal.read_bytes() == b""


def test_what_is_forgotten_stays_forgotten(files: Files) -> None:
    async def scenario() -> None:
        with files.open() as ledger:
            for record in (A, B):
                await ledger.record(record)
            await ledger.forget("s:a")
            await ledger.forget("s:never")
            assert files.load() == {"s:b": B}

    asyncio.run(scenario())
    assert files.load() == {"s:b": B}


def test_a_run_that_died_is_replayed_last_line_of_a_job_first(files: Files) -> None:
    save_lockfile(files.lockfile, {"s:a": A, "s:b": B})
    files.write_journal(number(A, 2), C, number(A, 3), tail=line(b'{"forget":"s:b"}', b'{"forget":"s:z"}'))
    assert files.load() == {"s:a": number(A, 3), "s:c": C}
    with files.open():
        pass
    assert load_lockfile(files.lockfile) == {"s:a": number(A, 3), "s:c": C}
    assert files.journal.read_bytes() == b""


@pytest.mark.parametrize("torn", [line_of(B, C)[:-1], line_of(B)[:9], b"\0" * 80, zeroed(line_of(B, C)), b"\0\n"])
def test_a_torn_last_line_is_dropped_whole_and_never_joined_with_the_next(files: Files, torn: bytes) -> None:
    files.write_journal(A, tail=torn)
    assert files.load() == {"s:a": A}

    async def scenario() -> None:
        with files.open() as ledger:
            await ledger.record(C)
            assert files.load() == {"s:a": A, "s:c": C}

    asyncio.run(scenario())


DAMAGED = {
    "cut": line_of(B)[:-9] + b"\n",
    "empty": b"\n",
    "one digit changed": line_of(B).replace(b"task-1", b"task-2"),
    "no record": line(b'{"job":"s:b"}'),
    "no list": b'{"crc":"00000000","news":{}}\n',
    "forgets no job": line(b'{"forget":1}'),
    "of another program": b'{"job":"s:b"}\n',
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("tail", [b"", line_of(C), line_of(C)[:-1]])
def test_any_other_damage_is_named_and_left_as_it_is(files: Files, name: str, tail: bytes) -> None:
    files.write_journal(A, tail=DAMAGED[name] + tail)
    before = files.journal.read_bytes()
    with pytest.raises(KirinError, match=r"journal\.jsonl, line 2: "):
        files.open()
    assert files.journal.read_bytes() == before


def test_zeros_before_the_last_line_are_damage(files: Files) -> None:
    for tail in (line_of(C), line_of(C)[:-1]):
        files.write_journal(A, tail=zeroed(line_of(B)) + tail)
        with pytest.raises(KirinError, match=r"journal\.jsonl, line 2: damaged"):
            files.load()


def test_what_jobs_record_at_the_same_time_is_one_line(files: Files) -> None:
    async def scenario() -> None:
        with files.open() as ledger, one_thread() as occupy:
            await ledger.record(A)
            free = occupy()
            async with asyncio.TaskGroup() as group:
                for record in (A, B, C):
                    group.create_task(ledger.record(record))
                await let_others_go_first()
                free.set()
            assert files.journal.read_bytes() == line_of(A, B, C)

    asyncio.run(scenario())


def test_a_crash_between_the_steps_of_a_fold_changes_nothing(files: Files) -> None:
    state = {"s:a": number(A, 2), "s:c": C}
    lines = (A, B, number(A, 2), C)
    for lockfile in ({}, {"s:a": A}, state):  # before the rename, after an earlier fold, after the rename
        save_lockfile(files.lockfile, lockfile)
        files.write_journal(*lines, tail=line(b'{"forget":"s:b"}'))
        assert files.load() == state


def test_nothing_is_written_where_nothing_changed(files: Files) -> None:
    with files.open():
        pass
    assert not files.lockfile.exists()
    save_lockfile(files.lockfile, {"s:a": A})
    before = files.lockfile.stat()
    with files.open() as ledger:
        assert ledger.records == {"s:a": A}
    assert files.lockfile.stat() == before


def test_a_lockfile_that_is_changed_while_a_run_is_going_on_counts_beside_it(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    save_lockfile(files.lockfile, {"s:a": A})
    done = record_of(picture("s:b"))

    async def scenario() -> None:
        with files.open() as ledger:
            save_lockfile(files.lockfile, {"s:a": A, "s:b": done, "s:c": C})
            for attempt in (1, 2):
                await ledger.record(number(A, attempt))
                await ledger.record(B)  # the same task, of which the other side knows the end

    asyncio.run(scenario())
    assert load_lockfile(files.lockfile) == {"s:a": number(A, 2), "s:b": done, "s:c": C}
    assert {record.getMessage() for record in caplog.records} == {
        "kirin.lock was changed while this run is going on: both count"
    }


def test_a_move_that_a_kill_left_in_the_journal_keeps_the_tasks_of_a_lockfile_merged_since(files: Files) -> None:
    async def scenario() -> None:
        with files.open() as ledger:
            await ledger.record(A)
            await ledger.move(replace(A, job="s:z"), moved_from="s:a")
            copies.extend([files.lockfile.read_bytes(), files.journal.read_bytes()])

    copies: list[bytes] = []
    asyncio.run(scenario())
    other = replace(record_of(picture("s:a", request="x")), task_id="task-9")
    save_lockfile(files.lockfile, {"s:a": replace(other, earlier=(A,))})
    files.journal.write_bytes(copies[1])
    assert files.load() == {"s:z": replace(A, job="s:z", earlier=(replace(other, job="s:z"),))}


def test_parts_of_a_killed_run_are_removed(files: Files) -> None:
    parts = [files.lockfile.with_name(".kirin.lock.7.kirin-part"), files.journal.with_name(".run.json.7.kirin-part")]
    for part in parts:
        part.touch()
    with files.open():
        assert not any(part.exists() for part in parts)


def test_records_at_the_same_time_share_their_flushes(files: Files) -> None:
    flushes = 0

    def count(_frame: object, event: str, called: object) -> None:
        nonlocal flushes
        flushes += event == "c_call" and called is os.fsync

    async def scenario() -> None:
        with files.open() as ledger:
            await ledger.record(A)
            threading.setprofile(count)
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
            try:
                async with asyncio.TaskGroup() as group:
                    for name in range(200):
                        group.create_task(ledger.record(record_of(picture(f"s:{name}"))))
            finally:
                threading.setprofile(None)
            assert len(files.load()) == 201

    asyncio.run(scenario())
    assert 1 <= flushes <= 8  # one of the first line, one of the others, and those of a fold


@contextmanager
def one_thread() -> Iterator[Callable[[], threading.Event]]:
    """The loop has one thread, which a call keeps busy until the event is set, as many downloads would."""
    pool, free = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(pool)

    def occupy() -> threading.Event:
        pool.submit(free.wait, 5)
        return free

    try:
        yield occupy
    finally:
        free.set()


async def let_others_go_first() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_job_that_is_cancelled_takes_no_other_line_along(files: Files) -> None:
    async def scenario() -> None:
        with files.open() as ledger, one_thread() as occupy:
            await ledger.record(A)  # the first one folds, the next ones are in the journal alone
            async with asyncio.TaskGroup() as group:
                first, second, third = (group.create_task(ledger.record(record)) for record in (A, B, C))
                await asyncio.sleep(0)  # the first is at the device, the others wait for it
                free = occupy()
                await first
                await let_others_go_first()  # the second is about to write both lines
                second.cancel()
                await let_others_go_first()
                free.set()
                await third
                assert files.load()["s:c"] == C

    asyncio.run(scenario())
    assert files.load() == {"s:a": A, "s:b": B, "s:c": C}


def test_a_thread_that_a_cancelled_job_left_behind_writes_nothing_after_the_end(files: Files) -> None:
    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            with one_thread() as occupy:
                free = occupy()
                with files.open() as ledger:
                    jobs = [group.create_task(ledger.record(record)) for record in (A, B)]
                    await asyncio.sleep(0)
                    for job in jobs:
                        job.cancel()
                save_lockfile(files.lockfile, {"s:c": C})  # the next run's
                free.set()

    asyncio.run(scenario())
    assert files.load() == {"s:c": C}


def test_cancelled_at_any_moment_the_files_are_whole_and_nothing_acknowledged_is_lost(files: Files) -> None:
    kept: dict[str, Record] = {}

    async def keep(ledger: Ledger, record: Record) -> None:
        await ledger.record(record)
        kept[record.job] = record

    async def scenario(moments: int) -> None:
        async with asyncio.TaskGroup() as group:
            with files.open() as ledger:
                jobs = [group.create_task(keep(ledger, number(record, moments + 1))) for record in (A, B, C)]
                for moment in range(moments):
                    await asyncio.sleep(0.0002 if moment % 3 else 0)
                    jobs[moment % 3].cancel()
                for job in jobs:
                    job.cancel()

    for moments in range(12):
        asyncio.run(scenario(moments))
        records = files.load()
        assert all(records[job].attempt >= record.attempt for job, record in kept.items())


def test_when_the_device_refuses_everyone_who_waits_is_told_and_no_line_is_torn(files: Files) -> None:
    records = [record_of(picture(f"s:{name}"), Status.IN_FLIGHT) for name in range(5)]
    told: list[str] = []

    async def try_to_record(ledger: Ledger, record: Record) -> None:
        try:
            await ledger.record(record)
        except KirinError as error:
            told.append(str(error))

    async def scenario() -> None:
        with files.open() as ledger:
            await ledger.record(A)
            await ledger.record(B)
            with room_of(files.journal.stat().st_size + 100):
                async with asyncio.TaskGroup() as group:
                    for record in records:
                        group.create_task(try_to_record(ledger, record))
            assert told == [f"{files.journal} cannot be written: File too large. Nothing more was sent"] * 5
            with pytest.raises(KirinError):
                await ledger.record(C)  # there is room again, yet what was refused in between is missing

    with pytest.raises(KirinError, match="cannot be written"):
        asyncio.run(scenario())
    assert files.load() == {"s:a": A, "s:b": B}


def test_a_lockfile_that_a_folder_took_the_place_of_is_named_and_its_news_stay_in_the_journal(files: Files) -> None:
    async def scenario() -> None:
        with files.open() as ledger:
            files.lockfile.mkdir()
            with suppress(KirinError):
                await ledger.record(A)

    with pytest.raises(KirinError, match=r"kirin\.lock cannot be read: .*The news of this run is kept in the journal"):
        asyncio.run(scenario())
    files.lockfile.rmdir()
    assert files.load() == {"s:a": A}


def test_a_journal_that_is_no_file_is_named(files: Files) -> None:
    files.journal.mkdir()
    with pytest.raises(KirinError, match="cannot be read: Is a directory"):
        files.open()


def test_a_folder_that_takes_no_journal_is_named(files: Files) -> None:
    files.journal.parent.rmdir()
    files.journal.parent.touch()
    with pytest.raises(KirinError, match=r"journal\.jsonl cannot be"), files.open():
        pass


def test_a_place_that_takes_no_journal_is_named(files: Files) -> None:
    files.journal.symlink_to("nowhere/journal.jsonl")
    with (
        pytest.raises(KirinError, match="cannot be written: No such file or directory"),
        files.open(),
    ):
        pass


def test_a_ledger_outside_its_block_is_a_bug(files: Files) -> None:
    ledger = files.open()
    with pytest.raises(RuntimeError, match="inside its `with` block"):
        asyncio.run(ledger.record(A))
    assert files.load() == {}


def test_beside_a_writer_a_reader_never_sees_a_state_that_was_not(files: Files) -> None:
    ended, torn = threading.Event(), []

    def read() -> None:
        seen = {"s:a": 0, "s:b": 0}
        while not ended.is_set():
            now = {job: record.attempt for job, record in files.load().items()}
            if any(now.get(job, 0) < attempt for job, attempt in seen.items()) or now.get("s:b", 0) > now.get("s:a", 0):
                torn.append((seen, now))
            seen |= now

    async def write() -> None:
        for attempt in range(1, 60, 2):
            with files.open() as ledger:
                for step in (attempt, attempt + 1):
                    await ledger.record(number(A, step))
                    await ledger.record(number(B, step))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        asyncio.run(write())
    finally:
        ended.set()
        reader.join()
    assert torn == []
