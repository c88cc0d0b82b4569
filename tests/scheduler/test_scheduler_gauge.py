"""Where a run stands: each job is counted once, money is the budget's, and the time that is left is a fair guess."""

from dataclasses import replace
from decimal import Decimal

import pytest
from fake_clock import FakeClock
from job_samples import film, picture, plan_for, record_of, result
from scripted_gateway import Watcher, World, done

from kirin_batch.gateway.answers import Failed
from kirin_batch.jobs import Job
from kirin_batch.records import Record, Status
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.gauge import Gauge, _Jobs
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.line import Line
from kirin_batch.scheduler.observer import KindMeasures, Measures, Stage
from kirin_batch.scheduler.scheduler import Limits
from kirin_batch.scheduler.slots import Slots

A, B = picture("s:a"), picture("s:b")
LIMITS = Limits(slots={"image": 4, "video": 2})


def counts(kind: KindMeasures) -> tuple[int, int, int, int]:
    return kind.completed, kind.in_flight, kind.waiting, kind.failed


def run(world: World, *jobs: Job, limits: Limits = LIMITS, price: str | None = "0.028") -> list[Measures]:
    """Where the run stood at each step, and in the end."""
    prices = {} if price is None else {"pictures": price, "films": price}
    world.run(jobs, plan_for(jobs, *world.memory.records.values(), prices=prices), limits)
    assert world.watcher.measure
    return [*world.watcher.measures, world.watcher.measure()]


def gauge_of(*jobs: Job, records: tuple[Record, ...] = ()) -> Gauge:
    """A gauge of a run of which nothing has begun."""
    plan = plan_for(jobs, *records)
    return Gauge(
        Line({job.id: job for job in jobs}, plan),
        {},
        slots=Slots(LIMITS.slots, FakeClock()),
        budget=Budget(None),
        latencies=Latencies(),
        clock=FakeClock(),
    )


def test_each_job_is_counted_once_at_every_step_till_all_have_ended() -> None:
    world, jobs = World(), [picture(f"s:{number:02}") for number in range(9)]
    world.gateway.on_end = lambda id_: Failed("", "1301", "policy") if id_ == A.external_task_id else done()
    measures = run(world, *jobs, A, film("s:f"), picture("s:z", needs=("s:a",)))
    assert {sum(counts(each.kinds["image"])) for each in measures} == {11}
    assert max(each.kinds["image"].in_flight for each in measures) > 1
    assert [counts(kind) for kind in measures[-1].kinds.values()] == [(9, 0, 0, 2), (1, 0, 0, 0)]
    assert measures[-1].seconds_left is None


def test_money_is_reserved_while_tasks_run_and_spent_when_they_end() -> None:
    measures = run(World(), A, B)
    assert max(each.reserved for each in measures) == Decimal("0.056")
    assert (measures[-1].spent, measures[-1].reserved) == (Decimal("0.056"), Decimal(0))


def test_what_is_left_over_has_not_failed() -> None:
    world = World()
    world.rules = replace(world.rules, timeouts={"image": 5.0, "video": 900.0})
    measures = run(world, A, B, limits=replace(LIMITS, max_cost=Decimal("0.03")))
    assert counts(measures[-1].kinds["image"]) == (0, 1, 1, 0)
    assert measures[-1].seconds_left is None


def test_a_task_of_an_earlier_run_is_in_flight_and_results_that_are_owed_wait_for_nobody() -> None:
    owed = replace(record_of(B), outputs=(result(None),))
    measures = gauge_of(A, B, records=(record_of(A, Status.IN_FLIGHT), owed)).measure()
    assert counts(measures.kinds["image"]) == (0, 1, 1, 0)
    assert gauge_of(B, records=(owed,)).measure().seconds_left is None


class Guessing(Watcher):
    """Remembers when which time was said to be left."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.guesses: list[tuple[float, float]] = []

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        super().stepped(job, stage, detail)
        if self.measure and (left := self.measure().seconds_left) is not None:
            self.guesses.append((self.clock.seconds, left))


def guessed_ends(*jobs: Job) -> list[float]:
    """When a run was said to end, in the middle of it and later, as shares of when it did; tasks take 10 s each."""
    world = World()
    watcher = world.watcher = Guessing(world.clock)
    run(world, *jobs)
    total = world.clock.seconds
    return [(at + left) / total for at, left in watcher.guesses if 0.4 * total <= at <= 0.9 * total]


@pytest.mark.parametrize("number", [20, 80])
def test_the_time_left_is_close_once_the_run_has_seen_how_long_tasks_take(number: int) -> None:
    ends = guessed_ends(*(picture(f"s:{each}") for each in range(number)))
    assert ends
    assert [end for end in ends if not 0.8 < end < 1.3] == []


def test_the_time_left_knows_of_chains() -> None:
    chain = [picture(f"s:{each}", needs=(f"s:{each - 1}",) if each else ()) for each in range(12)]
    ends = guessed_ends(*chain)
    assert ends
    assert [end for end in ends if not 0.8 < end < 1.4] == []


def test_many_jobs_are_judged_by_a_sample_of_them() -> None:
    few, many = (gauge_of(*(picture(f"s:{each}") for each in range(number))) for number in (1000, 3000))
    begin, end = few.measure().seconds_left, many.measure().seconds_left
    assert begin and end  # noqa: PT018 - neither is None
    assert end / begin == pytest.approx(3)
    assert len(many._work(_Jobs(ahead=[A] * 3000)).ahead) == 200


class Ticking(FakeClock):
    """A clock that goes on by a millisecond whenever it is looked at."""

    def monotonic(self) -> float:
        self.seconds += 0.001
        return self.seconds


class Comparing(Watcher):
    """Compares what it is told twice in a row."""

    same = 0

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        super().stepped(job, stage, detail)
        self.same += self.measure is not None and self.measure() is self.measure()


def test_measures_are_kept_for_a_moment_and_fresh_in_the_end() -> None:
    world = World()
    world.clock = world.gateway.clock = Ticking()
    watcher = world.watcher = Comparing()
    last = run(world, A, B)[-1]
    assert watcher.same == len(watcher.stages) > 4
    assert counts(last.kinds["image"]) == (2, 0, 0, 0)
