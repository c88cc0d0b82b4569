"""Measures what the journal costs: a run of many jobs beside the same run whose fsync does nothing, in turns.

Usage: python benchmarks/durability.py [--jobs N] [--records N] [--rounds N] [--only run|list|records]. The gateway is a
sandbox in its own process whose tasks have ended when they are created, so that nothing hides the disk's time: no real
run asks for so much at once. Each run is a process of its own, in a temporary folder (TMPDIR says where).
"""

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from aiohttp import web
from aiohttp.typedefs import Handler
from own_process import served_by

from kirin_batch.cli.main import run_command_line
from kirin_batch.fault_points import FaultPoint, arm
from kirin_batch.journal import Ledger
from kirin_batch.records import Record, Status
from kirin_batch.sandbox import Sandbox, SandboxSettings

CHECKOUT = Path(__file__).resolve().parent.parent
SETTINGS = "version: 1\nlimits: {image: 50}\npoll: {min: 0.01, max: 0.1}\n"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(2000)
CONCURRENT = (1, 10, 100)
WAYS = {"fsync": (), "fsync off": ("--no-fsync",)}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took, and what it did to the disk; `journal_bytes` are all that were ever written to it."""

    seconds: float
    cpu_seconds: float
    fsyncs: int
    lines: int = 0
    folds: int = 0
    journal_bytes: int = 0


class Meter:
    """Counts what a run does to its journal, by its fault points, and every fsync of the process."""

    def __init__(self, journal: Path, *, flushes: bool) -> None:
        self._journal = journal
        self._flush = os.fsync if flushes else lambda _descriptor: None
        self._last_bytes = 0
        self.points: Counter[FaultPoint] = Counter()
        self.fsyncs = 0
        self.journal_bytes = 0

    def note(self, point: FaultPoint) -> None:
        """Count a fault point, and how much longer the journal became."""
        self.points[point] += 1
        if point is FaultPoint.JOURNAL_WRITTEN:
            size = self._journal.stat().st_size
            self.journal_bytes += size - self._last_bytes
            self._last_bytes = size
        elif point is FaultPoint.JOURNAL_EMPTIED:
            self._last_bytes = 0

    def fsync(self, descriptor: int) -> None:
        """Stand in for os.fsync."""
        self.fsyncs += 1
        self._flush(descriptor)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure what happens inside; this process is a child of the benchmark, and ends afterwards."""
        os.fsync = self.fsync  # type: ignore[assignment] # the same call but for the name of its argument
        arm(self.note)
        self._begin, self._begin_cpu = perf_counter(), process_time()
        yield
        self._seconds, self._cpu_seconds = perf_counter() - self._begin, process_time() - self._begin_cpu

    def cost(self) -> Cost:
        """What was measured."""
        lines, folds = self.points[FaultPoint.JOURNAL_FLUSHED], self.points[FaultPoint.LOCKFILE_SAVED]
        return Cost(self._seconds, self._cpu_seconds, self.fsyncs, lines, folds, self.journal_bytes)


def measure_run(root: Path, arguments: Sequence[str], *, flushes: bool) -> Cost:
    """Run the project at `root`. Raises RuntimeError where that does not go well."""
    meter = Meter(root / ".kirin" / "journal.jsonl", flushes=flushes)
    with meter.measuring():
        code = run_command_line(("run", "-q", "-C", str(root), *arguments))
    if code:
        raise RuntimeError(f"the run ended with exit code {code}")
    return meter.cost()


