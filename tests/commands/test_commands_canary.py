"""Which jobs go first: the cheapest of each model, and what they need."""

from dataclasses import replace

import pytest
from job_samples import film, picture, plan_for, record_of

from kirin_batch.commands.canary import in_flight_cost, pick_canaries
from kirin_batch.jobs import Job
from kirin_batch.records import Status

NINE, ONE, TWO = picture("s:nine", slots=9), picture("s:one"), picture("s:two", slots=2)
PRICES = {"pictures": "0.01", "films": "0.50"}


def canaries(*jobs: Job, of_each_model: int = 1, prices: dict[str, str] | None = None) -> list[str]:
    plan = plan_for(jobs, prices=prices or {})
    first = pick_canaries(plan, {job.id: job for job in jobs}, of_each_model=of_each_model)
    return [planned.job for planned in first.jobs]


def test_the_cheapest_jobs_of_each_model_go_first() -> None:
    films = [film("s:f1"), film("s:f2")]
    assert canaries(NINE, TWO, ONE, *films, prices=PRICES) == ["s:one", "s:f1"]
    assert canaries(NINE, TWO, ONE, *films, prices=PRICES, of_each_model=2) == ["s:two", "s:one", "s:f1", "s:f2"]


def test_of_jobs_that_cost_the_same_those_go_first_that_stand_first() -> None:
    assert canaries(picture("s:b"), picture("s:a"), picture("s:c"), prices=PRICES) == ["s:b"]


def test_where_no_price_is_known_the_jobs_of_the_fewest_slots_go_first() -> None:
    assert canaries(NINE, TWO, ONE) == ["s:one"]


def test_canaries_bring_what_they_need() -> None:
    dear = replace(NINE, model="subjects")
    poster = picture("s:poster", needs=("s:nine",), slots=4)
    clip = film("s:clip", needs=("s:poster",))
    assert canaries(dear, replace(ONE, model="subjects"), poster, TWO, clip) == [
        "s:nine",
        "s:one",
        "s:poster",
        "s:two",
        "s:clip",
    ]


@pytest.mark.parametrize("status", [Status.IN_FLIGHT, Status.UNKNOWN])
def test_what_is_done_or_may_run_is_no_canary_and_what_may_run_counts_for_the_budget(status: Status) -> None:
    jobs = [ONE, TWO, NINE]
    plan = plan_for(jobs, record_of(ONE), record_of(TWO, status), prices=PRICES)
    first = pick_canaries(plan, {job.id: job for job in jobs}, of_each_model=1)
    assert [planned.job for planned in first.jobs] == ["s:nine"]
    assert in_flight_cost(plan, first) == plan.jobs[1].estimated_cost
