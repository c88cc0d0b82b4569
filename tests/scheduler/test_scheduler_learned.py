"""What is learned of how long tasks take: by model and parameters, kept in a file that may be lost."""

import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_samples import film, picture

from kirin_batch.jobs import Job
from kirin_batch.scheduler.learned import Latencies, load_latencies
from kirin_batch.scheduler.pacing import PollPolicy

AGES = (0.0, 1.0, 10.0, 25.0, 60.0, 200.0, 5000.0)
SECONDS = st.floats(allow_nan=True, allow_infinity=True)


def learn(latencies: Latencies, job: Job, *medians: float, count: int, spread: float = 0.2) -> Latencies:
    """Tasks that were queried every two seconds around their end."""
    random = Random(3)  # noqa: S311 - draws latencies, keeps no secret
    for median in medians:
        for _ in range(count):
            took = median * math.exp(random.gauss(0, spread))
            latencies.observe(job, earliest=max(0.0, took - 1), latest=took + 1)
    return latencies


def hazards(latencies: Latencies, job: Job) -> list[float]:
    return [latencies.of(job).hazard(age) for age in AGES]


def of_mode(mode: object, *, model: str = "films") -> Job:
    return replace(film("s:a"), model=model, params={"mode": mode, "duration": "5"})


@pytest.mark.parametrize(("job", "median"), [(picture("s:a"), 25), (film("s:b"), 180)])
def test_where_nothing_was_seen_the_kind_tells(job: Job, median: float) -> None:
    assert Latencies().of(job).median == pytest.approx(median, rel=0.01)


def test_a_kind_that_nobody_told_of_has_a_latency_too() -> None:
    assert 10 < Latencies().of(replace(picture("s:a"), kind="sounds")).median < 300


@pytest.mark.parametrize(("count", "off"), [(1, 0.35), (5, 0.15), (19, 0.1), (20, 0.1), (150, 0.07)])
def test_samples_move_the_median_to_where_they_lie(count: int, off: float) -> None:
    job = picture("s:a")
    assert learn(Latencies(), job, 70.0, count=count).of(job).median == pytest.approx(70, rel=off)


def test_what_was_learned_is_narrower_than_what_is_supposed() -> None:
    job = film("s:a")
    learned = learn(Latencies(), job, 180.0, count=10).of(job)
    assert learned.hazard(180) > 1.5 * Latencies().of(job).hazard(180)
    assert learned.hazard(60) < Latencies().of(job).hazard(60) / 5


def test_tasks_that_have_become_much_faster_are_soon_asked_for_in_time() -> None:
    job, policy = film("s:a"), PollPolicy()
    latencies, first_looks = learn(Latencies(), job, 600.0, count=200), list[float]()
    for _ in range(12):
        latest = policy.next_delay(0.0, latencies.of(job), worth=1.0, jitter=0.5, is_first=True)
        first_looks.append(latest)
        latencies.observe(job, earliest=0.0 if latest > 180 else latest, latest=max(latest, 180.0))
    assert first_looks[0] > 300
    assert min(first_looks) < 180


def test_a_drift_is_followed() -> None:
    job = picture("s:a")
    assert learn(Latencies(), job, 25.0, 60.0, count=100).of(job).median == pytest.approx(60, rel=0.25)
    assert learn(Latencies(), job, 25.0, 60.0, count=200).of(job).quiet_until > 35


def test_each_mode_has_its_own_latency() -> None:
    latencies = learn(Latencies(), of_mode("std"), 60.0, count=30)
    learn(latencies, of_mode("pro"), 300.0, count=30)
    assert latencies.of(of_mode("std")).median == pytest.approx(60, rel=0.15)
    assert latencies.of(of_mode("pro")).median == pytest.approx(300, rel=0.15)


def test_a_task_of_many_slots_has_its_own_latency() -> None:
    one, nine = replace(picture("s:a"), params={}), replace(picture("s:a", slots=9), params={})
    latencies = learn(Latencies(), nine, 90.0, count=30)
    learn(latencies, one, 20.0, count=30)
    assert latencies.of(nine).median > 4 * latencies.of(one).median


def test_an_unseen_mode_leans_on_its_model_and_not_on_others() -> None:
    latencies = learn(Latencies(), of_mode("std"), 600.0, count=30)
    assert 400 < latencies.of(of_mode("pro")).median < 700
    assert latencies.of(of_mode("pro", model="others")).median == pytest.approx(180, rel=0.01)
    learn(latencies, of_mode("std"), 60.0, count=30)
    assert latencies.of(of_mode("pro")).median < 100


