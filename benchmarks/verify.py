"""Measures `verify` beside coreutils' sha256sum over the same files, in turns, with and without a warm page cache.

Usage: python benchmarks/verify.py [--files N] [--bytes N] [--rounds N]. The files lie in a temporary folder (TMPDIR
says where), each in one of its own, as results do. Both start as a process. What is cold was dropped from the page
cache by POSIX_FADV_DONTNEED; where the system keeps it all the same, cold is as warm.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Output, Record, Status

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure, and print a row for each state of the page cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = make_results(root, files=options.files, size=options.bytes)
        print(f"{options.files} results of {options.bytes} bytes, seconds (median of {options.rounds})")
        for state in ("warm", "cold"):
            ours, theirs = measure(root, paths, rounds=options.rounds, is_cold=state == "cold")
            print(f"{state}  kirin-batch verify {ours:.3f}  sha256sum --check {theirs:.3f}  ratio {ours / theirs:.2f}")


def make_results(root: Path, *, files: int, size: int) -> list[Path]:
    """Files and the lockfile that records them; also what sha256sum reads."""
    (root / "kirin.yaml").write_text("version: 1\n")
    records, lines, paths = {}, [], []
    for number in range(files):
        path = root / "outputs" / "bench" / f"job-{number:05}" / "1.png"
        path.parent.mkdir(parents=True)
        content = os.urandom(size)
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        name = path.relative_to(root).as_posix()
        output = Output(f"https://results.example/{number}", "image", name, sha256, size)
        record = Record(
            job=f"bench:job-{number:05}",
            model="kirin_v2_image",
            status=Status.COMPLETED,
            digest=sha256,
            external_task_id=f"kb-{number}",
            created_at="2026-01-01T00:00:00Z",
            outputs=(output,),
        )
        records[record.job] = record
        lines.append(f"{sha256}  {name}\n")
        paths.append(path)
    save_lockfile(root / "kirin.lock", records)
    (root / "SHA256SUMS").write_text("".join(lines))
    return paths


def measure(root: Path, paths: Sequence[Path], *, rounds: int, is_cold: bool) -> tuple[float, float]:
    """Median seconds of both, called in turns."""
    ours, theirs = [], []
    for _ in range(rounds):
        for seconds, command in (
            (ours, [sys.executable, "-m", "kirin_batch", "verify", "-q"]),
            (theirs, ["sha256sum", "--check", "--quiet", "SHA256SUMS"]),
        ):
            read_or_drop(paths, is_cold=is_cold)
            begin = perf_counter()
            subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, check=True)  # noqa: S603 - our own
            seconds.append(perf_counter() - begin)
    return median(ours), median(theirs)


def read_or_drop(paths: Sequence[Path], *, is_cold: bool) -> None:
    """Bring the files into the page cache, or out of it."""
    if is_cold:
        os.sync()
    for path in paths:
        with path.open("rb") as file:
            if is_cold:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                file.read()


if __name__ == "__main__":
    main()
