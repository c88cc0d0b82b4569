"""A download that breaks off goes on in the same run; whatever the host does, a result is byte by byte one version."""

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from fake_clock import FakeClock
from gateway_wire import settings_for
from hypothesis import given, settings
from hypothesis import strategies as st
from results_host import Parts, ResultsHost, Turn, host_results
from studio import job_named

from kirin_batch.disk import sha256_of_file
from kirin_batch.fault_points import FaultPoint, arm
from kirin_batch.gateway.answers import Result
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.outputs.collector import Downloader
from kirin_batch.records import Output
from kirin_batch.scheduler.outcome import Missed

PNG = b"\x89PNG\r\n\x1a\n"
KB = 1024
PICTURE = PNG + bytes(range(256)) * 8
OTHER = PNG + bytes(reversed(range(256))) * 8  # as long as the first
LONGER = PNG + bytes(range(0, 256, 5)) * 50
LARGE = PNG + bytes(600 * KB)
JOB = job_named("film:poster", output_stem="outputs/{index}{ext}")


def collected(
    root: Path, *turns: Turn, clock: FakeClock | None = None
) -> tuple[tuple[Output, ...] | Missed, ResultsHost]:
    clock = clock or FakeClock()

    async def scenario() -> tuple[tuple[Output, ...] | Missed, ResultsHost]:
        async with host_results(*turns) as host, HttpGateway(settings_for(host.url), clock=clock) as gateway:
            downloader = Downloader(root, gateway, clock, downloads=2, is_recorded=lambda *_: False)
            return await downloader.collect(JOB, [Result("image", host.url)]), host

    return asyncio.run(scenario())


def content(root: Path) -> bytes:
    """The only file of the project."""
    [file] = [path for path in root.rglob("*") if path.is_file()]
    assert file == root / "outputs/1.png"
    return file.read_bytes()


def test_no_byte_comes_twice(tmp_path: Path) -> None:
    outputs, host = collected(tmp_path, Turn(PICTURE, sends=700), Turn(PICTURE, sends=800), Turn(PICTURE))
    assert not isinstance(outputs, Missed)
    assert host.ranges == [None, "bytes=700-", "bytes=1500-"]
    assert host.sent_bytes == len(PICTURE)
    assert content(tmp_path) == PICTURE
    assert (outputs[0].bytes, outputs[0].sha256) == (len(PICTURE), sha256_of_file(tmp_path / "outputs/1.png"))


def test_without_a_strong_tag_every_try_begins_anew(tmp_path: Path) -> None:
    for tag in (None, 'W/"v1"'):
        _, host = collected(tmp_path, Turn(PICTURE, tag=tag, sends=700), Turn(PICTURE, tag=tag))
        assert host.ranges == [None, None]
        assert content(tmp_path) == PICTURE


@pytest.mark.parametrize("other", [OTHER, LONGER, PICTURE[:400]], ids=["as long", "longer", "shorter than the part"])
def test_a_result_that_changed_meanwhile_is_taken_as_it_is_now(tmp_path: Path, other: bytes) -> None:
    outputs, host = collected(tmp_path, Turn(PICTURE, sends=700), Turn(other, tag='"v2"'))
    assert not isinstance(outputs, Missed)
    assert (content(tmp_path), host.ranges) == (other, [None, "bytes=700-"])
    assert (outputs[0].bytes, outputs[0].sha256) == (len(other), sha256_of_file(tmp_path / "outputs/1.png"))


def test_a_host_without_parts_is_asked_once_for_one_and_then_for_no_more_than_it_gives(tmp_path: Path) -> None:
    ignoring = Turn(PICTURE, parts=Parts.IGNORED)
    _, host = collected(tmp_path, Turn(PICTURE, sends=700), ignoring)
    assert (content(tmp_path), host.sent_bytes) == (PICTURE, len(PICTURE) + 700)


@pytest.mark.parametrize("parts", [Parts.REFUSED, Parts.EARLIER, Parts.LATER, Parts.FIRST, Parts.UNTOLD, Parts.OF_MORE])
def test_after_a_part_that_does_not_fit_a_download_begins_anew(tmp_path: Path, parts: Parts) -> None:
    _, host = collected(tmp_path, Turn(PICTURE, sends=700), Turn(PICTURE, parts=parts), Turn(PICTURE))
    assert host.ranges == [None, "bytes=700-", None]
    assert content(tmp_path) == PICTURE