def test_an_end_after_a_long_silence_counts_as_where_it_was_likely() -> None:
    job = picture("s:a")
    latencies = learn(Latencies(), job, 25.0, count=30)
    for _ in range(200):
        latencies.observe(job, earliest=0.0, latest=1000.0)
    assert latencies.of(job).median < 40


@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=40))
def test_nothing_that_is_observed_breaks_what_is_told(seen: list[tuple[float, float]]) -> None:
    latencies, job = Latencies(), picture("s:a")
    for earliest, latest in seen:
        latencies.observe(job, earliest=earliest, latest=latest)
    assert all(0 < hazard < math.inf for hazard in hazards(latencies, job))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "latencies.json"
    latencies = learn(Latencies(), of_mode("std"), 60.0, count=40)
    learn(latencies, picture("s:a"), 12.0, count=7)
    latencies.save(path)
    loaded = load_latencies(path)
    for job in (of_mode("std"), of_mode("pro"), picture("s:a")):
        assert hazards(loaded, job) == pytest.approx(hazards(latencies, job), rel=0.01)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_file_that_is_not_there_is_no_cause_for_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_latencies(tmp_path / "none.json").of(film("s:a")).median == pytest.approx(180, rel=0.01)
    assert caplog.records == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "\xff",
        '{"version": 2, "latencies": []}',
        '{"version": 1}',
        '{"version": 1, "latencies": {}}',
        '{"version": 1, "latencies": [7]}',
        '{"version": 1, "latencies": [{"model": "m", "parameters": {}, "seconds": [NaN]}]}',
        '{"version": 1, "latencies": [{"model": "m", "parameters": {}, "seconds": [-1]}]}',
        '{"version": 1, "latencies": [{"model": "m", "parameters": {}, "seconds": ["1"]}]}',
        '{"version": 1, "latencies": [{"model": "m", "parameters": {"n": 1}, "seconds": []}]}',
        '{"version": 1, "latencies": [{"model": 7, "parameters": {}, "seconds": []}]}',
        "[" * 100_000,
        '{"version": 1, "latencies": []}' + " " * 2_000_000,
    ],
)
def test_a_file_that_cannot_be_read_is_an_empty_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = tmp_path / "latencies.json"
    path.write_text(text, encoding="latin-1")
    assert hazards(load_latencies(path), film("s:a")) == hazards(Latencies(), film("s:a"))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("kirin_batch.scheduler", logging.WARNING)
    assert str(path) in record.getMessage()


def test_a_folder_in_its_place_is_warned_of_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_latencies(tmp_path).save(tmp_path)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


@pytest.mark.parametrize("seconds", [[1e300] * 50, [1e-300] * 50, [1e300, 1e-300] * 25, [10**18] * 3, [5] * 10_000])
def test_absurd_seconds_are_bounded(tmp_path: Path, seconds: list[float]) -> None:
    job = replace(picture("s:a"), params={})
    path = tmp_path / "latencies.json"
    entry = {"model": job.model, "parameters": {"slots": "1"}, "seconds": seconds}
    path.write_text(json.dumps({"version": 1, "latencies": [entry]}))
    latencies = load_latencies(path)
    assert hazards(latencies, job) != hazards(Latencies(), job)
    assert all(0 < hazard < math.inf for hazard in hazards(latencies, job))
    latencies.save(path)
    assert path.stat().st_size < 10_000


def test_keys_and_samples_are_bounded_and_the_oldest_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "latencies.json"
    latencies = learn(Latencies(), of_mode("first"), 600.0, count=250)
    latencies.save(path)
    assert len(json.loads(path.read_text())["latencies"][0]["seconds"]) == 200
    for number in (*range(70), 6):
        learn(latencies, of_mode(number, model=f"model{number}"), 60.0, count=1)
    latencies.save(path)
    kept = [entry["model"] for entry in json.loads(path.read_text())["latencies"]]
    assert kept == [f"model{number}" for number in (*range(7, 70), 6)]


def test_a_gateway_in_haste_is_expected_to_be_faster_until_its_tasks_say_otherwise() -> None:
    usual, hasty = Latencies(), Latencies(haste=30.0)
    assert hasty.of(picture("s:a")).median == pytest.approx(usual.of(picture("s:a")).median / 30, rel=0.01)
    for _ in range(50):
        hasty.observe(picture("s:a"), earliest=24.0, latest=25.0)
    assert 20 < hasty.of(picture("s:a")).median < 30
