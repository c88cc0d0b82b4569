"""The gallery's folder: only its own files are replaced and removed; a zip holds all of it."""

import zipfile
from pathlib import Path

import pytest

from kirin_batch.errors import KirinError
from kirin_batch.report.folder import lay_out, pack, require_free
from kirin_batch.report.page import MARK

PAGE = b"<html>" + MARK
ONE, TWO = f"thumbnails/{'1' * 64}.webp", f"results/{'2' * 64}.png"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    return {ONE: tmp_path / "one", TWO: tmp_path / "two"}


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_new_gallery_removes_what_only_the_old_one_had(tmp_path: Path, files: dict[str, Path]) -> None:
    folder = tmp_path / "new" / "gallery"
    lay_out(folder, PAGE, files)
    assert names_in(folder) == ["index.html", TWO, ONE]
    (folder / "thumbnails" / "mine.webp").write_text("not of the gallery")
    lay_out(folder, PAGE, {ONE: files[ONE]})
    assert names_in(folder) == ["index.html", ONE, "thumbnails/mine.webp"]
    assert not (folder / "results").exists()


def test_what_is_there_with_its_size_is_not_copied_again(tmp_path: Path, files: dict[str, Path]) -> None:
    lay_out(tmp_path / "gallery", PAGE, files)
    before = (tmp_path / "gallery" / TWO).stat().st_ino
    lay_out(tmp_path / "gallery", PAGE, files)
    assert (tmp_path / "gallery" / TWO).stat().st_ino == before


def test_what_a_killed_writing_left_is_taken_over(tmp_path: Path, files: dict[str, Path]) -> None:
    folder = tmp_path / "gallery"
    (folder / "thumbnails").mkdir(parents=True)
    for part in (".index.html.1.kirin-part", f"thumbnails/.{'1' * 64}.webp.1.kirin-part"):
        (folder / part).write_text("half")
    require_free(folder)
    lay_out(folder, PAGE, files)
    assert names_in(folder) == ["index.html", TWO, ONE]


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html>mine")
    with pytest.raises(KirinError, match="holds other files: name a folder that is empty"):
        require_free(tmp_path)


def test_a_folder_that_is_missing_empty_or_a_gallery_is_free(tmp_path: Path, files: dict[str, Path]) -> None:
    require_free(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    require_free(tmp_path / "empty")
    lay_out(tmp_path / "gallery", PAGE, files)
    require_free(tmp_path / "gallery")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(KirinError, match=r"one/thumbnails cannot be written|one cannot be written"):
        lay_out(tmp_path / "one", PAGE, files)
    with pytest.raises(KirinError, match="cannot be used: Not a directory"):
        require_free(tmp_path / "one")
    with pytest.raises(KirinError, match=r"missing/a\.zip cannot be written: No such file or directory"):
        pack(tmp_path / "missing" / "a.zip", PAGE, files)


def test_a_zip_unpacks_into_one_folder_and_is_the_same_each_time(tmp_path: Path, files: dict[str, Path]) -> None:
    for name in ("a.zip", "b.zip"):
        (tmp_path / name[0]).mkdir()
        pack(tmp_path / name[0] / "fair.zip", PAGE, files)
    assert (tmp_path / "a" / "fair.zip").read_bytes() == (tmp_path / "b" / "fair.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a" / "fair.zip") as archive:
        assert archive.namelist() == ["fair/index.html", f"fair/{ONE}", f"fair/{TWO}"]
        assert archive.read(f"fair/{TWO}") == b"two"
    assert names_in(tmp_path / "a") == ["fair.zip"]
