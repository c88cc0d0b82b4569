"""When to ask again: within the bounds that the user set, and as often as the latencies that were seen make it pay."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.scheduler.latency import Latency, fit_log_normal, fit_smoothed
from kirin_batch.scheduler.pacing import PollPolicy, backoff_seconds, query_price

SHARE = st.floats(0, 1)
LATENCIES = st.builds(
    lambda mean, spread: fit_log_normal(mean, spread, samples=9.0), st.floats(-7, 14), st.floats(0, 3)
)
FILMS = fit_smoothed([math.log(180) + number / 100 for number in range(-50, 51)], [1.0] * 101)
"""Films that were seen to take from 109 to 297 s."""


def steady(mean_seconds: float) -> Latency:
    """Tasks that end with the same chance in each second."""
    first, step = math.log(mean_seconds) - 12, 0.05
    ages = [math.exp(first + step * number) / mean_seconds for number in range(300)]
    return Latency([age * math.exp(-age) for age in ages], first=first, step=step, is_learned=True)


def delay(latency: Latency, age: float, *, worth: float = 1.0, is_first: bool = False) -> float:
    """The delay by wide bounds, and a jitter that changes nothing."""
    return PollPolicy(0.1, 3600.0).next_delay(age, latency, worth=worth, jitter=0.5, is_first=is_first)


def queries_until(latency: Latency, end: float) -> list[float]:
    """The ages at which a task is asked for, from its create on."""
    ages = [0.0]
    while ages[-1] < end:
        ages.append(ages[-1] + delay(latency, ages[-1]))
    return ages


@given(LATENCIES, st.floats(0, 1e6), SHARE, st.floats(0, 50))
def test_queries_keep_to_the_bounds(latency: Latency, age: float, jitter: float, worth: float) -> None:
    assert 1.0 <= PollPolicy().next_delay(age, latency, worth=worth, jitter=jitter) <= 30.0
    assert PollPolicy(5.0, 5.0).next_delay(age, latency, worth=worth, jitter=jitter) == 5.0


@pytest.mark.parametrize("mean", [10.0, 100.0, 1000.0])
def test_a_steady_chance_is_asked_for_as_often_as_costs_least(mean: float) -> None:
    latency = steady(mean)
    best = math.sqrt(2 * query_price(latency.median, worth=1.0) * mean)
    assert delay(latency, 0.0) == pytest.approx(best, rel=0.03)
    assert delay(latency, 3 * mean) == pytest.approx(best, rel=0.03)


def test_where_nothing_waits_results_may_come_twice_as_late() -> None:
    latency = steady(60.0)
    assert delay(latency, 20.0, worth=0.0) == pytest.approx(2 * delay(latency, 20.0), rel=0.02)


def test_queries_come_densest_where_tasks_end() -> None:
    first, *later = queries_until(FILMS, 290.0)[1:]
    assert 80 < first < 115
    assert max(after - before for before, after in pairwise([first, *later])) < 20


def test_a_task_that_outlasts_all_others_is_asked_for_ever_more_rarely() -> None:
    delays = [delay(FILMS, 180.0 * 4**power) for power in range(1, 7)]
    assert all(earlier < later for earlier, later in pairwise(delays))
    assert PollPolicy().next_delay(1e6, FILMS, worth=0.0, jitter=1) == 30.0


def test_the_first_query_may_come_later_while_hardly_a_task_has_ended() -> None:
    asked = [PollPolicy().next_delay(0, FILMS, worth=1.0, jitter=0.5, is_first=first) for first in (False, True)]
    assert asked[0] == 30.0
    assert 80 < asked[1] <= FILMS.quiet_until


def test_who_sets_both_bounds_to_one_interval_gets_it() -> None:
    assert PollPolicy(7.0, 7.0).next_delay(0, FILMS, worth=1.0, jitter=1.0, is_first=True) == 7.0


def test_the_first_query_keeps_to_the_bounds_where_little_was_seen() -> None:
    supposed = fit_log_normal(math.log(1800), 0.3, samples=19.0)
    assert PollPolicy().next_delay(0, supposed, worth=1.0, jitter=0.5, is_first=True) == 30.0


def test_jitter_spreads_tasks_of_one_age_by_a_twentieth_to_both_sides() -> None:
    soon, middle, late = (
        PollPolicy(0.1, 3600.0).next_delay(180, FILMS, worth=1.0, jitter=jitter) for jitter in (0, 0.5, 1)
    )
    assert soon == pytest.approx(middle * 0.95)
    assert late == pytest.approx(middle * 1.05)


@given(st.integers(1, 10_000), SHARE)
def test_waiting_doubles_up_to_a_minute_and_half_as_much(failures: int, jitter: float) -> None:
    seconds = backoff_seconds(failures, jitter=jitter)
    assert 1.0 <= seconds <= 90.0
    assert seconds <= backoff_seconds(failures, jitter=0) * 1.5


def test_waiting_begins_with_a_second() -> None:
    assert [backoff_seconds(failures, jitter=0) for failures in (1, 2, 3, 7, 8)] == [1, 2, 4, 60, 60]