def test_the_rest_of_another_version_is_not_added(tmp_path: Path) -> None:
    forced = Turn(OTHER, tag='"v2"', parts=Parts.FORCED)
    _, host = collected(tmp_path, Turn(PICTURE, sends=700), forced)
    assert host.ranges == [None, "bytes=700-", None]
    assert content(tmp_path) == OTHER


def test_tries_that_bring_much_do_not_count(tmp_path: Path) -> None:
    clock = FakeClock()
    outputs, host = collected(tmp_path, Turn(LARGE, sends=64 * KB), clock=clock)
    assert not isinstance(outputs, Missed)
    assert content(tmp_path) == LARGE
    assert (len(host.requests), clock.slept) == (10, [0.0] * 10)


def test_tries_that_bring_little_count(tmp_path: Path) -> None:
    clock = FakeClock()
    missed, host = collected(tmp_path, Turn(LARGE, sends=64 * KB - 1), clock=clock)
    assert isinstance(missed, Missed)
    assert missed.reason.startswith("a download broke off 4 times: after 262140 bytes")
    assert (len(host.requests), clock.slept) == (4, [0.0, 1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    "turns",
    [
        [Turn(LARGE, tag=f'"v{number}"', sends=100 * KB) for number in range(20)],
        [Turn(LARGE, sends=100 * KB), Turn(LARGE, parts=Parts.REFUSED)] * 10,
    ],
    ids=["always another version", "no parts"],
)
def test_what_is_lost_and_comes_again_is_no_progress(tmp_path: Path, turns: list[Turn]) -> None:
    missed, host = collected(tmp_path, *turns)
    assert isinstance(missed, Missed)
    assert missed.reason.startswith("a download broke off 5 times: ")
    assert len(host.requests) == 5


def test_a_result_passes_all_its_moments_in_order(tmp_path: Path) -> None:
    reached: list[FaultPoint] = []
    arm(reached.append)
    try:
        collected(tmp_path, Turn(PICTURE, sends=700), Turn(PICTURE))
    finally:
        arm(None)
    assert reached == [
        *[FaultPoint.DOWNLOAD_BEGUN, FaultPoint.PIECE_WRITTEN],
        *[FaultPoint.DOWNLOAD_BEGUN, FaultPoint.PIECE_WRITTEN],
        *[FaultPoint.RESULT_FLUSHED, FaultPoint.RESULT_RENAMED, FaultPoint.RESULTS_KEPT],
    ]


VERSIONS = {PICTURE: '"v1"', OTHER: '"v2"', LONGER: '"v3"'}


@st.composite
def any_turn(draw: st.DrawFn) -> Turn:
    picture = draw(st.sampled_from(list(VERSIONS)))
    tag = draw(st.sampled_from([VERSIONS[picture], VERSIONS[picture], f"W/{VERSIONS[picture]}", None]))
    sends = draw(st.none() | st.integers(0, len(picture)))
    status = draw(st.sampled_from([200, 200, 200, 200, 500, 429]))
    return Turn(picture, tag, sends, draw(st.sampled_from(Parts)), status)


@settings(max_examples=80, deadline=None)
@given(st.lists(any_turn(), min_size=1, max_size=6))
def test_whatever_a_host_does_a_result_is_one_version_or_absent(script: list[Turn]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outputs, host = collected(Path(folder), *script)
        assert len(host.requests) <= 5
        if isinstance(outputs, Missed):
            assert not [path for path in Path(folder).rglob("*") if path.is_file()]
        else:
            assert content(Path(folder)) in VERSIONS
            assert outputs[0].sha256 == sha256_of_file(Path(folder, "outputs/1.png"))


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(1, len(PICTURE) - 1), max_size=3))
def test_wherever_a_download_breaks_off_no_byte_comes_twice(breaks: set[int]) -> None:
    edges = [0, *sorted(breaks), len(PICTURE)]
    with tempfile.TemporaryDirectory() as folder:
        _, host = collected(Path(folder), *(Turn(PICTURE, sends=end - start) for start, end in pairwise(edges)))
        assert (content(Path(folder)), host.sent_bytes) == (PICTURE, len(PICTURE))
