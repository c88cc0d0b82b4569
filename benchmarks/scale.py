"""Measures how time and memory grow with a project: reading, planning, a run with nothing to do, and a real one.

Usage: python benchmarks/scale.py [--sizes N…] [--rounds N] [--runs-up-to N]. Commands are measured anew (`--no-cache`)
and again; a real run makes every job at `fast_gateway.py`, in a process of its own on loopback.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from processes import Cost, Work, compare, measure
from settled_project import write_specs

FOLDER = Path(__file__).resolve().parent
PROGRAM = (sys.executable, "-m", "kirin_batch")
SETTLING_SECONDS = 2.5  # files that changed within two seconds are looked at anew
SETTINGS = "namespace: benchmark\nlimits: {image: 2000, downloads: 64}\npoll: {min: 0.5, max: 1}\n"


@contextmanager
def fast_gateway() -> Iterator[str]:
    """A gateway in a process of its own; its base URL."""
    command = [sys.executable, str(FOLDER / "fast_gateway.py"), "--queries", "2", "--bytes", "300"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - a script of this folder
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def measure_settled(root: Path, jobs: int, environ: Mapping[str, str], *, rounds: int) -> dict[str, Cost]:
    """What commands take where every job has its result."""
    make = [sys.executable, str(FOLDER / "settled_project.py"), str(root), str(jobs)]
    subprocess.run(make, env=dict(environ), check=True)  # noqa: S603 - a script of this folder
    told = {"validate": "all valid", "plan": "nothing to do", "run": "this run cost $0.00"}
    works = {
        f"{name}, {how}": Work([*PROGRAM, name, *options], root, says=says)
        for name, says in told.items()
        for how, options in (("anew", ("--no-cache",)), ("again", ()))
    }
    for work in works.values():  # makes `.kirin/`, whose folder must grow as old as the rest
        measure(work, environ)
    time.sleep(SETTLING_SECONDS)
    return compare(works, environ, rounds=rounds)


def measure_run(root: Path, jobs: int, environ: Mapping[str, str]) -> Cost:
    """What a run takes that makes every job."""
    write_specs(root, jobs)
    (root / "kirin.yaml").write_text(SETTINGS)
    with fast_gateway() as url:
        plain = {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
        keyed = {**plain, "KIRIN_BASE_URL": url, "KIRIN_API_KEY": "sk-benchmark-0123456789"}
        return measure(Work([*PROGRAM, "run", "-q"], root, says=f"{jobs} completed"), keyed)


def show(rows: Mapping[str, Mapping[int, Cost]], sizes: Sequence[int]) -> None:
    """Print seconds and MB of each command at each size, and how much longer the largest takes for each job."""
    print(f"{'':<18}" + "".join(f"{f'{size} jobs':>20}" for size in sizes) + f"{'growth':>10}")
    for name, costs in rows.items():
        told = (
            f"{costs[size].seconds:8.2f} s {costs[size].megabytes:6.0f} MB" if size in costs else "" for size in sizes
        )
        first, last = min(costs), max(costs)
        growth = costs[last].seconds / last / (costs[first].seconds / first)
        print(f"{name:<18}" + "".join(f"{cell:>20}" for cell in told) + f"{growth:10.2f}")


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs-up-to", type=int, default=10_000, help="jobs of a real run; a larger one takes minutes")
    chosen = parser.parse_args(arguments)
    environ = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows: dict[str, dict[int, Cost]] = {}
    for size in chosen.sizes:
        with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder:
            root = Path(folder).resolve()
            found = measure_settled(root / "settled", size, environ, rounds=chosen.rounds)
            if size <= chosen.runs_up_to:
                found["run, all to make"] = measure_run(root / "new", size, environ)
        for name, cost in found.items():
            rows.setdefault(name, {})[size] = cost
    show(rows, chosen.sizes)


if __name__ == "__main__":
    main(sys.argv[1:])
