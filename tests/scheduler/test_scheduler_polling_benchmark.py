"""The benchmark of polling still runs: once at a tiny size, for its form, not for its figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "polling.py"


def test_it_tells_rows_and_goals() -> None:
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [sys.executable, str(SCRIPT), "--quick", "--json"], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    images = {row["policy"]: row for row in told["rows"] if row["scenario"] == "images"}
    assert images["oracle"]["over_oracle"] == 1
    assert images["SDK, 2 to 10 s"]["over_oracle"] > 1 < images["fixed 10 s"]["over_oracle"]
    assert {"images: queries", "videos: queries"} < {goal["name"] for goal in told["goals"]}
