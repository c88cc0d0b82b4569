"""Measures how well runs use the account: their makespan over the least that any order could take, on a virtual clock.

Usage: python benchmarks/makespan.py [--rounds N] [--json]. The scheduler is the real one; the gateway is in memory: its
tasks take as long as a log-normal distribution says, and it refuses what overdraws the account. The least is a bound:
the longest chain, and the work of each kind through its slots. Beside it runs what people write by hand: jobs in the
order of the specs, each waits for what it needs, takes its slots from a semaphore, and asks every five seconds.
"""

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from kirin_batch.gateway.answers import Answer, Busy, Done, Fetched, Missing, Result, Resumption, Running, Writer
from kirin_batch.jobs import Job
from kirin_batch.records import Output, Record, Status
from kirin_batch.scheduler.engine import LocalEngine
from kirin_batch.scheduler.observer import Silent
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.scheduler import Limits, Scheduler
from kirin_batch.scheduler.surroundings import Rules

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "tests"))

from fake_clock import FakeClock  # noqa: E402 - stands with the tests, which are no package
from job_samples import film, picture, plan_for  # noqa: E402 - as above

LIMITS = {"image": 10, "video": 5}
MEDIANS = {"image": 25.0, "video": 180.0}
SPREAD = 0.35  # of the logarithms of latencies
SIZES = (1, 1, 1, 1, 2, 2, 4, 9)
FILMS = 0.15  # of the links of a chain: few enough that the longest chain is the bound
HAND_POLL_SECONDS = 5.0
ROUND_TRIP_SECONDS = 0.1
THRESHOLDS = 40
GOAL = 1.1
RESULT = Result("image", "https://results.example/1.png")


@dataclass(slots=True)
class TimedGateway:
    """Tasks that take the seconds that `latencies` tell, by external_task_id; slots as the account has them."""

    clock: FakeClock
    latencies: Mapping[str, float]
    jobs: Mapping[str, Job]
    ends: dict[str, float] = field(default_factory=dict)
    refusals: int = 0
    queries: int = 0

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        """Begin a task, unless that overdraws the account."""
        del model
        await self.clock.sleep(ROUND_TRIP_SECONDS)
        id_ = str(params["external_task_id"])
        job, now = self.jobs[id_], self.clock.seconds
        running = [self.jobs[other] for other, end in self.ends.items() if end > now]
        in_use = sum(other.slots for other in running if other.kind == job.kind)
        if in_use + job.slots > LIMITS[job.kind]:
            self.refusals += 1
            return Busy(None, "1303", "parallel task over resource pack limit", parallel=True)
        self.ends[id_] = now + self.latencies[id_]
        return Running(id_)

    async def query(self, task: str) -> Answer:
        """Tell whether the task has ended."""
        self.queries += 1
        await self.clock.sleep(ROUND_TRIP_SECONDS)
        if task not in self.ends:
            return Missing()
        return Done(task, (RESULT,)) if self.ends[task] <= self.clock.seconds else Running(task)

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        """Never asked: the collector is in memory."""
        raise NotImplementedError(url, write, resumption)


class InMemory:
    """Records and results that cost no time."""

    async def record(self, record: Record) -> None:
        """Keep nothing: the virtual run is never killed."""

    async def forget(self, job: str) -> None:
        """Nothing was kept."""

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...]:
        """All results, as if they were there."""
        del job
        return tuple(Output(url=result.url, type=result.type) for result in results)


def images(random: Random) -> Iterator[Job]:
    """Images of mixed sizes, one in eight of nine."""
    for number in range(250):
        yield picture(f"s:image-{number}", slots=random.choice(SIZES))


