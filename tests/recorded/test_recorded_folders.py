"""A folder that is made is on the device with all above it, whoever made it."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import pytest

from kirin_batch import disk
from kirin_batch.disk import make_folders


def flushed(folder: Path) -> list[Path]:
    """The folders that `make_folders` flushes, in order."""
    seen: list[Path] = []

    def note(frame: FrameType, event: str, _called: object) -> None:
        if event == "call" and frame.f_code is disk.fsync_folder.__code__:
            seen.append(frame.f_locals["folder"])

    sys.setprofile(note)
    try:
        make_folders(folder)
    finally:
        sys.setprofile(None)
    return seen


def test_each_new_folder_is_flushed_into_the_one_that_holds_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert flushed(tmp_path / "a/b/c/d") == [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    assert (tmp_path / "a/b/c/d").is_dir()


def test_threads_that_make_folders_in_one_share_its_flushes_and_none_returns_before_its_own(tmp_path: Path) -> None:
    flushes: list[set[str]] = []
    gone_on: list[bool] = []

    def slow_down(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and called is os.fsync:
            names.value = {path.name for path in frame.f_locals["folder"].iterdir()}
            time.sleep(0.005)  # a slow device
        elif event == "c_return" and called is os.fsync:
            flushes.append(names.value)

    def make(number: int) -> None:
        make_folders(tmp_path / "jobs" / str(number // 2))  # two of each
        gone_on.append(any(str(number // 2) in flushed for flushed in flushes))

    names = threading.local()
    threading.setprofile(slow_down)
    try:
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(make, range(64)))
    finally:
        threading.setprofile(None)
    assert gone_on == [True] * 64
    assert len(flushes) < 25


def test_what_is_there_costs_no_flush(tmp_path: Path) -> None:
    assert flushed(tmp_path) == []


def test_a_file_in_the_way_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match=r"/a'$"):
        make_folders(tmp_path / "a/b/c")
