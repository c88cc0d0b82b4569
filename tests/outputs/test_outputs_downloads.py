"""Results on their way to disk: complete files under their names, or nothing."""

import asyncio
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from fake_clock import FakeClock
from gateway_wire import Break, Wire, answer, serve, settings_for
from studio import job_named, plain_picture

from kirin_batch.disk import PART_SUFFIX
from kirin_batch.errors import KirinError
from kirin_batch.gateway.answers import Result
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.jobs import Job
from kirin_batch.outputs.collector import Downloader, Lister, remove_leftovers
from kirin_batch.records import Output
from kirin_batch.scheduler.outcome import Missed

Kind = Literal["image", "video"]

PICTURE = plain_picture("fox")
FILM = b"\0\0\0\x18ftypisom" + bytes(400)
WHOLE = answer(body=PICTURE)
TORN = WHOLE[:-100]
POSTER = job_named("film:poster", output_stem="outputs/film/poster/{index}{ext}")


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


async def collect(
    root: Path, wire: Wire, *, kinds: Sequence[Kind] = ("image",), clock: FakeClock | None = None, job: Job = POSTER
) -> tuple[Output, ...] | Missed:
    clock = clock or FakeClock()
    results = [Result(kind, f"{wire.url}/{number}") for number, kind in enumerate(kinds)]
    async with HttpGateway(settings_for(wire), clock=clock) as gateway:
        return await Downloader(root, gateway, clock, downloads=2, is_recorded=lambda *_: False).collect(job, results)


def collected(
    root: Path, *script: bytes | Break, kinds: Sequence[Kind] = ("image",), clock: FakeClock | None = None
) -> tuple[Output, ...] | Missed:
    async def scenario() -> tuple[Output, ...] | Missed:
        async with serve(*script) as wire:
            return await collect(root, wire, kinds=kinds, clock=clock)

    return asyncio.run(scenario())


def test_results_come_in_their_order_with_size_and_hash_and_the_ending_that_their_content_has(tmp_path: Path) -> None:
    outputs = collected(tmp_path, WHOLE, answer(body=plain_picture("fox.jpg")), kinds=("image", "image"))
    assert not isinstance(outputs, Missed)
    assert [output.path for output in outputs] == ["outputs/film/poster/1.png", "outputs/film/poster/2.jpg"]
    assert (outputs[0].bytes, outputs[0].sha256) == (len(PICTURE), hashlib.sha256(PICTURE).hexdigest())
    assert files(tmp_path) == [output.path for output in outputs]
    assert (tmp_path / "outputs/film/poster/1.png").read_bytes() == PICTURE


@pytest.mark.parametrize(
    "fault",
    [TORN, Break.RESET, Break.CLOSE, answer(503), answer(429)],
    ids=["torn", "reset", "closed", "HTTP 503", "HTTP 429"],
)
def test_a_download_that_breaks_off_is_begun_again(tmp_path: Path, fault: bytes | Break) -> None:
    clock = FakeClock()
    outputs = collected(tmp_path, fault, fault, WHOLE, clock=clock)
    assert not isinstance(outputs, Missed)
    assert outputs[0].sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert clock.slept[:2] == [0.0, 1.0]  # the HTTP library itself repeats what got no answer at all


def test_a_download_that_always_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    missed = collected(tmp_path, TORN)
    assert isinstance(missed, Missed)
    assert missed.reason.startswith("a download broke off 4 times: after ")
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("served", "kind", "reason"),
    [
        (answer(body=b"<html>Sign in</html>", Content_Type="image/png"), "image", "neither image nor film"),
        (answer(body=b"", Content_Type="image/png"), "image", "neither image nor film"),
        (answer(body=FILM), "image", "what was served as image is video"),
        (answer(body=PICTURE), "video", "what was served as video is image"),
        (answer(404), "image", "HTTP 404"),
        (answer(302, Location="file:///etc/passwd"), "image", ""),
    ],
    ids=["HTML", "empty", "film", "picture", "gone", "elsewhere"],
)
def test_what_is_no_result_leaves_nothing_and_is_not_asked_for_again(
    tmp_path: Path, served: bytes, kind: Kind, reason: str
) -> None:
    clock = FakeClock()
    missed = collected(tmp_path, served, kinds=[kind], clock=clock)
    assert isinstance(missed, Missed)
    assert reason in missed.reason
    assert (files(tmp_path), clock.slept) == ([], [0.0])