def chains(random: Random) -> Iterator[Job]:
    """Chains of two to six jobs of both kinds, among single images; the long ones stand last."""
    for number in range(80):
        yield picture(f"s:single-{number}")
    for number in range(14):
        before: tuple[str, ...] = ()
        for link in range(2 + number // 4):
            id_ = f"s:chain-{number}-{link}"
            yield (film if random.random() < FILMS else picture)(id_, needs=before)
            before = (id_,)


def mixed(random: Random) -> Iterator[Job]:
    """A studio's day: images, films made of some of them, and subjects that many images need."""
    subjects = [f"s:subject-{number}" for number in range(6)]
    yield from (film(id_) for id_ in subjects)
    for number in range(240):
        id_ = f"s:image-{number}"
        yield picture(id_, slots=random.choice(SIZES), needs=(random.choice(subjects),) if number % 3 == 0 else ())
        if number % 5 == 0:
            yield film(f"s:film-{number}", needs=(id_,))


WORKLOADS: Mapping[str, Callable[[Random], Iterator[Job]]] = {"images": images, "chains": chains, "mixed": mixed}


def least_seconds(jobs: Sequence[Job], latencies: Mapping[str, float]) -> float:
    """No schedule is shorter than the longest chain, nor than the work of any jobs of a kind through its slots, between
    the earliest moment at which one of them can begin and what must follow after the last.
    """
    seconds = {job.id: latencies[job.external_task_id] for job in jobs}
    heads, tails = dict[str, float](), dict.fromkeys(seconds, 0.0)
    for job in jobs:
        heads[job.id] = max((heads[need] + seconds[need] for need in job.needs), default=0.0)
    for job in reversed(jobs):
        for need in job.needs:
            tails[need] = max(tails[need], tails[job.id] + seconds[job.id])
    bounds = [heads[job.id] + seconds[job.id] for job in jobs]
    for kind, limit in LIMITS.items():
        work = [(heads[job.id], tails[job.id], seconds[job.id] * job.slots) for job in jobs if job.kind == kind]
        for head in _thresholds(head for head, _, _ in work):
            for tail in _thresholds(tail for _, tail, _ in work):
                between = sum(slot_seconds for begin, end, slot_seconds in work if begin >= head and end >= tail)
                bounds.append(head + between / limit + tail if between else 0.0)
    return max(bounds)


def _thresholds(values: Iterable[float]) -> list[float]:
    """Some tens of them: any subset of the jobs gives a bound that holds."""
    distinct = sorted(set(values))
    return distinct[:: max(1, len(distinct) // THRESHOLDS)]


async def build(job: Job, external_id: str) -> dict[str, Any] | str:
    """The params of a request."""
    return {**job.params, "external_task_id": external_id}


async def run_scheduler(jobs: Sequence[Job], gateway: TimedGateway) -> None:
    """The real scheduler, which has never seen such tasks."""
    clock, observer = gateway.clock, Silent()
    engine = LocalEngine(
        gateway=gateway,
        ledger=InMemory(),
        collector=InMemory(),
        build_params=build,
        clock=clock,
        observer=observer,
        rules=Rules(poll=PollPolicy(), timeouts=dict.fromkeys(LIMITS, math.inf)),
    )
    scheduler = Scheduler(engine, clock=clock, observer=observer, limits=Limits(slots=LIMITS))
    await scheduler.run({job.id: job for job in jobs}, plan_for(jobs))
    if any(outcome.status is not Status.COMPLETED for outcome in scheduler.outcomes.values()):
        raise RuntimeError("a job did not complete")


class Permits:
    """A semaphore that gives several permits at once, first come, first served."""

    def __init__(self, permits: int) -> None:
        self._free = permits
        self._changed = asyncio.Condition()
        self._turn = asyncio.Lock()

    async def take(self, permits: int) -> None:
        """Wait for so many, and for one's turn."""
        async with self._turn, self._changed:
            await self._changed.wait_for(lambda: self._free >= permits)
            self._free -= permits

    async def give_back(self, permits: int) -> None:
        """Let others have them."""
        async with self._changed:
            self._free += permits
            self._changed.notify_all()


async def run_by_hand(jobs: Sequence[Job], gateway: TimedGateway) -> None:
    """A coroutine for each job, semaphores, and a query every five seconds."""
    permits = {kind: Permits(limit) for kind, limit in LIMITS.items()}
    done = {job.id: asyncio.Event() for job in jobs}

    async def live(job: Job) -> None:
        for need in job.needs:
            await done[need].wait()
        await permits[job.kind].take(job.slots)
        await gateway.create(job.model, await build(job, job.external_task_id))
        while not isinstance(await gateway.query(job.external_task_id), Done):
            await gateway.clock.sleep(HAND_POLL_SECONDS)
        await permits[job.kind].give_back(job.slots)
        done[job.id].set()

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(live(job))


CONTESTANTS: Mapping[str, Callable[[Sequence[Job], TimedGateway], Awaitable[None]]] = {
    "kirin-batch": run_scheduler,
    "by hand": run_by_hand,
}


def measure(workload: str, seed: int) -> dict[str, dict[str, float]]:
    """One draw of a workload: by contestant, the makespan over the least, and queries a job."""
    random = Random(seed)  # noqa: S311 - draws a workload, keeps no secret
    jobs = list(WORKLOADS[workload](random))
    latencies = {job.external_task_id: MEDIANS[job.kind] * math.exp(random.gauss(0.0, SPREAD)) for job in jobs}
    figures = {}
    for name, contestant in CONTESTANTS.items():
        gateway = TimedGateway(FakeClock(), latencies, {job.external_task_id: job for job in jobs})
        asyncio.run(_carry(contestant(jobs, gateway)))
        makespan = gateway.clock.seconds / least_seconds(jobs, latencies)
        figures[name] = {"makespan": makespan, "queries": gateway.queries / len(jobs), "refusals": gateway.refusals}
    return figures


async def _carry(run: Awaitable[None]) -> None:
    await run


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each workload; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="draws of each workload")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(arguments)
    told: dict[str, dict[str, dict[str, float]]] = {}
    for workload in WORKLOADS:
        rounds = [measure(workload, seed) for seed in range(options.rounds)]
        told[workload] = {
            name: {figure: median(each[name][figure] for each in rounds) for figure in rounds[0][name]}
            for name in CONTESTANTS
        }
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        show(told)
    return int(any(figures["kirin-batch"]["makespan"] > GOAL for figures in told.values()))


def show(told: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """A table for people."""
    print(f"{'workload':10}{'':14}{'makespan / least':>18}{'queries a job':>16}{'refusals':>10}")
    for workload, figures in told.items():
        for name, figure in figures.items():
            verdict = "" if name != "kirin-batch" else "  met" if figure["makespan"] <= GOAL else "  missed"
            print(
                f"{workload:10}{name:14}{figure['makespan']:18.3f}{figure['queries']:16.1f}{figure['refusals']:10.0f}{verdict}"
            )
    print(f"goal: at most {GOAL}")


if __name__ == "__main__":
    sys.exit(main())
