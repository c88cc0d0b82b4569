"""When to ask again: within the bounds that the user set, and at the latest after a share of what has passed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.scheduler.pacing import PollPolicy, backoff_seconds

SHARE = st.floats(0, 1)


@given(st.floats(0, 1e6), SHARE)
def test_queries_keep_to_the_bounds(age: float, jitter: float) -> None:
    assert 1.0 <= PollPolicy().delay(age, jitter=jitter) <= 30.0
    assert PollPolicy(5.0, 5.0).delay(age, jitter=jitter) == 5.0


@pytest.mark.parametrize(("age", "seconds"), [(0, 1), (6, 1), (100, 15), (200, 30), (3600, 30)])
def test_old_tasks_are_queried_less_often(age: float, seconds: float) -> None:
    assert PollPolicy().delay(age, jitter=0) == seconds


def test_jitter_spreads_tasks_of_one_age_by_a_tenth() -> None:
    assert PollPolicy().delay(100, jitter=1) == pytest.approx(16.5)


@given(st.integers(1, 10_000), SHARE)
def test_waiting_doubles_up_to_a_minute_and_half_as_much(failures: int, jitter: float) -> None:
    seconds = backoff_seconds(failures, jitter=jitter)
    assert 1.0 <= seconds <= 90.0
    assert seconds <= backoff_seconds(failures, jitter=0) * 1.5


def test_waiting_begins_with_a_second() -> None:
    assert [backoff_seconds(failures, jitter=0) for failures in (1, 2, 3, 7, 8)] == [1, 2, 4, 60, 60]
