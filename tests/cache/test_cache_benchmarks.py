"""The benchmarks of caches still run, each once at a tiny size for its rows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (
            ("noop.py", "--jobs", "3", "--rounds", "1", "--only"),
            ["3 jobs, all up to date", "python -c pass", "kirin-batch plan", "plan --no-cache", "over bare"],
        ),
        (
            ("scale.py", "--sizes", "2", "3", "--rounds", "1"),
            ["2 jobs", "3 jobs", "validate, anew", "plan, again", "run, again", "run, all to make", "growth"],
        ),
    ],
)
def test_a_benchmark_runs_and_shows_its_rows(arguments: tuple[str, ...], rows: list[str], tmp_path: Path) -> None:
    script, *options = arguments
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(BENCHMARKS / script), *options],
        env={"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for row in rows:
        assert row in done.stdout
