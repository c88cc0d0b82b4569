"""Measures what a run costs on a Dask cluster with 1, 2 and 4 workers, beside the same run on one machine.

Usage: python benchmarks/distributed.py [--jobs N] [--slots N] [--workers N …] [--bytes N] [--shared] [--rounds N].
Gateway (`fast_gateway.py`), scheduler, workers and driver are processes of this machine. The gateway's tasks take four
queries, `--poll` seconds apart, so that it offers about `slots / (4 * poll)` jobs a second and nobody waits for its
processor: what can be compared is CPU and memory, and whether the cluster keeps up. On one machine workers share its
processors, so more of them cannot bring more; they would elsewhere. `--shared`: results stay in a folder that workers
see, else they come back to the driver through the scheduler. All start anew for each run, which counts.

A row has the medians of the rounds: jobs a second, CPU in milliseconds a job of driver, scheduler and all workers, the
same against the plain run of the round, and the largest resident memory of driver, scheduler and one worker in MB.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil  # Dask needs it itself

FOLDER = Path(__file__).resolve().parent
KEY = "sk-benchmark-0123456789"
QUERIES = 4
POLL_SECONDS = 0.05
SETTINGS = """\
limits: {{image: {slots}}}
poll: {{min: {poll}, max: {poll}}}
outputs: "outputs/{{spec}}/{{job}}-{{index}}{{ext}}"
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be done: so many jobs in so many slots, with results of so many bytes."""

    jobs: int
    slots: int
    result_bytes: int
    poll_seconds: float
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: CPU in seconds, memory in MB."""

    jobs: int
    seconds: float
    driver_cpu: float
    scheduler_cpu: float = 0.0
    workers_cpu: float = 0.0
    driver_mb: float = 0.0
    scheduler_mb: float = 0.0
    worker_mb: float = 0.0

    @property
    def cpu(self) -> float:
        """Of all processes but the gateway."""
        return self.driver_cpu + self.scheduler_cpu + self.workers_cpu


def measure(load: Load, workers: int) -> Cost:
    """One run, on this machine alone where there are no workers. Raises RuntimeError where it loses a job."""
    with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as name, ExitStack() as opened:
        folder = Path(name).resolve()
        url = opened.enter_context(gateway(load.result_bytes))
        known = environment(url, folder)
        write_project(folder / "work", load)
        processes = opened.enter_context(cluster(folder, workers, known)) if workers else []
        options = ["--engine", "dask", "--scheduler", str(folder / "scheduler.json")] if workers else []
        if workers and load.is_shared:
            options += ["--shared", str(folder / "work")]
        before, began = [cpu_of(process) for process in processes], time.perf_counter()
        used = drive(folder / "work", options, known)
        seconds = time.perf_counter() - began
        results = sum(path.suffix == ".png" for path in (folder / "work" / "outputs").rglob("*"))
        if results != load.jobs:
            raise RuntimeError(f"{results} results of {load.jobs}")
        cpu = [cpu_of(process) - earlier for process, earlier in zip(processes, before, strict=True)] or [0.0]
        sizes = [process.memory_info().rss / 1024**2 for process in processes] or [0.0]
        driver = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        return Cost(
            load.jobs, seconds, driver[0], cpu[0], sum(cpu[1:]), driver[1], sizes[0], max(sizes[1:], default=0.0)
        )


def drive(project: Path, options: Sequence[str], known: dict[str, str]) -> resource.struct_rusage:
    """Run the driver, the program itself; what it took. Raises RuntimeError where it does not end well."""
    command = [sys.executable, "-m", "kirin_batch", "run", "-q", *options]
    with (project.parent / "driver.log").open("w+") as log:
        process = subprocess.Popen(command, cwd=project, env=known, stdout=log, stderr=log)  # noqa: S603 - see above
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(log.read())
    return used


