"""The files of a renamed job go with it."""

from dataclasses import replace
from pathlib import Path

import pytest
from studio import job_named

from kirin_batch.disk import sha256_of_file
from kirin_batch.errors import KirinError
from kirin_batch.fault_points import FaultPoint, arm
from kirin_batch.outputs.relocation import take_along
from kirin_batch.records import Output

RENAMED = job_named("film:new", output_stem="outputs/film/new/{index}{ext}")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    path = tmp_path / "outputs/film/old/1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a picture")
    return Output(url="u", type="image", path="outputs/film/old/1.png", sha256=sha256_of_file(path), bytes=9)


def test_files_move_and_the_empty_folder_goes(tmp_path: Path, output: Output) -> None:
    [moved] = take_along(tmp_path, RENAMED, [output])
    assert (moved.path, moved.sha256) == ("outputs/film/new/1.png", output.sha256)
    assert (tmp_path / "outputs/film/new/1.png").read_bytes() == b"a picture"
    assert not (tmp_path / "outputs/film/old").exists()


def test_a_file_is_at_its_new_place_before_anything_else_happens(tmp_path: Path, output: Output) -> None:
    seen: list[tuple[FaultPoint, bool, bool]] = []
    old, new = tmp_path / "outputs/film/old/1.png", tmp_path / "outputs/film/new/1.png"
    arm(lambda point: seen.append((point, old.exists(), new.exists())))
    try:
        take_along(tmp_path, RENAMED, [output])
    finally:
        arm(None)
    assert seen == [(FaultPoint.RESULT_MOVED, False, True)]


def test_a_folder_with_other_files_stays(tmp_path: Path, output: Output) -> None:
    (tmp_path / "outputs/film/old/notes.txt").write_text("keep")
    take_along(tmp_path, RENAMED, [output])
    assert (tmp_path / "outputs/film/old/notes.txt").read_text() == "keep"


def test_what_a_run_that_died_has_moved_is_found_by_its_hash(tmp_path: Path, output: Output) -> None:
    [moved] = take_along(tmp_path, RENAMED, [output])
    assert take_along(tmp_path, RENAMED, [output]) == (moved,)


def test_a_strange_file_is_not_covered(tmp_path: Path, output: Output) -> None:
    strange = tmp_path / "outputs/film/new/1.png"
    strange.parent.mkdir()
    strange.write_bytes(b"somebody's own")
    beside = replace(output, path="outputs/film/new/1-2.png")
    assert take_along(tmp_path, RENAMED, [output]) == (beside,)
    assert take_along(tmp_path, RENAMED, [output]) == (beside,), "a run that died before it was recorded"
    assert strange.read_bytes() == b"somebody's own"


def test_what_is_not_on_disk_keeps_its_record(tmp_path: Path) -> None:
    outputs = (Output(url="u", type="image"), Output(url="u", type="image", path="outputs/lost.png", sha256="0"))
    assert take_along(tmp_path, RENAMED, outputs) == outputs


def test_a_disk_that_refuses_is_told(tmp_path: Path, output: Output) -> None:
    (tmp_path / "outputs/film/new").write_text("no folder")
    with pytest.raises(KirinError, match="film:new cannot be moved"):
        take_along(tmp_path, RENAMED, [output])


def test_what_is_at_its_place_already_stays_there_edited_or_not(tmp_path: Path, output: Output) -> None:
    job = job_named("film:new", output_stem="outputs/film/old/{index}{ext}")
    assert take_along(tmp_path, job, [output]) == (output,)
    (tmp_path / "outputs/film/old/1.png").write_bytes(b"painted over")
    assert take_along(tmp_path, job, [output]) == (output,)


def test_of_a_job_that_is_still_there_only_its_result_comes_along(tmp_path: Path, output: Output) -> None:
    place = tmp_path / "outputs/film/old/1.png"
    place.write_bytes(b"a newer picture")
    assert take_along(tmp_path, RENAMED, [output], edited=False) == (output,)
    assert place.read_bytes() == b"a newer picture"
    assert take_along(tmp_path, RENAMED, [output])[0].path == "outputs/film/new/1.png"
