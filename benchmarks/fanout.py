"""Measures what a run of thousands of small jobs costs, beside others who ask the same of the same gateway.

Usage: python benchmarks/fanout.py [--jobs N] [--slots N …] [--rounds N] [--only NAME …] [--rivals PYTHON]. Each job
is 1 create, 3 queries and 1 download of 50 KB; ours asks once more, for the job's external_task_id before its create.
The gateway (`fast_gateway.py`, a fresh one for each contestant) and the contestants (`contestants/`) are processes of
their own; they take turns, round by round, because other work on the machine changes what a second of CPU is worth.

ours     the library's front door with all that it keeps on disk; results go to one folder a spec of 1,000 jobs
folders  the same with the default of `outputs:`, a folder a job: the difference is the file system's work
bare     a loop around aiohttp that keeps nothing but the results, in one folder: the practical limit
httpx    the same loop around httpx, with fewer jobs (--httpx-jobs), because with many connections it takes minutes
sdk      the gateway's own SDK, which waits in 64 threads whatever the slots

The last two are no dependencies of the project: `pip install httpx seaart-sdk` in an environment whose interpreter
`--rivals` names; what is not installed is skipped. A row has the medians of the rounds; its ratios, by request and by
job, are the medians of those to `bare` in the same round. MB is the peak of the contestant alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).resolve().parent
KEY = "sk-benchmark-0123456789"
SDK_THREADS = 64
NEEDED = {"httpx": "httpx", "sdk": "seaart_sdk"}  # modules of other environments, by contestant
COMMANDS = {
    "ours": ("ours.py",),
    "folders": ("ours.py", "--folders"),
    "bare": ("bare.py",),
    "httpx": ("httpx_loop.py",),
    "sdk": ("sdk.py",),
}
ASKED = ("creates", "queries", "lookups in vain", "downloads")


@dataclass(frozen=True, slots=True)
class Entry:
    """One contestant in one field: so many jobs at so many slots, by the interpreter that has what it needs."""

    name: str
    python: str
    jobs: int
    slots: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took for its jobs, and what the gateway was asked meanwhile."""

    jobs: int
    seconds: float
    cpu_seconds: float
    megabytes: float
    preparing_seconds: float
    requests: int
    queries: int
    gateway_cpu_seconds: float

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds for each 1,000 requests."""
        return self.cpu_seconds / self.requests * 1000

    @property
    def cpu_per_job(self) -> float:
        """CPU seconds for each job."""
        return self.cpu_seconds / self.jobs


def measure(entry: Entry) -> Cost:
    """Let a contestant do its jobs. Raises RuntimeError where it does not, or loses any."""
    with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder, gateway() as url:
        script, *options = COMMANDS[entry.name]
        errand = [url, str(Path(folder).resolve() / "work"), str(entry.jobs), str(entry.slots)]
        done = subprocess.run(  # noqa: S603 - a script of this folder
            [entry.python, str(FOLDER / "contestants" / script), *errand, *options],
            env=environment(url),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{entry.name}: {done.stderr}")
        results = sum(path.suffix == ".png" for path in Path(folder).rglob("*"))
        if results != entry.jobs:
            raise RuntimeError(f"{entry.name} left {results} results of {entry.jobs}")
        with urllib.request.urlopen(f"{url}/counts") as answer:  # noqa: S310 - of the gateway on loopback
            counts = json.load(answer)
    requests = sum(counts.get(name, 0) for name in ASKED)
    return Cost(entry.jobs, *json.loads(done.stdout), requests, counts["queries"], counts["cpu_seconds"])


@contextmanager
def gateway() -> Iterator[str]:
    """A gateway in a process of its own; its base URL."""
    with subprocess.Popen(  # noqa: S603 - a script of this folder
        [sys.executable, str(FOLDER / "fast_gateway.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def environment(url: str) -> dict[str, str]:
    """What a contestant finds: no proxy, and of this checkout only what is ours."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(FOLDER.parent), "KIRIN_API_KEY": KEY, "KIRIN_BASE_URL": url}


def has_module(python: str, module: str) -> bool:
    """Whether an interpreter finds a module."""
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)  # noqa: S603 - the user's own
    return done.returncode == 0


def compare(title: str, entries: Sequence[Entry], *, rounds: int) -> None:
    """Print what the entries take, in turns."""
    costs: dict[Entry, list[Cost]] = {entry: [] for entry in entries}
    for _ in range(rounds):
        for entry in entries:
            costs[entry].append(measure(entry))
    bases = next((found for entry, found in costs.items() if entry.name == "bare"), None)
    print(f"{title}\n{HEAD}")
    for entry, found in costs.items():
        print(row(entry.name, found, bases), flush=True)


HEAD = (
    "          CPU s per 1,000 requests  times bare by                    peak   queries  jobs  CPU s to    gateway's\n"
    "          median (least, most)      request    job   requests/s      MB     a job          plan     per 1,000"
)


def row(name: str, costs: Sequence[Cost], bases: Sequence[Cost] | None) -> str:
    """One contestant."""
    per_1000 = [cost.cpu_per_1000 for cost in costs]
    return (
        f"  {name:<8}{median(per_1000):6.3f} ({min(per_1000):.3f}, {max(per_1000):.3f})    {ratios(costs, bases)}"
        f"  {median(cost.requests / cost.seconds for cost in costs):10.0f}"
        f"  {median(cost.megabytes for cost in costs):8.0f}"
        f"  {median(cost.queries / cost.jobs for cost in costs):8.2f}  {costs[0].jobs:4}"
        f"  {median(cost.preparing_seconds for cost in costs):8.2f}"
        f"  {median(cost.gateway_cpu_seconds / cost.requests * 1000 for cost in costs):8.3f}"
    )


def ratios(costs: Sequence[Cost], bases: Sequence[Cost] | None) -> str:
    """CPU by request and by job, each against the base of the same round."""
    if bases is None:
        return " " * 15
    pairs = list(zip(costs, bases, strict=True))
    by_request = median(cost.cpu_per_1000 / base.cpu_per_1000 for cost, base in pairs)
    return f"{by_request:7.2f} {median(cost.cpu_per_job / base.cpu_per_job for cost, base in pairs):7.2f}"


def fields(chosen: argparse.Namespace) -> Iterator[tuple[str, list[Entry]]]:
    """Who takes part, by slots. The SDK does so once: its threads are not slots."""
    rivals = {name for name in NEEDED if name in chosen.only}
    missing = {name for name in rivals if not has_module(chosen.rivals, NEEDED[name])}
    for name in sorted(missing):
        print(f"{name} is skipped: {chosen.rivals} has no {NEEDED[name]} (see --help)")
    for number, slots in enumerate(chosen.slots):
        own = (name for name in COMMANDS if name in chosen.only and name not in NEEDED)
        entries = [Entry(name, sys.executable, chosen.jobs, slots) for name in own]
        if "httpx" in rivals - missing:
            entries.append(Entry("httpx", chosen.rivals, min(chosen.httpx_jobs, chosen.jobs), slots))
        if "sdk" in rivals - missing and number == 0:
            entries.append(Entry("sdk", chosen.rivals, chosen.jobs, SDK_THREADS))
        yield f"{slots} slots", entries


def main(arguments: Sequence[str]) -> None:
    """Print the comparison at each number of slots."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--httpx-jobs", type=int, default=500)
    parser.add_argument("--slots", type=int, nargs="+", default=[50, 500, 2_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--rivals", default=sys.executable, help="an interpreter with httpx and seaart-sdk")
    chosen = parser.parse_args(arguments)
    for title, entries in fields(chosen):
        compare(title, entries, rounds=chosen.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