def cpu_of(process: psutil.Process) -> float:
    """The CPU that a process took so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def write_project(folder: Path, load: Load) -> None:
    """A spec of so many plain jobs."""
    (folder / "specs").mkdir(parents=True)
    (folder / "kirin.yaml").write_text(SETTINGS.format(slots=load.slots, poll=load.poll_seconds))
    lines = "".join(f"  job{number}: {{params: {{prompt: Fox number {number}}}}}\n" for number in range(load.jobs))
    (folder / "specs" / "film.yaml").write_text(f"version: 1\ndefaults: {{model: kirin_v2_image}}\njobs:\n{lines}")


def environment(url: str, folder: Path) -> dict[str, str]:
    """What all processes find: no proxy, this checkout, and a folder of their own for what Dask writes."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ours = {"PYTHONPATH": str(FOLDER.parent), "KIRIN_API_KEY": KEY, "KIRIN_BASE_URL": url}
    return {**kept, **ours, "DASK_CONFIG": str(folder / "config"), "DASK_TEMPORARY_DIRECTORY": str(folder)}


@contextmanager
def gateway(result_bytes: int) -> Iterator[str]:
    """A gateway in a process of its own; its base URL."""
    command = [sys.executable, str(FOLDER / "fast_gateway.py"), "--queries", str(QUERIES), "--bytes", str(result_bytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - a script of this folder
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


@contextmanager
def cluster(folder: Path, workers: int, known: dict[str, str]) -> Iterator[list[psutil.Process]]:
    """A scheduler, named by a file, and its workers, each with one thread: the scheduler first."""
    file, begun = folder / "scheduler.json", []
    plain = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    commands = [["scheduler", "--port", "0", *plain], *[["worker", "--no-nanny", "--nthreads", "1", *plain]] * workers]
    try:
        for number, (kind, *arguments) in enumerate(commands):
            with (folder / f"{number}.log").open("w") as log:
                command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments]
                begun.append(subprocess.Popen(command, env=known, stdout=log, stderr=log))  # noqa: S603 - Dask's program
            wait_for(folder / f"{number}.log", "Scheduler at:" if kind == "scheduler" else "Registered to")
        yield [psutil.Process(process.pid) for process in begun]
    finally:
        for process in reversed(begun):
            process.kill()
            process.wait(10)


def wait_for(log: Path, told: str) -> None:
    """Wait until a process has told something. Raises RuntimeError where it does not."""
    deadline = time.monotonic() + 30
    while told not in log.read_text():
        if time.monotonic() > deadline:
            raise RuntimeError(log.read_text())
        time.sleep(0.05)


HEAD = (
    "                  CPU, ms a job                              times    peak MB\n"
    "  workers  jobs/s  driver  scheduler  workers     all       plain    driver  scheduler  a worker"
)


def row(workers: int, costs: Sequence[Cost], plain: Sequence[Cost]) -> str:
    """One size of cluster."""
    parts = [
        median(getattr(cost, name) / cost.jobs * 1000 for cost in costs)
        for name in ("driver_cpu", "scheduler_cpu", "workers_cpu", "cpu")
    ]
    times = median(cost.cpu / base.cpu for cost, base in zip(costs, plain, strict=True))
    sizes = [max(getattr(cost, name) for cost in costs) for name in ("driver_mb", "scheduler_mb", "worker_mb")]
    return (
        f"  {workers or 'none':>7}{median(cost.jobs / cost.seconds for cost in costs):8.1f}{parts[0]:8.1f}"
        f"{parts[1]:11.1f}{parts[2]:9.1f}{parts[3]:8.1f}{times:12.2f}{sizes[0]:10.0f}{sizes[1]:11.0f}{sizes[2]:10.0f}"
    )


def main(arguments: Sequence[str]) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--slots", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--bytes", type=int, default=50_000)
    parser.add_argument("--poll", type=float, default=POLL_SECONDS * 20)
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    load = Load(chosen.jobs, chosen.slots, chosen.bytes, chosen.poll, chosen.shared)
    costs: dict[int, list[Cost]] = {workers: [] for workers in (0, *chosen.workers)}
    for _ in range(chosen.rounds):
        for workers, found in costs.items():
            found.append(measure(load, workers))
    print(HEAD)
    for workers, found in costs.items():
        print(row(workers, found, costs[0]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
