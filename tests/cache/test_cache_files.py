"""The files of a cache: read where they are surely the program's own, and ignored and rewritten where they are not."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cached_project import CachedProject

from kirin_batch.caches import load_cache, save_cache

VALUE = {"a": (1, 2, "three"), "b": frozenset({"x"})}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CachedProject:
    return CachedProject(tmp_path / "project", monkeypatch)


def answer_file(project: CachedProject) -> Path:
    (file,) = (project.root / ".kirin/cache").glob("plan-*.answer")
    return file


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_cache(f"{tmp_path}/a", VALUE)
    assert load_cache(f"{tmp_path}/a") == VALUE
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_damaged_byte_is_found_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save_cache(str(path), VALUE)
    whole = path.read_bytes()
    for place in range(len(whole)):
        with path.open("r+b") as file:
            file.write(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="damaged"):
            load_cache(str(path))


def test_a_torn_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save_cache(str(path), VALUE)
    for length in range(path.stat().st_size - 1, -1, -1):
        os.truncate(path, length)
        with pytest.raises(ValueError, match="damaged"):
            load_cache(str(path))


def copied(path: Path) -> None:
    """As a clone, an archive or a backup brings it: the same bytes in another file."""
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def opened_up(path: Path) -> None:
    path.chmod(0o644)


def linked(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to(path.with_name("real"))


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [copied, opened_up, linked, emptied, replaced_by_folder])
def test_a_file_that_is_not_surely_ours_is_passed_over(project: CachedProject, spoil: Callable[[Path], None]) -> None:
    settled = project.ask("plan")
    spoil(answer_file(project))
    assert not project.is_kept("plan")
    assert project.ask("plan") == settled


def test_a_broken_file_is_rewritten(project: CachedProject) -> None:
    project.ask("plan")
    answer_file(project).write_bytes(b"nonsense")
    project.ask("plan")
    assert project.is_kept("plan")


def test_a_value_of_another_shape_is_passed_over(project: CachedProject) -> None:
    settled = project.ask("plan")
    shapes: tuple[object, ...] = (None, [], {"key": 1}, {"out": "all is well"})
    for value in shapes:
        save_cache(str(answer_file(project)), value)
        assert not project.is_kept("plan")
        assert project.ask("plan") == settled


def test_a_cache_that_cannot_be_written_is_done_without(project: CachedProject) -> None:
    project.write(".kirin/cache", "a file")
    assert project.ask("plan").code == 0
    assert not project.is_kept("plan")


@pytest.mark.parametrize("link", [".kirin", ".kirin/cache"])
def test_a_folder_behind_a_link_is_left_alone(project: CachedProject, link: str) -> None:
    """A clone may bring a link that leads to any folder of the user."""
    precious = project.root.parent / "home" / "cache"
    precious.mkdir(parents=True)
    files = {precious / f"{number}.txt" for number in range(30)}
    for file in files:
        file.write_text("precious")
    (project.root / link).parent.mkdir(exist_ok=True)
    (project.root / link).symlink_to(precious if link.endswith("cache") else precious.parent)
    assert project.ask("plan") == project.ask("plan", "--no-cache")
    assert set(precious.iterdir()) == files
    assert not project.is_kept("plan")


def test_what_is_no_answer_is_never_removed(tmp_path: Path) -> None:
    notes = {tmp_path / f"{number}.txt" for number in range(30)}
    for note in notes:
        note.touch()
    save_cache(f"{tmp_path}/a.answer", VALUE)
    assert set(tmp_path.iterdir()) == {*notes, tmp_path / "a.answer"}


def test_old_answers_make_room(project: CachedProject) -> None:
    for number in range(30):
        project.ask("plan", "--job", "hero", *["-q"] * number)
    assert len(list(project.root.glob(".kirin/cache/*.answer"))) == 24
    assert project.is_kept("plan", "--job", "hero", *["-q"] * 29)


def test_readers_and_writers_at_once_see_whole_files(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    values = [{"n": number, "all": [number] * 1000} for number in range(2)]
    save_cache(path, values[0])

    def write() -> None:
        for number in range(100):
            save_cache(path, values[number % 2])

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        assert load_cache(path) in values
    writer.join()


def test_two_programs_at_once_answer_alike(project: CachedProject) -> None:
    settled = project.ask("plan")
    command = [sys.executable, "-m", "kirin_batch", *project.whole("plan")]
    for _ in range(2):
        several = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]  # noqa: S603 - ours
        for process in several:
            assert process.communicate(timeout=60)[0] == settled.out
            assert process.returncode == 0
