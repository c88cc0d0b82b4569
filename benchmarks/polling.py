"""Simulates the polling of tasks on a virtual clock: queries a task, delays, and what both cost over the optimum.

Usage: python benchmarks/polling.py [--seed N] [--quick] [--json]. No network, no waiting; about a minute.

The delay of a task is from its true end to the query that saw it, and that query counts. The cost is the mean delay
plus price times queries, the price being that of the program while jobs wait for slots. The oracle knows the true
distribution and asks by the optimum of dynamic programming within the same bounds. The program learns from its own
queries alone; each of its figures is set against the oracle's on the same tasks.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kirin_batch.jobs import Job
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.pacing import PollPolicy, query_price

LEAST, MOST = 1.0, 30.0
POLICY = PollPolicy(LEAST, MOST)
COLD, FEW, MANY = 0, 20, 200

Delay = Callable[[float, int], float]
"""Seconds to wait at some age, after so many queries."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A mixture of log-normal latencies: share, median and spread (of the logarithms) of each part."""

    parts: tuple[tuple[float, float, float], ...]

    def draw(self, random: Random) -> float:
        """The latency of one task, in seconds."""
        (_, median, spread), *_ = random.choices(self.parts, [share for share, *_ in self.parts])
        return random.lognormvariate(math.log(median), spread)

    def ended(self, age: float) -> float:
        """The share of tasks that have ended at this age."""
        if age <= 0:
            return 0.0
        return sum(
            share * math.erfc(-math.log(age / median) / spread / math.sqrt(2)) / 2
            for share, median, spread in self.parts
        )

    def median(self) -> float:
        """The age at which half of all tasks have ended."""
        low, high = 1e-3, 1e5
        for _ in range(60):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.ended(middle) < 1 / 2 else (low, middle)
        return low

    def price(self) -> float:
        """The price of a query, in seconds."""
        return query_price(self.median(), worth=1.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Tasks of one kind, whose latencies change with their number: (from which task on, truth)."""

    name: str
    kind: str
    stages: tuple[tuple[int, Truth], ...]
    watched: int = 40  # tasks whose figures count, after those that were learned from

    def stage(self, number: int) -> int:
        """The place in `stages` of a task by its number."""
        return max(place for place, (first, _) in enumerate(self.stages) if first <= number)


@dataclass(frozen=True, slots=True)
class Seen:
    """How one task was watched."""

    queries: int
    delay: float
    cost: float


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of a way of asking; `over_oracle` is its cost over the oracle's on the same tasks."""

    scenario: str
    policy: str
    queries: float
    mean_delay: float
    p95_delay: float
    share_of_latency: float
    over_oracle: float


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that should not exceed its bound."""

    name: str
    value: float
    most: float


def steady(*parts: tuple[float, float, float]) -> tuple[tuple[int, Truth], ...]:
    """Latencies that stay as they are."""
    return ((0, Truth(parts)),)


def drifting(median: float, spread: float, *, until: float, tasks: int, stages: int) -> tuple[tuple[int, Truth], ...]:
    """A median that moves, task by task in `stages` small steps, after the first 200."""
    steps = range(1, stages + 1)
    moved = [(MANY + tasks * (at - 1) // stages, median * (until / median) ** (at / stages)) for at in steps]
    return ((0, Truth(((1.0, median, spread),))), *((first, Truth(((1.0, now, spread),))) for first, now in moved))


def scenarios(*, is_quick: bool) -> list[Scenario]:
    """What is simulated; the spreads are those at which the SDK and fixed 3 s cost what they were seen to cost."""
    stages = 2 if is_quick else 10
    drift = drifting(25.0, 0.45, until=60.0, tasks=200, stages=stages)
    return [
        Scenario("images", "image", steady((1.0, 25.0, 0.45))),
        Scenario("videos", "video", steady((1.0, 180.0, 0.4))),
        Scenario("images, a slow model", "image", steady((1.0, 50.0, 0.45))),
        Scenario("images, two humps", "image", steady((0.6, 15.0, 0.2), (0.4, 60.0, 0.2))),
        Scenario("videos, two humps", "video", steady((0.5, 90.0, 0.15), (0.5, 300.0, 0.15))),
        Scenario("images, drifting", "image", drift, watched=200),
    ]


def optimum(truth: Truth, *, points: int) -> Delay:
    """The way of asking with the least expected cost, by dynamic programming over a grid of ages.

    As in the program, the first query may come later than `MOST`.
    """
    end = max(median * math.exp(4.5 * spread) for _, median, spread in truth.parts)
    step = end / points
    ended = [truth.ended(at * step) for at in range(points + 1)]
    late = [0.0]  # the seconds that a query at each age is late, had none come before
    for before, after in pairwise(ended):
        late.append(late[-1] + (before + after) / 2 * step)
    least, most, first = (max(1, round(seconds / step)) for seconds in (LEAST, MOST, max(MOST, truth.median())))
    price, cost, following = truth.price(), [0.0] * (points + 1), [points] * (points + 1)
    for now in range(points - 1, -1, -1):
        soonest, latest = (min(points, now + steps) for steps in (least, most if now else first))
        gone, missed = ended[now], late[now]
        sums = [late[at] - missed - gone * (at - now) * step + cost[at] for at in range(soonest, latest + 1)]
        best = min(sums)
        following[now] = soonest + sums.index(best)
        cost[now] = best + price * (1 - gone)

    def delay(age: float, _asked: int) -> float:
        now = round(age / step)
        return (following[now] - now) * step if now < points else MOST

    return delay


def fixed(seconds: float) -> Delay:
    """Query every so many seconds."""
    return lambda _age, _asked: seconds


def doubling(_age: float, asked: int) -> float:
    """Query at once, then after 2, 4, 8 and each further 10 s, as the SDK does."""
    return min(10.0, 2.0**asked) if asked else 0.0


def learned(latencies: Latencies, job: Job, random: Random) -> Delay:
    """Ask as the program does."""
    latency = latencies.of(job)
    return lambda age, asked: POLICY.next_delay(age, latency, worth=1.0, jitter=random.random(), is_first=not asked)


def watch(delay: Delay, took: float, price: float) -> tuple[Seen, float, float]:
    """Query a task until it has ended; with the ages at the last query but one, and at the last."""
    age = before = 0.0
    for asked in range(100_000):
        before, age = age, age + delay(age, asked)
        if age >= took:
            return Seen(asked + 1, age - took, age - took + price * (asked + 1)), before, age
    raise RuntimeError("asked for ever")


class Bench:
    """One scenario: the tasks that ways of asking are compared by."""

    def __init__(self, scenario: Scenario, *, seed: int, is_quick: bool) -> None:
        self._scenario = scenario
        self._random = Random(seed)  # noqa: S311 - draws latencies, keeps no secret
        self._is_quick = is_quick
        self._prices = [truth.price() for _, truth in scenario.stages]
        self._optima = [optimum(truth, points=600 if is_quick else 3000) for _, truth in scenario.stages]

    def rows(self) -> Iterator[Row]:
        """The oracle and the plain ways on the tasks that follow 200, then the program: cold and learned."""
        tasks = [took for _ in range(self._rounds(MANY)) for took in self._tasks(MANY)]
        yield self._row("oracle", tasks, [self._ask(self._optima[stage], stage, took) for stage, took in tasks])
        plain = {"fixed 3 s": fixed(3), "fixed 5 s": fixed(5), "fixed 10 s": fixed(10), "SDK, 2 to 10 s": doubling}
        for name, delay in plain.items():
            yield self._row(name, tasks, [self._ask(delay, stage, took) for stage, took in tasks])
        for name, samples in (("learned, cold", COLD), ("learned, 20", FEW), ("learned, 200", MANY)):
            yield self._row(name, *self._learn(samples))

    def _rounds(self, samples: int) -> int:
        """How often learning starts anew: enough tasks to tell figures by, in bearable time."""
        return 2 if self._is_quick else {COLD: 3000, FEW: 100, MANY: 40}[samples]

    def _tasks(self, after: int) -> list[tuple[int, float]]:
        """Stage and latency of the tasks whose figures count."""
        count = 1 if after == COLD else self._scenario.watched if after == MANY else FEW
        return [self._task(after + number) for number in range(count)]

    def _task(self, number: int) -> tuple[int, float]:
        stage = self._scenario.stage(number)
        return stage, self._scenario.stages[stage][1].draw(self._random)

    def _ask(self, delay: Delay, stage: int, took: float) -> Seen:
        return watch(delay, took, self._prices[stage])[0]

    def _learn(self, samples: int) -> tuple[list[tuple[int, float]], list[Seen]]:
        """Tasks after so many samples, and how they were watched; learning goes on with them."""
        job, tasks, seen = _job(self._scenario.kind), [], []
        for _ in range(self._rounds(samples)):
            latencies = Latencies()
            counted = self._tasks(samples)
            for stage, took in [*(self._task(number) for number in range(samples)), *counted]:
                delay = learned(latencies, job, self._random)
                one, earliest, latest = watch(delay, took, self._prices[stage])
                latencies.observe(job, earliest=earliest, latest=latest)
                seen.append(one)
            del seen[-len(counted) - samples : -len(counted)]
            tasks += counted
        return tasks, seen

    def _row(self, name: str, tasks: Sequence[tuple[int, float]], seen: Sequence[Seen]) -> Row:
        oracle = fmean(self._ask(self._optima[stage], stage, took).cost for stage, took in tasks)
        delay = fmean(one.delay for one in seen)
        return Row(
            self._scenario.name,
            name,
            queries=fmean(one.queries for one in seen),
            mean_delay=delay,
            p95_delay=quantiles((one.delay for one in seen), n=20)[-1],
            share_of_latency=delay / fmean(took for _, took in tasks),
            over_oracle=fmean(one.cost for one in seen) / oracle,
        )


def _job(kind: str) -> Job:
    return Job(
        id="bench",
        spec="bench",
        spec_file="specs/bench.yaml",
        model="bench",
        kind=kind,
        slots=1,
        params={},
        digest="",
        external_task_id="",
    )


def goals(rows: Sequence[Row]) -> list[Goal]:
    """What was asked of the program, and what it reaches; costs for each distribution."""
    by_name = {(row.scenario, row.policy): row for row in rows}
    images, videos = by_name["images", "learned, 200"], by_name["videos", "learned, 200"]
    found = [
        Goal("images: queries", images.queries, 6.7),
        Goal("images: mean delay, s", images.mean_delay, 1.7),
        Goal("videos: queries", videos.queries, 9.0),
        Goal("videos: mean delay, share of the latency", videos.share_of_latency, 0.04),
    ]
    for scenario in dict.fromkeys(row.scenario for row in rows):
        for policy, most in (("learned, cold", 1.3), ("learned, 20", 1.1), ("learned, 200", 1.1)):
            found.append(Goal(f"{scenario}: cost, {policy}", by_name[scenario, policy].over_oracle, most))
    return found


def show(rows: Sequence[Row], reached: Sequence[Goal]) -> None:
    """A table of the figures, and the goals."""
    print(f"{'':24}{'':16}{'queries':>9}{'mean s':>9}{'p95 s':>9}{'of latency':>12}{'over oracle':>13}")
    for row in rows:
        name = row.scenario if row.policy == "oracle" else ""
        figures = f"{row.queries:9.2f}{row.mean_delay:9.2f}{row.p95_delay:9.2f}{row.share_of_latency:12.1%}"
        print(f"{name:24}{row.policy:16}{figures}{row.over_oracle:13.3f}")
    print()
    for goal in reached:
        told = "met" if goal.value <= goal.most else "missed"
        print(f"{goal.name:48}{goal.value:8.3f}  at most {goal.most:<5g} {told}")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, for the form and not for the figures")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    said = parser.parse_args()
    rows = [
        row
        for scenario in scenarios(is_quick=said.quick)
        for row in Bench(scenario, seed=said.seed, is_quick=said.quick).rows()
    ]
    reached = goals(rows)
    if said.json:
        told = [asdict(goal) | {"met": goal.value <= goal.most} for goal in reached]
        print(json.dumps({"rows": [asdict(row) for row in rows], "goals": told}, indent=2))
    else:
        show(rows, reached)


if __name__ == "__main__":
    main()
