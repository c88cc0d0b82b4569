"""The budget: what was spent and what is in flight never goes over the limit by more than one job."""

from decimal import Decimal

from hypothesis import given
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


def test_a_completed_task_without_cost_counts_with_its_estimate_and_a_failed_one_costs_nothing() -> None:
    budget = Budget(Decimal(1))
    for job, is_completed in ((A, True), (B, False), (BIG, True)):
        budget.reserve(job, None if job is BIG else CENT)
        budget.settle(job, None, completed=is_completed)
    assert budget.spent == CENT
    budget.settle(A, Decimal(5), completed=True)  # not reserved: a download that was owed from an earlier run
    assert budget.spent == CENT


def test_one_job_of_unknown_price_goes_alone_and_teaches_the_price_of_a_slot() -> None:
    budget = Budget(Decimal("0.11"))
    assert budget.allows(A, None)
    budget.reserve(A, None)
    assert [budget.allows(B, None), budget.allows(FILM, None), budget.allows(B, CENT)] == [False, False, True]
    budget.settle(A, CENT, completed=True)
    assert budget.allows(BIG, None)
    budget.reserve(BIG, None)
    assert budget.reserved == 9 * CENT
    assert budget.allows(FILM, None)
    budget.reserve(FILM, None)
    assert not budget.allows(B, None)


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


PRICES = st.dictionaries(st.sampled_from(["films", "pictures"]), st.integers(0, 500), min_size=2)
ORDERS = st.lists(
    st.tuples(st.sampled_from(["films", "pictures"]), st.booleans(), st.integers(1, 9), st.none() | st.integers(0, 9))
)


@given(st.integers(0, 2000), PRICES, ORDERS)
def test_never_more_than_one_job_over(
    most: int, prices: dict[str, int], orders: list[tuple[str, bool, int, int | None]]
) -> None:
    budget, costs = Budget(Decimal(most)), [Decimal(0)]
    flying: list[tuple[Job, Decimal]] = []
    for number, (model, is_priced, slots, ends) in enumerate(orders):
        job = film(f"s:{number}") if model == "films" else picture(f"s:{number}", slots=slots)
        price = Decimal(prices[model] * job.slots)
        if budget.allows(job, price if is_priced else None):
            budget.reserve(job, price if is_priced else None)
            flying.append((job, price))
            costs.append(price)
        if flying and ends is not None:
            ended, cost = flying.pop(ends % len(flying))
            budget.settle(ended, cost, completed=True)
        assert sum(costs) - max(costs) <= most
