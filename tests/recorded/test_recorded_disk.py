"""Files are whole or absent, and a project is held by one run at a time, as long as its process lives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kirin_batch.disk import PART_SUFFIX, remove_parts, sha256_of_file, write_atomic
from kirin_batch.errors import ExitCode, KirinError, ProjectBusyError
from kirin_batch.run_lock import hold_run_lock

CHECKOUT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from kirin_batch.run_lock import hold_run_lock
with hold_run_lock(Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder_of(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, "run", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(  # noqa: S603 - Python itself, with a program that stands above
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_the_second_holder_learns_who_the_first_is_and_gets_it_after_a_kill(tmp_path: Path) -> None:
    with holder_of(tmp_path) as process:
        with pytest.raises(ProjectBusyError) as error, hold_run_lock(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    assert error.value.exit_code is ExitCode.BUSY
    told = str(error.value)
    assert told.startswith("another run holds this project: `kirin-batch run ")
    assert f"process {process.pid} on " in told
    assert ", since 20" in told
    with hold_run_lock(tmp_path):
        assert (tmp_path / "run.json").is_file()
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}"])
def test_a_holder_that_left_no_word_is_still_a_holder(tmp_path: Path, content: bytes | None) -> None:
    with hold_run_lock(tmp_path):
        (tmp_path / "run.json").unlink()
        if content is not None:
            (tmp_path / "run.json").write_bytes(content)
        with pytest.raises(ProjectBusyError, match="just begun or ended, try again"), hold_run_lock(tmp_path):
            pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="a bug"), hold_run_lock(tmp_path):
            raise ValueError("a bug")


def test_a_folder_that_takes_no_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(KirinError, match="takes no run lock: Is a directory"), hold_run_lock(tmp_path):
        pass


def test_a_file_is_replaced_in_one_step_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    before = path.stat().st_ino
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (f".kirin.lock.77{PART_SUFFIX}", f"mine{PART_SUFFIX}", ".hidden"):
        (tmp_path / name).touch()
    assert remove_parts(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", f"mine{PART_SUFFIX}"]


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
