"""Estimates: learned from what the same requests cost, else told by the settings."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from job_samples import film, picture, record_of

from kirin_batch.jobs import Job
from kirin_batch.prices import Estimates, Source
from kirin_batch.records import Record, Status

ONE, NINE = picture("s:a"), picture("s:b", slots=9)


def movie(name: str, **params: str) -> Job:
    return replace(film(f"s:{name}", request=f"{name} {params}"), params=params)


def paid(job: Job, cost: str, *, at: str = "2026-01-31T12:00:00Z") -> Record:
    return replace(record_of(job), cost=cost, finished_at=at)


def estimates_of(
    records: Iterable[Record], *jobs: Job, prices: Mapping[str, str] | None = None, length: str = "5"
) -> Estimates:
    return Estimates(
        {record.job: record for record in records},
        {model: Decimal(price) for model, price in (prices or {}).items()},
        jobs={job.id: job for job in jobs},
        defaults=lambda model: {"duration": length, "mode": "std"} if model == "films" else {},
    )


def told(estimates: Estimates, job: Job) -> tuple[Decimal, Source] | None:
    estimate = estimates.of(job)
    return None if estimate is None else (estimate.cost, estimate.source)


def test_an_estimate_counts_the_slots_that_a_job_takes() -> None:
    estimates = Estimates({}, {"pictures": Decimal("0.028")})
    assert told(estimates, NINE) == (Decimal("0.252"), Source.PRICES)
    assert told(estimates, film("s:f")) is None


def test_what_tasks_cost_counts_more_than_the_settings_say() -> None:
    nine = replace(record_of(NINE), cost="0.29", outputs=9 * record_of(NINE).outputs, digest="of another request")
    records = {"s:a": replace(record_of(ONE), cost="0.01"), "s:b": nine}
    estimates = Estimates(records, {"pictures": Decimal(7), "films": Decimal(2)})
    assert told(estimates, ONE) == (Decimal("0.03"), Source.HISTORY)
    assert told(estimates, film("s:f")) == (Decimal(2), Source.PRICES)
    assert estimates.dearest == 7


def test_a_record_without_cost_teaches_nothing() -> None:
    estimates = Estimates({"s:b": record_of(NINE, Status.FAILED)}, {})
    assert [estimates.of(ONE), estimates.dearest] == [None, None]


def test_what_a_sandbox_made_up_counts_last_and_only_where_it_may() -> None:
    records = {"s:a": replace(record_of(ONE), sandbox=True)}
    real = Estimates(records, {})
    assert [real.of(ONE), real.dearest] == [None, None]
    allowed = Estimates(records, {}, takes_made_up=True)
    assert (told(allowed, NINE), allowed.dearest) == ((Decimal("0.252"), Source.SANDBOX), Decimal("0.028"))
    priced = Estimates(records, {"pictures": Decimal("0.01")}, takes_made_up=True)
    assert (told(priced, ONE), priced.dearest) == ((Decimal("0.01"), Source.PRICES), Decimal("0.01"))
    paid_for = Estimates({**records, "s:b": replace(record_of(NINE), cost="0.05")}, {}, takes_made_up=True)
    assert told(paid_for, ONE) == (Decimal("0.05"), Source.HISTORY)


def test_jobs_of_the_same_grade_and_length_are_estimated_as_they_cost() -> None:
    short, long, fine = movie("a"), movie("b", duration="10"), movie("c", mode="pro", sound="on")
    estimates = estimates_of([paid(short, "0.40"), paid(long, "1.00"), paid(fine, "0.90")], short, long, fine)
    assert told(estimates, movie("x", mode="std", duration="5")) == (Decimal("0.40"), Source.HISTORY)
    assert told(estimates, movie("y", duration="10", prompt="another")) == (Decimal("1.00"), Source.HISTORY)
    assert told(estimates, movie("z", mode="pro", sound="on")) == (Decimal("0.90"), Source.HISTORY)


def test_jobs_of_another_length_or_grade_are_estimated_by_the_second() -> None:
    short, fine = movie("a"), movie("c", mode="pro")
    estimates = estimates_of([paid(short, "0.40"), paid(fine, "0.60")], short, fine)
    assert told(estimates, movie("x", duration="10")) == (Decimal("0.80"), Source.MODEL)
    assert told(estimates, movie("y", duration="10", mode="best")) == (Decimal("1.00"), Source.MODEL)


def test_a_price_that_changed_is_learned_from_the_newest_tasks() -> None:
    old = [paid(picture(f"s:old{number}"), "0.01", at=f"2025-01-{number + 1:02}T00:00:00Z") for number in range(9)]
    new = [paid(picture(f"s:new{number}"), "0.04", at=f"2026-01-{number + 1:02}T00:00:00Z") for number in range(3)]
    jobs = [picture(record.job) for record in (*old, *new)]
    assert told(estimates_of([*new, *old], *jobs), ONE) == (Decimal("0.04"), Source.HISTORY)


def test_a_job_whose_prompt_was_changed_is_estimated_by_what_it_cost_before() -> None:
    before, after = movie("a", duration="10", prompt="old"), movie("a", duration="10", prompt="new")
    assert told(estimates_of([paid(before, "0.80")], after), after) == (Decimal("0.80"), Source.HISTORY)
    certain = movie("b", duration="10")
    both = estimates_of([paid(before, "0.80"), paid(certain, "0.90")], after, certain)
    assert told(both, after) == (Decimal("0.90"), Source.HISTORY)


def test_an_earlier_task_teaches_only_where_a_job_still_asks_for_it() -> None:
    taken_back, now = movie("a", mode="pro"), movie("a")
    record = replace(paid(now, "0.40"), earlier=(paid(taken_back, "0.70"),))
    assert told(estimates_of([record], now), movie("x", mode="pro")) == (Decimal("0.40"), Source.MODEL)
    namesake = movie("b", mode="pro")
    namesake = replace(namesake, digest=taken_back.digest)
    assert told(estimates_of([record], now, namesake), movie("x", mode="pro")) == (Decimal("0.70"), Source.HISTORY)


@given(st.lists(st.tuples(st.sampled_from(["3", "5", "10", "NaN", "-1", "x"]), st.integers(0, 10**6)), max_size=6))
def test_an_estimate_lies_within_what_a_second_has_cost(films: list[tuple[str, int]]) -> None:
    jobs = [movie(str(number), duration=length, mode=length) for number, (length, _) in enumerate(films)]
    records = [paid(job, str(cost)) for job, (_, cost) in zip(jobs, films, strict=True)]
    estimate = estimates_of(records, *jobs).of(movie("asked", duration="1", mode="another"))
    if not films:
        assert estimate is None
        return
    seconds = [int(length) if length.isdigit() else 1 for length, _ in films]
    by_second = [Decimal(cost) / length for length, (_, cost) in zip(seconds, films, strict=True)]
    assert estimate is not None
    assert min(by_second) - 1 <= estimate.cost <= max(by_second) + 1
