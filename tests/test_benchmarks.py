"""The benchmarks still run: each once at a tiny size, for its rows, not for its figures."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("yaml_load.py", "2", "500"), ["2 small files", "one list of 500 jobs, seconds", "ratio"]),
        (("validate.py", "--only", "files", "--files", "3", "--rounds", "1"), ["kirin-batch", "check-jsonschema"]),
        (("validate.py", "--only", "jobs", "--jobs", "3", "--rounds", "1"), ["1 file of 3 jobs", "CSafeLoader", "MB"]),
        (("validate.py", "--only", "faulty", "--faulty", "2", "--rounds", "1"), ["2 files with problems"]),
        (("validate.py", "--only", "warm", "--files", "3", "--rounds", "1"), ["3 files, warm", "load_specs"]),
        (
            ("durability.py", "--jobs", "3", "--records", "100", "--rounds", "1"),
            ["a run of 3 jobs", "100 at a time", "fsync off"],
        ),
    ],
)
def test_a_benchmark_prints_its_rows(tmp_path: Path, arguments: tuple[str, ...], rows: list[str]) -> None:
    script, *sizes = arguments
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(BENCHMARKS / script), *sizes],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(BENCHMARKS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row for row in rows if row not in done.stdout] == []
