"""What carrying out a plan would take: slots by kind, the time through them, and what money does not suffice for."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from fake_clock import FakeClock
from job_samples import film, picture, plan_for, record_of

from kirin_batch.commands.forecast import Forecast, SlotNeed, forecast_run
from kirin_batch.jobs import Job
from kirin_batch.project import Project, Settings
from kirin_batch.records import Record, Status
from kirin_batch.scheduler.learned import Latencies

SECONDS = 10.0
PRICES = {"pictures": "1", "films": "5"}


@pytest.fixture
def latencies() -> Latencies:
    """Every task has taken ten seconds so far."""
    learned = Latencies()
    for model, slots in (("pictures", 1), ("pictures", 4), ("films", 1)):
        learned.restore(model, {"n": str(slots), "slots": str(slots)}, [SECONDS] * 50)
    return learned


def forecast(
    jobs: Iterable[Job], *records: Record, latencies: Latencies | None = None, most: str | None = None
) -> Forecast:
    known = {job.id: job for job in jobs}
    plan = plan_for(known.values(), *records, prices=PRICES)
    project = Project(Path("/nowhere"), Settings(slots={"image": 4, "video": 1}))
    max_cost = None if most is None else Decimal(most)
    return forecast_run(plan, known, project, max_cost=max_cost, latencies=latencies or Latencies(), clock=FakeClock())


def whole(id_: str, *needs: str) -> Job:
    """A job that takes all slots of images."""
    return picture(id_, slots=4, needs=needs)


@pytest.mark.parametrize(
    ("jobs", "rounds"),
    [
        ([picture("s:a")], 1),
        ([picture(f"s:{number}") for number in range(8)], 2),
        ([picture(f"s:{number}", slots=4) for number in range(3)], 3),
        ([picture("s:a"), picture("s:b", needs=("s:a",)), picture("s:c", needs=("s:b",))], 3),
        ([film("s:a"), film("s:b"), whole("s:c", "s:a", "s:b"), whole("s:d", "s:a")], 3),
        ([film("s:a"), film("s:b"), *(picture(f"s:{number}") for number in range(4))], 2),
    ],
)
def test_the_time_is_that_of_the_tasks_through_the_slots(jobs: list[Job], rounds: int, latencies: Latencies) -> None:
    assert forecast(jobs, latencies=latencies).seconds == pytest.approx(SECONDS * rounds, rel=0.15)


def test_a_task_in_flight_holds_its_slots_for_what_is_left_of_its_time(latencies: Latencies) -> None:
    running = record_of(picture("s:a", slots=4), Status.IN_FLIGHT)
    jobs = [picture("s:a", slots=4), picture("s:b")]
    began_before = replace(running, created_at="1969-12-31T23:59:52Z")  # eight seconds before the fake clock begins
    begun = forecast(jobs, began_before, latencies=latencies)
    assert begun.slots == {"image": SlotNeed(5, 4)}
    assert SECONDS < (begun.seconds or 0) < 1.5 * SECONDS


def test_slots_are_told_by_kind_and_of_what_is_sent_alone() -> None:
    jobs = [picture("s:a", slots=4), picture("s:b"), film("s:c"), picture("s:d")]
    told = forecast(jobs, record_of(jobs[3]))
    assert told.slots == {"image": SlotNeed(5, 4), "video": SlotNeed(1, 1)}
    assert told.as_json()["slots"] == {"image": {"needed": 5, "limit": 4}, "video": {"needed": 1, "limit": 1}}


def test_where_nothing_is_sent_there_is_no_time_to_tell() -> None:
    done = picture("s:a")
    told = forecast([done], record_of(done), most="3")
    assert (told.slots, told.seconds, told.over_budget, told.max_cost) == ({}, None, (), Decimal(3))


def test_what_money_does_not_suffice_for_waits_and_so_does_what_needs_it() -> None:
    jobs = [picture("s:a"), film("s:b"), picture("s:c", needs=("s:b",)), picture("s:d"), picture("s:e")]
    assert forecast(jobs, most="2").over_budget == ("s:b", "s:c", "s:e")
    assert forecast(jobs, most="9").over_budget == ()
    nothing = forecast(jobs, most="0")
    assert (nothing.over_budget, nothing.seconds) == (tuple(job.id for job in jobs), None)


def test_what_is_in_flight_counts_before_anything_is_sent() -> None:
    jobs = [picture("s:a"), picture("s:b")]
    assert forecast(jobs, record_of(jobs[1], Status.IN_FLIGHT), most="1").over_budget == ("s:a",)
    assert forecast(jobs, record_of(jobs[1], Status.UNKNOWN), most="1").over_budget == ("s:a",)
    assert forecast(jobs, record_of(jobs[1]), most="1").over_budget == ()
