"""Measures `load_yaml` beside PyYAML's CSafeLoader, interleaved: many small files, and one list of many jobs.

Usage: python benchmarks/yaml_load.py [FILES] [JOBS]
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import yaml

from kirin_batch.source import load_yaml

JOB = """\
- model: kirin_v3_omni_image
  params:
    prompt: the fox number {number} walks away through the snow, at dawn
    duration: 5
    sound: on
    aspect_ratio: 16:9
    n: 2
    element_list:
      - element_id: "${{{{ jobs.hero{number}.element_id }}}}"
    shots:
      - {{prompt: the first shot, duration: 2}}
      - {{prompt: the second shot, duration: 3}}
  tags: [trailer, "take {number}"]
  take: 2
"""
FILE = """\
version: 1
defaults:
  model: kirin_v3_omni_image
jobs:
  poster{number}:
    params:
      prompt: The fox in the forest, at dawn, number {number}
      aspect_ratio: 16:9
      resolution: 2k
      n: 2
    tags: [poster]
"""
LOADERS: dict[str, Callable[[bytes], object]] = {
    "load_yaml": load_yaml,
    "CSafeLoader": lambda data: yaml.load(data, Loader=yaml.CSafeLoader),
}
ROUNDS = 5


def small_files(count: int) -> dict[str, float]:
    """Microseconds a file: the median of interleaved rounds."""
    files = [FILE.format(number=number).encode() for number in range(count)]
    seconds: dict[str, list[float]] = {name: [] for name in LOADERS}
    for _ in range(ROUNDS):
        for name, load in LOADERS.items():
            seconds[name].append(timed(load, files))
    return {name: median(rounds) / count * 1e6 for name, rounds in seconds.items()}


def timed(load: Callable[[bytes], object], files: list[bytes]) -> float:
    """Seconds for all files, whose values are all kept as a project's are."""
    start = perf_counter()
    kept = [load(data) for data in files]
    seconds = perf_counter() - start
    del kept
    return seconds


def one_list(name: str, jobs: int) -> tuple[float, float]:
    """Seconds and MB of peak memory above the start, in a fresh process: memory is never given back whole."""
    done = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, __file__, "--one-list", name, str(jobs)], check=True, capture_output=True, text=True
    )
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def measure_one_list(name: str, jobs: int) -> None:
    """Print seconds and MB for one list of jobs; runs in a process of its own."""
    data = "".join(JOB.format(number=number) for number in range(jobs)).encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = timed(LOADERS[name], [data])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(seconds, (after - before) / 1024)


def main(files: int = 10_000, jobs: int = 20_000) -> None:
    """Print both measurements with the ratios of CSafeLoader to `load_yaml`."""
    print(f"{files} small files, µs a file: " + compared(small_files(files)))
    rounds = [{name: one_list(name, jobs) for name in LOADERS} for _ in range(ROUNDS)]
    for column, unit in enumerate(("seconds", "MB at its peak")):
        print(
            f"one list of {jobs} jobs, {unit}: " + compared({n: median(r[n][column] for r in rounds) for n in LOADERS})
        )


def compared(figures: dict[str, float]) -> str:
    """Both figures and their ratio."""
    ours, theirs = figures.values()
    return f"load_yaml {ours:.2f}, CSafeLoader {theirs:.2f}, ratio {theirs / ours:.2f}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one-list"]:
        measure_one_list(sys.argv[2], int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
