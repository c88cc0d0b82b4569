"""The benchmark of the gallery still runs: once at a tiny size, for its rows, not for its figures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

SCRIPT = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "report.py"


def test_the_benchmark_of_the_gallery_prints_its_rows(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(SCRIPT), "--results", "9", "--rounds", "1", "--no-browser"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first.startswith("9 results of 1024 x 576")
    assert [row.split("   ")[0].strip() for row in rows] == ["first writing", "again", "page"]
