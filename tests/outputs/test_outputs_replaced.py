"""What somebody changed by hand under a result's name is not lost when a new result comes."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_clock import FakeClock
from gateway_wire import answer, serve, settings_for
from studio import Studio, job_named, open_studio, plain_picture

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.gateway.answers import Result
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.outputs.collector import Downloader
from kirin_batch.outputs.replaced import bring_back, earlier_place, keep_copy
from kirin_batch.records import Output, Record, Status

NAME = "outputs/poster/1.png"
NEW = plain_picture("a new result")
KEPT = ".kirin/replaced/outputs/poster/1.png"


def save(root: Path, content: bytes, name: str = NAME) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def bring(root: Path, *recorded: tuple[str, str]) -> None:
    """Download NEW to NAME, with these paths and contents on record."""

    async def scenario() -> None:
        clock, job = FakeClock(), job_named("film:poster", output_stem="outputs/poster/{index}{ext}")
        async with serve(answer(body=NEW)) as wire, HttpGateway(settings_for(wire), clock=clock) as gateway:
            downloader = Downloader(
                root, gateway, clock, downloads=1, is_recorded=lambda name, sha256: (name, sha256) in recorded
            )
            await downloader.collect(job, [Result("image", wire.url)])

    asyncio.run(scenario())


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def test_a_run_keeps_what_was_edited_and_what_it_recorded(studio: Studio) -> None:
    studio.prompts(one="a fox", two="a cat")
    assert studio.run("run").code == 0
    edited, left = studio.result("film:one"), studio.result("film:two")
    left_before = left.read_bytes()
    edited.write_bytes(b"retouched")
    studio.prompts(one="a red fox", two="a black cat")
    assert studio.run("run").code == 0
    kept = {path: content for path, content in studio.files().items() if path.startswith(".kirin/replaced/")}
    assert kept == {f".kirin/replaced/{edited.relative_to(studio.root).as_posix()}": b"retouched"}
    assert edited.read_bytes() != b"retouched"
    assert left.read_bytes() != left_before
    [earlier] = studio.records["film:two"].earlier[0].outputs
    assert (studio.root / str(earlier.path)).read_bytes() == left_before


def test_an_edited_result_is_kept_aside_and_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path, b"retouched")
    bring(tmp_path)
    assert files(tmp_path) == {NAME: NEW, KEPT: b"retouched"}
    [told] = [record for record in caplog.records if record.name == "kirin_batch.outputs"]
    assert told.levelno == logging.WARNING
    assert NAME in told.getMessage()
    assert KEPT in told.getMessage()


def test_a_recorded_result_of_an_earlier_take_stays_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sha256 = sha256_of_file(save(tmp_path, b"an earlier take"))
    bring(tmp_path, (NAME, sha256))
    assert files(tmp_path) == {NAME: NEW, f"outputs/poster/earlier/1~{sha256[:8]}.png": b"an earlier take"}
    assert not [record for record in caplog.records if record.name == "kirin_batch.outputs"]


def test_what_another_path_is_recorded_to_hold_is_kept_aside(tmp_path: Path) -> None:
    copied = save(tmp_path, b"copied from elsewhere")
    bring(tmp_path, ("outputs/elsewhere/1.png", sha256_of_file(copied)))
    assert files(tmp_path)[KEPT] == b"copied from elsewhere"


def test_the_same_result_again_is_no_change(tmp_path: Path) -> None:
    save(tmp_path, NEW)  # of a run that died before it could record it
    bring(tmp_path)
    assert files(tmp_path) == {NAME: NEW}


def test_copies_of_several_changes_get_numbers(tmp_path: Path) -> None:
    for content in (b"first", b"second", b"third"):
        save(tmp_path, content)
        bring(tmp_path)
    second, third = KEPT.replace("1.png", "1-2.png"), KEPT.replace("1.png", "1-3.png")
    assert files(tmp_path) == {NAME: NEW, KEPT: b"first", second: b"second", third: b"third"}


def test_after_a_run_that_died_the_same_change_is_kept_once(tmp_path: Path) -> None:
    save(tmp_path, b"retouched")
    save(tmp_path, b"retou", f".kirin/replaced/outputs/poster/.1.png{PART_SUFFIX}")
    for _ in range(2):
        keep_copy(tmp_path, NAME, successor="0", is_recorded=lambda *_: False)
    assert files(tmp_path) == {NAME: b"retouched", KEPT: b"retouched"}


def test_an_earlier_result_finds_a_place_where_its_own_holds_something_else(studio: Studio) -> None:
    studio.prompts(one="a fox")
    assert studio.run("run").code == 0
    file = studio.result("film:one")
    first, name = file.read_bytes(), file.relative_to(studio.root).as_posix()
    save(studio.root, b"retouched", earlier_place(name, sha256_of_file(file)))
    studio.prompts(one="a red fox")
    assert studio.run("run").code == 0
    [earlier] = studio.records["film:one"].earlier
    assert (studio.root / str(earlier.outputs[0].path)).read_bytes() == first
    assert b"retouched" in studio.files().values()


@pytest.mark.parametrize("name", ["../store/1.png", "/store/1.png"])
def test_a_file_outside_the_project_is_kept_inside(tmp_path: Path, name: str) -> None:
    root = tmp_path / "project"
    path = name if name.startswith("..") else f"{tmp_path}{name}"
    root.mkdir()
    save(root, b"retouched", path)
    copy = keep_copy(root, path, successor="0", is_recorded=lambda *_: False)
    assert copy is not None
    assert copy.is_relative_to(root / ".kirin" / "replaced")
    assert copy.read_bytes() == b"retouched"


def record(path: str, file: Path, *earlier: Record) -> Record:
    output = Output(url="u", type="image", path=path, sha256=sha256_of_file(file))
    return Record(
        job="film:poster",
        model="kirin_v2_image",
        status=Status.COMPLETED,
        digest="0" * 64,
        external_task_id=f"kb-{path}",
        created_at="2026-01-31T12:00:00Z",
        outputs=(output,),
        earlier=earlier,
    )


def test_a_take_that_a_run_which_died_has_brought_back_is_found_where_it_is(tmp_path: Path) -> None:
    job = job_named("film:poster", output_stem="outputs/poster/{index}{ext}")
    second = record(NAME, save(tmp_path, b"second"))
    kept = earlier_place(NAME, sha256_of_file(save(tmp_path, b"first", "aside")))
    asked = record(kept, (tmp_path / "aside").rename(save(tmp_path, b"", kept)), second)
    brought = bring_back(tmp_path, job, asked)
    assert bring_back(tmp_path, job, asked) == brought
    beside = str(brought.earlier[0].outputs[0].path)
    assert brought.outputs[0].path == NAME
    assert files(tmp_path) == {NAME: b"first", beside: b"second"}
