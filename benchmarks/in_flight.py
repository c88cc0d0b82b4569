"""Measures what a task in flight costs in memory: the scheduler's, beside a coroutine asleep for each task.

Usage: python benchmarks/in_flight.py [--tasks N] [--json]. The gateway is in memory and its tasks do not end; each way
is a process of its own, and what it held before the first create (jobs, plan) is not counted.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

from kirin_batch.clock import SystemClock
from kirin_batch.gateway.answers import Answer, Fetched, Missing, Result, Resumption, Running, Writer
from kirin_batch.jobs import Job
from kirin_batch.records import Output, Record
from kirin_batch.scheduler.engine import LocalEngine
from kirin_batch.scheduler.observer import Silent
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.scheduler import Limits, Scheduler
from kirin_batch.scheduler.surroundings import Rules

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "tests"))

from job_samples import picture, plan_for  # noqa: E402 - stands with the tests, which are no package

GOAL_MB = 120.0  # for 100,000 tasks
GOAL_TASKS = 100_000
LONG = 1e6  # seconds between two queries, so that waiting is all there is
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """The memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


class EndlessGateway:
    """Takes every task and ends none; calls `full` when so many are in flight."""

    def __init__(self, tasks: int, full: Callable[[], None]) -> None:
        self._missing = tasks
        self._full = full

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        """Take it."""
        del model
        await asyncio.sleep(0)
        self._missing -= 1
        if not self._missing:
            asyncio.get_running_loop().call_later(0.5, self._full)
        return Running(f"task-{params['external_task_id']}")

    async def query(self, task: str) -> Answer:
        """Tell that it runs; by its external_task_id it is not found, so that it is created."""
        await asyncio.sleep(0)
        return Running(task) if task.startswith("task-") else Missing()

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        """Never asked."""
        raise NotImplementedError(url, write, resumption)


class Forgetful:
    """Keeps no record and has no results: memory of the ledger is not what is measured."""

    async def record(self, record: Record) -> None:
        """Drop it."""

    async def forget(self, job: str) -> None:
        """Nothing was kept."""

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...]:
        """Never asked."""
        raise NotImplementedError(job, results)


async def build(job: Job, external_id: str) -> dict[str, Any] | str:
    """The params of a request."""
    return {**job.params, "external_task_id": external_id}


async def run_scheduler(jobs: Mapping[str, Job]) -> tuple[int, int]:
    """The real scheduler: resident bytes before and while all are in flight."""
    scheduler: Scheduler
    figures = []

    def full() -> None:
        figures.append(resident_bytes())
        scheduler.stop()

    plan = plan_for(jobs.values())
    clock, observer = SystemClock(), Silent()
    engine = LocalEngine(
        gateway=EndlessGateway(len(jobs), full),
        ledger=Forgetful(),
        collector=Forgetful(),
        build_params=build,
        clock=clock,
        observer=observer,
        rules=Rules(poll=PollPolicy(LONG, LONG), timeouts={"image": 2 * LONG}),
    )
    scheduler = Scheduler(engine, clock=clock, observer=observer, limits=Limits(slots={"image": len(jobs)}))
    before = resident_bytes()
    await scheduler.run(jobs, plan)
    return before, figures[0]


async def run_coroutines(jobs: Mapping[str, Job]) -> tuple[int, int]:
    """A coroutine for each job, which creates its task and sleeps until the next query."""
    done = asyncio.Event()
    gateway = EndlessGateway(len(jobs), done.set)

    async def watch(task: str) -> None:
        while not isinstance(await gateway.query(task), Missing):  # noqa: ASYNC110 - this is what people write
            await asyncio.sleep(LONG)

    async def live(job: Job) -> None:
        answer = await gateway.create(job.model, await build(job, job.external_task_id))
        if isinstance(answer, Running):
            await watch(answer.task_id)

    before = resident_bytes()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(live(job)) for job in jobs.values()]
        await done.wait()
        during = resident_bytes()
        for task in tasks:
            task.cancel()
    return before, during


WAYS: Mapping[str, Callable[[Mapping[str, Job]], Awaitable[tuple[int, int]]]] = {
    "kirin-batch": run_scheduler,
    "a coroutine each": run_coroutines,
}


async def measure(way: str, tasks: int) -> dict[str, float]:
    """One way in this process."""
    jobs = {job.id: job for job in (picture(f"s:{number}") for number in range(tasks))}
    begin = process_time()
    before, during = await WAYS[way](jobs)
    grown = during - before
    return {"bytes_a_task": grown / tasks, "mb": grown / 1e6, "cpu_seconds": process_time() - begin}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each way; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=GOAL_TASKS)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.way:
        print(json.dumps(asyncio.run(measure(options.way, options.tasks))))
        return 0
    told = {way: _in_own_process(way, options.tasks) for way in WAYS}
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print(f"{options.tasks} tasks in flight{'bytes a task':>20}{'MB':>10}{'CPU s':>10}")
        for way, figures in told.items():
            print(f"{way:24}{figures['bytes_a_task']:20.0f}{figures['mb']:10.1f}{figures['cpu_seconds']:10.2f}")
        print(f"goal: {GOAL_MB:.0f} MB for {GOAL_TASKS} tasks")
    return int(told["kirin-batch"]["bytes_a_task"] * GOAL_TASKS > GOAL_MB * 1e6)


def _in_own_process(way: str, tasks: int) -> dict[str, float]:
    script = [sys.executable, __file__, "--way", way, "--tasks", str(tasks)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)  # noqa: S603 - this script itself
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    sys.exit(main())
