"""The fan-out benchmark counts right: what each contestant asks, that nothing is lost, and who is not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "fanout.py"


def compared(tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(SCRIPT), "--jobs", "3", "--slots", "2", "--rounds", "1", *arguments],
        env={"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_contestants_ask_three_times_for_each_task_and_keep_its_result(tmp_path: Path) -> None:
    rows = [line.split() for line in compared(tmp_path, "--only", "ours", "folders", "bare").splitlines()[3:]]
    assert [row[0] for row in rows] == ["ours", "folders", "bare"]
    assert [row[8] for row in rows] == ["3.00"] * 3
    assert rows[2][4:6] == ["1.00", "1.00"]
    assert list(tmp_path.iterdir()) == []


def test_a_rival_that_is_not_installed_is_skipped_and_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    said = compared(tmp_path, "--only", "httpx", "sdk", "--rivals", str(python))
    assert f"httpx is skipped: {python} has no httpx" in said
    assert f"sdk is skipped: {python} has no seaart_sdk" in said
