"""The benchmark of large bodies still runs: once at a tiny size, for its rows, not for its figures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "bodies.py"


def test_the_benchmark_of_bodies_prints_its_rows(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(SCRIPT), "--bodies", "2", "--megabytes", "0.5", "--rounds", "1"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first == "2 bodies of 0.5 MB at once, median of 1"
    assert [row.split("  ")[1] for row in rows] == ["streamed", "in memory"]
