"""The budget: what was spent and what is in flight never goes over the limit by more than one job."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st
from job_samples import film, picture

from kirin_batch.jobs import Job
from kirin_batch.scheduler.budget import Budget

A, B, BIG, FILM = picture("s:a"), picture("s:b"), picture("s:big", slots=9), film("s:f")
CENT = Decimal("0.01")


def test_without_a_limit_everything_is_allowed() -> None:
    budget = Budget(None)
    budget.reserve(A, Decimal(10))
    assert budget.allows(B, Decimal(10**9))
    assert budget.allows(B, None)


def test_what_is_in_flight_counts_until_its_cost_replaces_it() -> None:
    budget = Budget(Decimal("0.03"))
    budget.reserve(A, 2 * CENT)
    assert [budget.allows(B, CENT), budget.allows(B, 2 * CENT), budget.may_free] == [True, False, True]
    budget.settle(A, CENT, completed=True)
    assert [budget.spent, budget.reserved, budget.may_free] == [CENT, 0, False]
    assert budget.allows(B, 2 * CENT)


def test_a_completed_task_without_cost_counts_as_it_was_reserved_and_a_failed_one_costs_nothing() -> None:
    budget = Budget(Decimal(1))
    for job, is_completed in ((A, True), (B, False), (BIG, True)):
        budget.reserve(job, None if job is BIG else CENT)
        budget.settle(job, None, completed=is_completed)
    assert budget.spent == 2 * CENT  # the big one of unknown price as the dearest known
    budget.settle(A, Decimal(5), completed=True)  # not reserved: a download that was owed from an earlier run
    assert budget.spent == 2 * CENT


def test_of_unknown_prices_one_goes_first_and_teaches_the_price_of_a_slot() -> None:
    budget = Budget(Decimal("0.30"))
    assert budget.allows(A, None)
    budget.reserve(A, None)
    assert [budget.allows(B, None), budget.allows(FILM, None), budget.allows(B, CENT)] == [False, False, True]
    budget.settle(A, CENT, completed=True)
    for job in (BIG, FILM):
        assert budget.allows(job, None)
        budget.reserve(job, None)
    assert budget.reserved == (9 + 9) * CENT  # the film as the dearest known
    assert [budget.allows(B, None), budget.allows(film("s:g"), None)] == [True, False]


def test_a_job_of_unknown_price_counts_as_the_dearest_known() -> None:
    budget = Budget(Decimal(1))
    budget.know(Decimal("0.6"))
    assert budget.allows(FILM, None)
    budget.reserve(FILM, None)
    assert [budget.reserved, budget.allows(A, Decimal("0.41")), budget.allows(A, Decimal("0.4"))] == [
        Decimal("0.6"),
        False,
        True,
    ]
    dear = Budget(Decimal(1))
    dear.know(Decimal("1.01"))
    assert not dear.allows(FILM, None)


def test_jobs_whose_costs_are_never_told_count_as_the_dearest_known_and_need_not_wait_for_each_other() -> None:
    budget = Budget(5 * CENT)
    budget.know(2 * CENT)
    budget.reserve(FILM, None)
    budget.settle(FILM, None, completed=True)
    assert budget.spent == 2 * CENT
    budget.reserve(film("s:g"), None)
    assert [budget.allows(A, None), budget.allows(film("s:h"), None)] == [False, False]  # one cent is left
    budget.settle(film("s:g"), None, completed=False)
    budget.reserve(film("s:h"), None)
    assert [budget.reserved, budget.allows(FILM, None), budget.allows(FILM, CENT)] == [2 * CENT, False, True]


def test_an_estimate_that_was_too_low_corrects_those_of_its_model_in_flight_and_to_come() -> None:
    budget = Budget(Decimal(1))
    for job in (A, B, FILM):
        budget.reserve(job, CENT)
    budget.settle(A, 20 * CENT, completed=True)
    assert budget.reserved == 21 * CENT
    assert [budget.allows(BIG, 3 * CENT), budget.allows(film("s:g"), 3 * CENT)] == [False, True]
    free = Budget(Decimal(1))
    free.reserve(A, Decimal(0))
    free.settle(A, CENT, completed=True)
    assert [free.allows(BIG, Decimal(0)), free.allows(picture("s:x", slots=100), Decimal(0))] == [True, False]


def test_what_is_left_in_flight_stays_reserved_and_is_not_waited_for() -> None:
    budget = Budget(2 * CENT)
    budget.reserve(A, CENT)
    budget.leave(A)
    budget.leave(B)
    assert [budget.reserved, budget.may_free] == [CENT, False]
    assert [budget.allows(B, CENT), budget.allows(B, 2 * CENT)] == [True, False]


def test_with_nothing_left_not_even_a_job_of_unknown_price_goes() -> None:
    budget = Budget(CENT)
    budget.reserve(A, CENT)
    budget.settle(A, CENT, completed=True)
    assert not budget.allows(FILM, None)
    assert budget.allows(FILM, Decimal(0))


COSTS = st.dictionaries(st.sampled_from(["films", "pictures"]), st.integers(0, 500), min_size=2)
ORDERS = st.lists(
    st.tuples(st.sampled_from(["films", "pictures"]), st.booleans(), st.integers(1, 9), st.none() | st.integers(0, 9))
)


def job_of(number: int, model: str, slots: int) -> Job:
    return film(f"s:{number}") if model == "films" else picture(f"s:{number}", slots=slots)


@given(st.integers(0, 2000), st.none() | st.integers(0, 500), COSTS, ORDERS)
def test_never_more_than_one_job_over(
    most: int, known: int | None, costs: dict[str, int], orders: list[tuple[str, bool, int, int | None]]
) -> None:
    budget, sent = Budget(Decimal(most)), [Decimal(0)]
    budget.know(None if known is None else Decimal(known))
    flying: list[tuple[Job, Decimal]] = []
    for number, (model, is_priced, slots, ends) in enumerate(orders):
        job = job_of(number, model, slots)
        cost = Decimal(costs[model] * job.slots)
        if budget.allows(job, cost if is_priced else None):
            budget.reserve(job, cost if is_priced else None)
            flying.append((job, cost))
            sent.append(cost)
        if flying and ends is not None:
            ended, cost = flying.pop(ends % len(flying))
            budget.settle(ended, cost, completed=True)
        assert sum(sent) - max(sent) <= most


ADVERSE = st.lists(
    st.tuples(
        st.sampled_from(["films", "pictures"]), st.none() | st.integers(1, 50), st.integers(1, 50), st.integers(0, 9)
    )
)


@given(st.integers(0, 100), ADVERSE)
def test_one_after_the_other_no_estimate_can_bring_more_than_one_job_over(
    most: int, orders: list[tuple[str, int | None, int, int]]
) -> None:
    budget, sent = Budget(Decimal(most)), [Decimal(0)]
    for number, (model, estimate, cost, _) in enumerate(orders):
        job = job_of(number, model, 1)
        if budget.allows(job, None if estimate is None else Decimal(estimate)):
            budget.reserve(job, None if estimate is None else Decimal(estimate))
            budget.settle(job, Decimal(cost), completed=True)
            sent.append(Decimal(cost))
    assert sum(sent) - max(sent) <= most


@given(st.integers(0, 100), ADVERSE)
def test_side_by_side_no_more_goes_over_than_estimates_fell_short_by(
    most: int, orders: list[tuple[str, int | None, int, int]]
) -> None:
    budget, total, short = Budget(Decimal(most)), Decimal(0), Decimal(0)
    flying: list[tuple[Job, Decimal]] = []
    for number, (model, estimate, cost, ends) in enumerate(orders):
        job, price = job_of(number, model, 1), None if estimate is None else Decimal(estimate)
        if budget.allows(job, price):
            assert budget.spent < most
            budget.reserve(job, price)
            flying.append((job, Decimal(cost)))
            total, short = total + cost, short + max(Decimal(0), cost - (price or Decimal(0)))
        if flying and ends < len(flying):
            ended, paid = flying.pop(ends)
            budget.settle(ended, paid, completed=True)
    assert total <= most + short


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(2, 9), st.integers(1, 30))
def test_what_is_sent_after_the_first_cost_is_told_keeps_the_limit(most: int, factor: int, at_once: int) -> None:
    budget, jobs = Budget(most * CENT), (job_of(number, "pictures", 1) for number in range(1000))
    first = send_all(budget, islice(jobs, at_once))
    budget.settle(first[0], factor * CENT, completed=True)
    later = send_all(budget, jobs)
    assert not later or (len(first) + len(later)) * factor <= most


def send_all(budget: Budget, jobs: Iterable[Job]) -> list[Job]:
    sent = []
    for job in jobs:
        if budget.allows(job, CENT):
            budget.reserve(job, CENT)
            sent.append(job)
    return sent
