"""The benchmark of clusters runs, loses nothing, and tells a row for each size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra `distributed` is not installed")
pytestmark = pytest.mark.soak

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "distributed.py"


@pytest.mark.parametrize("where", ["--shared", "--rounds=1"])
def test_a_cluster_is_measured_beside_one_machine(tmp_path: Path, where: str) -> None:
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(SCRIPT), "--jobs", "3", "--slots", "2", "--workers", "1", "--rounds", "1", where],
        env={"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["none", "1"]
    assert rows[0][6] == "1.00"
    assert list(tmp_path.iterdir()) == []