@pytest.mark.parametrize(
    ("asked", "served", "kind", "reason"),
    [
        ("video", PICTURE, "image", "kirin_v2_image makes video, and what was served is image"),
        ("image", FILM, "video", "kirin_v2_image makes image, and what was served is video"),
        ("text", PICTURE, "image", None),
        ("video", FILM, "video", None),
    ],
)
def test_a_result_is_what_its_job_asked_for_whatever_the_gateway_calls_it(
    tmp_path: Path, asked: str, served: bytes, kind: Kind, reason: str | None
) -> None:
    async def scenario() -> tuple[Output, ...] | Missed:
        async with serve(answer(body=served)) as wire:
            job = job_named("film:poster", output_stem="outputs/{index}{ext}", result_type=asked)
            return await collect(tmp_path, wire, kinds=[kind], job=job)

    outputs = asyncio.run(scenario())
    assert (outputs.reason if isinstance(outputs, Missed) else None) == reason
    assert bool(files(tmp_path)) == (reason is None)


def test_of_several_results_all_come_or_none(tmp_path: Path) -> None:
    old = tmp_path / "outputs/film/poster/1.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"the result of an earlier task")
    missed = collected(tmp_path, WHOLE, answer(404), kinds=("image", "image"))
    assert isinstance(missed, Missed)
    assert files(tmp_path) == ["outputs/film/poster/1.png"]
    assert old.read_bytes() == b"the result of an earlier task"


def test_no_more_downloads_run_at_once_than_are_allowed(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with serve(WHOLE) as wire, HttpGateway(settings_for(wire)) as gateway:
            downloader = Downloader(tmp_path, gateway, FakeClock(), downloads=2, is_recorded=lambda *_: False)
            async with asyncio.TaskGroup() as group:
                for number in range(8):
                    job = job_named(f"a:{number}", output_stem=f"outputs/{number}-{{index}}{{ext}}")
                    group.create_task(downloader.collect(job, [Result("image", f"{wire.url}/{number}")]))
            return wire.open_most

    assert asyncio.run(scenario()) <= 2
    assert len(files(tmp_path)) == 8


def test_a_disk_that_refuses_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("no folder")
    with pytest.raises(KirinError, match=r"the results of film:poster cannot be written: .*outputs"):
        collected(tmp_path, WHOLE)


def test_a_cancelled_download_leaves_no_part(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serve(Break.SILENCE) as wire:
            async with asyncio.timeout(0.1):
                await collect(tmp_path, wire)

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
    assert files(tmp_path) == []


def test_without_downloads_the_addresses_are_kept() -> None:
    outputs = asyncio.run(Lister().collect(POSTER, [Result("image", "https://x.example/1")]))
    assert outputs == (Output(url="https://x.example/1", type="image"),)


def test_leftovers_are_removed_wherever_a_killed_run_may_have_left_them(tmp_path: Path) -> None:
    left = ["outputs/film/poster/.1", "outputs/film/renamed/.2", "odd/7/.x", "flat/.3"]
    kept = ["outputs/film/poster/1.png", "outputs/.hidden", "src/.4.kirin-part", "top.png"]
    for name in [*(f"{name}{PART_SUFFIX}" for name in left), *kept]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    stems = ["outputs/film/poster/{index}{ext}", "odd/{index}/x{ext}", "flat/{index}{ext}", "top{ext}", "none/1{ext}"]
    jobs = [job_named(f"a:{stem}", output_stem=stem) for stem in stems[:3] + stems[4:]]
    assert remove_leftovers(tmp_path, jobs) == len(left)
    assert files(tmp_path) == sorted(kept)


def test_outside_the_project_leftovers_are_what_lies_in_the_folder_itself_and_does_not_grow(tmp_path: Path) -> None:
    names = [f"{name}{PART_SUFFIX}" for name in ("store/.1", "store/.2", "other/.1")]
    for name, age_seconds in zip(names, (7200, 0, 7200), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age_seconds,) * 2)
    root = tmp_path / "project"
    root.mkdir()
    assert remove_leftovers(root, [job_named("a:a", output_stem="../store/{index}{ext}")]) == 1
    assert files(tmp_path) == sorted(names[1:])


def test_two_checkouts_that_write_to_one_place_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    async def scenario() -> list[tuple[Output, ...] | Missed]:
        async with serve(WHOLE, WHOLE) as wire, asyncio.TaskGroup() as group:
            both = [group.create_task(collect(tmp_path, wire)) for _ in range(2)]
        return [task.result() for task in both]

    first, second = asyncio.run(scenario())
    assert not isinstance(first, Missed)
    assert not isinstance(second, Missed)
    assert first[0].sha256 == second[0].sha256
    assert files(tmp_path) == ["outputs/film/poster/1.png"]
