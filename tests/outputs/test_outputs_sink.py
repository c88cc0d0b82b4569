"""A result on its way into its file: small ones in one go, large ones in pieces, nothing left of what is given up."""

import asyncio
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest
from studio import job_named

from kirin_batch.disk import flush_folder, fsync_folder
from kirin_batch.fault_points import FaultPoint, arm
from kirin_batch.gateway.answers import Result
from kirin_batch.outputs.media import HEAD_BYTES
from kirin_batch.outputs.sink import HELD_BYTES, Part, Sink

PNG = b"\x89PNG\r\n\x1a\n"
JOB = job_named("film:poster")
RESULT = Result("image", "https://results.example/1.png")


def sink_in(folder: Path) -> Sink:
    return Sink(folder / "poster" / ".1.part")


def keep(sink: Sink, target: Path) -> None:
    sink.finish(JOB, RESULT)
    sink.place(target)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_small_result_touches_the_disk_only_when_it_is_whole(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    pieces = [PNG, bytes(1000), b"the end"]
    assert [sink.write(piece) for piece in pieces] == [None] * 3
    assert list(tmp_path.iterdir()) == []
    part = sink.finish(JOB, RESULT)
    whole = b"".join(pieces)
    assert part == Part(".png", hashlib.sha256(whole).hexdigest(), len(whole))
    assert sink.path.read_bytes() == whole


def test_no_more_of_a_large_result_than_told_waits_in_memory(tmp_path: Path) -> None:
    async def scenario() -> Part | object:
        sink = sink_in(tmp_path)
        for number, piece in enumerate([PNG, bytes(HELD_BYTES - 1), b"x" * HELD_BYTES, b"the end"]):
            if written := sink.write(piece):
                await written
            assert sink.path.exists() == (number > 0)
        assert sink.path.stat().st_size == len(PNG) + 2 * HELD_BYTES - 1
        return sink.finish(JOB, RESULT)

    part = asyncio.run(scenario())
    assert isinstance(part, Part)
    content = (tmp_path / "poster" / ".1.part").read_bytes()
    assert (part.size_bytes, part.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_between_two_tries_nothing_waits_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = sink_in(tmp_path)
        sink.write(PNG + b"begun")
        await sink.pause(is_kept=True)
        assert sink.path.read_bytes() == PNG + b"begun"
        sink.write(b", and gone on")
        sink.finish(JOB, RESULT)
        assert sink.path.read_bytes() == PNG + b"begun, and gone on"

    asyncio.run(scenario())


def test_what_is_begun_anew_holds_nothing_of_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = sink_in(tmp_path)
        sink.write(b"x" * 2 * HEAD_BYTES)
        await sink.pause(is_kept=True)
        sink.write(b"more")
        sink.restart()
        sink.write(PNG)
        assert sink.finish(JOB, RESULT) == Part(".png", hashlib.sha256(PNG).hexdigest(), len(PNG))
        assert sink.path.read_bytes() == PNG

    asyncio.run(scenario())


@pytest.mark.parametrize("late", [None, FaultPoint.PIECE_WRITTEN, FaultPoint.RESULT_FLUSHED])
def test_a_thread_whose_download_was_given_up_leaves_nothing(tmp_path: Path, late: FaultPoint | None) -> None:
    sink = sink_in(tmp_path)
    sink.write(PNG)
    if late is None:
        sink.discard()
    arm(lambda point: sink.discard() if point is late else None)
    try:
        with pytest.raises((ValueError, FileNotFoundError)):  # in a thread that nobody waits for any more
            keep(sink, tmp_path / "1.png")
    finally:
        arm(None)
    assert files(tmp_path) == []


def test_threads_share_the_flushes_of_a_folder_and_none_returns_before_its_own(tmp_path: Path) -> None:
    flushes: list[set[str]] = []
    gone_on: list[bool] = []

    def slow_down(frame: FrameType, event: str, _called: object) -> None:
        if frame.f_code is not fsync_folder.__code__:
            return
        if event == "call":
            names.value = {path.name for path in tmp_path.iterdir()}
            time.sleep(0.005)  # a slow device
        elif event == "return":
            flushes.append(names.value)

    def add(number: int) -> None:
        (tmp_path / str(number)).touch()
        flush_folder(tmp_path)
        gone_on.append(any(str(number) in flushed for flushed in flushes))

    names = threading.local()
    threading.setprofile(slow_down)
    try:
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(add, range(64)))
    finally:
        threading.setprofile(None)
    assert gone_on == [True] * 64
    assert len(flushes) < 25
