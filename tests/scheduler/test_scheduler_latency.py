"""How long tasks take, as a distribution: safe to ask at any age, and as narrow as what it was made from."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kirin_batch.scheduler.latency import Latency, fit_log_normal, fit_smoothed

AGES = st.floats(0, 1e9)
WIDE = [-6.9 + number for number in range(21)]
LOGS = st.lists(st.floats(math.log(1e-3), math.log(1e6)), min_size=20, max_size=200)


def smoothed(*logs: float) -> Latency:
    return fit_smoothed(logs, [1.0] * len(logs))


def drawn(*medians: float, spread: float) -> Latency:
    random = Random(7)  # noqa: S311 - draws latencies, keeps no secret
    return smoothed(*(math.log(median) + random.gauss(0, spread) for median in medians for _ in range(100)))


@given(LOGS, AGES)
@example(WIDE, 0.0)
@example(WIDE, 1e9)
def test_a_smoothed_hazard_is_positive_and_finite_at_any_age(logs: list[float], age: float) -> None:
    latency = smoothed(*logs)
    assert 0 < latency.hazard(age) < math.inf
    assert 0 < latency.remaining(age) < math.inf
    assert 0 <= latency.survival(age) <= 1


@given(st.floats(-7, 14), st.floats(0, 20), st.floats(0, 1000), AGES)
def test_a_log_normal_hazard_is_positive_and_finite_at_any_age(
    mean: float, spread: float, samples: float, age: float
) -> None:
    latency = fit_log_normal(mean, spread, samples=samples)
    assert 0 < latency.hazard(age) < math.inf
    assert 0 < latency.remaining(age) < math.inf


@given(LOGS, st.floats(0, 1))
@example(WIDE, 0.0)
@example(WIDE, 1.0)
def test_an_age_is_found_for_each_share_of_tasks(logs: list[float], share: float) -> None:
    latency = smoothed(*logs)
    assert 0 < latency.outlasted_by(share) < math.inf
    assert latency.survival(latency.median) == pytest.approx(0.5, abs=0.02)


def test_a_log_normal_hazard_is_the_one_of_the_books() -> None:
    latency = fit_log_normal(math.log(25), 0.4, samples=1e9)
    for age in (10.0, 25.0, 60.0):
        z = math.log(age / 25) / 0.4
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / 0.4 / age
        assert latency.hazard(age) == pytest.approx(2 * density / math.erfc(z / math.sqrt(2)), rel=0.01)
    assert latency.median == pytest.approx(25, rel=0.01)
    assert latency.remaining(0) == pytest.approx(25 * math.exp(0.08), rel=0.01)


def test_samples_are_smoothed_into_what_they_were_drawn_from() -> None:
    latency, truth = drawn(180.0, spread=0.4), fit_log_normal(math.log(180), 0.4, samples=1e9)
    assert latency.median == pytest.approx(180, rel=0.1)
    for age in (100.0, 180.0, 250.0):
        assert latency.hazard(age) == pytest.approx(truth.hazard(age), rel=0.35)


def test_between_two_humps_hardly_a_task_ends() -> None:
    latency = drawn(15.0, 100.0, spread=0.15)
    assert latency.hazard(40) < latency.hazard(15) / 20
    assert latency.hazard(40) < latency.hazard(100) / 10


def test_beyond_all_experience_a_task_looks_ever_less_likely_to_end() -> None:
    latency = drawn(25.0, spread=0.3)
    hazards = [latency.hazard(25.0 * 2**power) for power in range(3, 20)]
    assert all(earlier > later for earlier, later in pairwise(hazards))
    assert latency.remaining(1e6) > latency.remaining(1e4) > latency.remaining(100)


def test_the_quiet_age_is_known_where_it_was_seen() -> None:
    assert drawn(180.0, spread=0.4).quiet_until == pytest.approx(180 * math.exp(-0.4 * 2.05), rel=0.25)
    assert fit_log_normal(math.log(180), 0.4, samples=19).quiet_until == 0


def test_weights_say_which_samples_count() -> None:
    short, long = ([math.log(seconds) + number / 500 for number in range(50)] for seconds in (10, 40))
    assert fit_smoothed(short + long, [0.01] * 50 + [1.0] * 50).median == pytest.approx(42, rel=0.03)