def measure_records(root: Path, *, records: int, concurrent: int, flushes: bool) -> Cost:
    """Keep so many records in a ledger, each job waiting for its own before the next."""
    journal = root / "journal.jsonl"
    meter = Meter(journal, flushes=flushes)

    async def keep(ledger: Ledger, job: int) -> None:
        for number in range(records // concurrent):
            await ledger.record(record(f"film:job{job}", number))

    async def keep_all() -> None:
        with Ledger(root / "kirin.lock", journal) as ledger, meter.measuring():
            async with asyncio.TaskGroup() as group:
                for job in range(concurrent):
                    group.create_task(keep(ledger, job))

    asyncio.run(keep_all())
    return meter.cost()


def record(job: str, number: int) -> Record:
    """A record of the usual size."""
    return Record(
        job=job,
        model="kirin_v2_image",
        status=Status.IN_FLIGHT,
        digest="0" * 64,
        external_task_id=f"kb-{number:040}",
        task_id=f"{number:024}",
        created_at="2026-01-02T03:04:05Z",
    )


async def serve() -> None:
    """Be a gateway until stdin is closed; its first line is its base URL."""

    @web.middleware
    async def results(request: web.Request, handler: Handler) -> web.StreamResponse:
        del request, handler
        return web.Response(body=PICTURE, content_type="image/png")

    settings = SandboxSettings(speed=math.inf, limits={"image": 10**6}, result_middlewares=(results,))
    async with Sandbox(settings) as sandbox:
        print(sandbox.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def environment(url: str = "") -> dict[str, str]:
    """What the children of this process find."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "KIRIN_API_KEY": "sk-benchmark", "KIRIN_BASE_URL": url}


def cost_of(arguments: Sequence[str], *, url: str = "") -> Cost:
    """Let this script measure in a child."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, env=environment(url), capture_output=True, text=True, check=False)  # noqa: S603 - as above
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def compare_runs(title: str, jobs: int, arguments: Sequence[str], *, rounds: int) -> None:
    """Print what runs of fresh projects take, with fsync and without."""
    found: dict[str, list[Cost]] = {name: [] for name in WAYS}
    for number in range(rounds):
        for name, options in WAYS.items():
            # A gateway of its own, which knows none of the ids; and a folder of its own.
            with (
                tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder,
                served_by(__file__, environment()) as url,
            ):
                root = Path(folder).resolve() / f"round{number}"
                write_project(root, jobs)
                found[name].append(cost_of(["--run", str(root), *options, *arguments], url=url))
    show(title, {name: typical(costs) for name, costs in found.items()})


def write_project(root: Path, jobs: int) -> None:
    """A project of so many jobs of one image."""
    (root / "specs").mkdir(parents=True)
    (root / "kirin.yaml").write_text(SETTINGS)
    lines = "".join(f"  job{number}: {{params: {{prompt: Fox number {number}}}}}\n" for number in range(jobs))
    (root / "specs" / "film.yaml").write_text(f"version: 1\ndefaults: {{model: kirin_v2_image}}\njobs:\n{lines}")


def compare_records(records: int, *, rounds: int) -> None:
    """Print how many records a second a ledger keeps."""
    for concurrent in CONCURRENT:
        found: dict[str, list[Cost]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, options in WAYS.items():
                with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder:
                    asked = ["--keep", folder, "--records", str(records), "--concurrent", str(concurrent)]
                    found[name].append(cost_of([*asked, *options]))
        costs = {name: typical(costs) for name, costs in found.items()}
        kept = records // concurrent * concurrent
        title = f"{kept} records, {concurrent} at a time: " + ", ".join(
            f"{kept / cost.seconds:.0f} a second ({name})" for name, cost in costs.items()
        )
        show(title, costs)


def typical(costs: Sequence[Cost]) -> Cost:
    """The medians of seconds, the counts of the last."""
    last = costs[-1]
    seconds, cpu_seconds = median(c.seconds for c in costs), median(c.cpu_seconds for c in costs)
    return Cost(seconds, cpu_seconds, last.fsyncs, last.lines, last.folds, last.journal_bytes)


def show(title: str, costs: dict[str, Cost]) -> None:
    """Print the rows of a comparison: each against the one without fsync."""
    print(title)
    base = costs["fsync off"]
    for name, cost in costs.items():
        ratio = f"{cost.seconds / base.seconds:5.2f} x"
        cpu = f"{cost.cpu_seconds:7.2f} s CPU {cost.cpu_seconds / base.cpu_seconds:5.2f} x"
        disk = f"{cost.fsyncs:6} fsyncs, {cost.lines:5} lines of {cost.journal_bytes / 1e6:.2f} MB, {cost.folds} folds"
        print(f"  {name:<10}{cost.seconds:7.2f} s {ratio} {cpu} {disk}", flush=True)


def measure(chosen: argparse.Namespace) -> bool:
    """Do what a child of this script is for, and tell it in JSON; False where this process is no child."""
    if chosen.serve:
        asyncio.run(serve())
    elif chosen.run:
        arguments = ["--no-download"] if chosen.no_download else []
        tell(measure_run(chosen.run, arguments, flushes=not chosen.no_fsync))
    elif chosen.keep:
        tell(
            measure_records(
                chosen.keep, records=chosen.records, concurrent=chosen.concurrent, flushes=not chosen.no_fsync
            )
        )
    else:
        return False
    return True


def tell(cost: Cost) -> None:
    """Print a cost for the parent."""
    print(json.dumps({name: getattr(cost, name) for name in Cost.__slots__}))


def main(arguments: Sequence[str]) -> None:
    """Print all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--jobs", type=int, default=2_000, help="jobs of a run")
    parser.add_argument("--records", type=int, default=5_000, help="records kept by a ledger alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["run", "list", "records"])
    for name in ("--serve", "--no-fsync", "--no-download"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    for name in ("--run", "--keep"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--concurrent", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if measure(chosen):
        return
    if chosen.only in {None, "run"}:
        compare_runs(f"a run of {chosen.jobs} jobs", chosen.jobs, (), rounds=chosen.rounds)
    if chosen.only in {None, "list"}:
        title = f"a run of {chosen.jobs} jobs without downloads: the journal alone"
        compare_runs(title, chosen.jobs, ("--no-download",), rounds=chosen.rounds)
    if chosen.only in {None, "records"}:
        compare_records(chosen.records, rounds=chosen.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
