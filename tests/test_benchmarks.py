"""The benchmarks still run, each once at a tiny size for its rows; what they are for holds with room for noise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def output_of(script: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(BENCHMARKS / script), *arguments],
        env={"TMPDIR": str(folder), "PYTHONPATH": str(BENCHMARKS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("yaml_load.py", "2", "500"), ["2 small files", "one list of 500 jobs, seconds", "ratio"]),
        (("validate.py", "--only", "files", "--files", "3", "--rounds", "1"), ["kirin-batch", "check-jsonschema"]),
        (("validate.py", "--only", "jobs", "--jobs", "3", "--rounds", "1"), ["1 file of 3 jobs", "CSafeLoader", "MB"]),
        (("validate.py", "--only", "faulty", "--faulty", "2", "--rounds", "1"), ["2 files with problems"]),
        (("validate.py", "--only", "warm", "--files", "3", "--rounds", "1"), ["3 files, warm", "load_specs"]),
        (
            ("verify.py", "--files", "20", "--bytes", "1000", "--rounds", "1"),
            ["20 results of 1000 bytes", "warm", "cold", "sha256sum", "ratio"],
        ),
        (
            ("durability.py", "--jobs", "3", "--records", "100", "--rounds", "1"),
            ["a run of 3 jobs", "100 at a time", "fsync off"],
        ),
    ],
)
def test_a_benchmark_prints_its_rows(tmp_path: Path, arguments: tuple[str, ...], rows: list[str]) -> None:
    printed = output_of(*arguments, folder=tmp_path)
    assert [row for row in rows if row not in printed] == []


def test_specs_are_validated_in_about_the_time_that_libyaml_needs_to_load_them(tmp_path: Path) -> None:
    ratio = 0.0
    for _ in range(5):  # a busy machine may spoil a round, hardly five
        printed = output_of("validate.py", "--only", "warm", "--files", "1000", "--rounds", "5", folder=tmp_path)
        found = re.search(r"CSafeLoader .* ([0-9.]+) x", printed)
        assert found, printed
        ratio = max(ratio, float(found[1]))
        if ratio > 1 / 1.15:
            return
    pytest.fail(f"CSafeLoader needs {ratio:.2f} times what load_specs takes")
