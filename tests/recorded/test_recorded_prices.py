"""Estimates: learned from what the same requests cost, else told by the settings."""

from dataclasses import replace
from decimal import Decimal

from job_samples import film, picture, record_of

from kirin_batch.prices import Estimates
from kirin_batch.records import Status

ONE, NINE = picture("s:a"), picture("s:b", slots=9)


def test_an_estimate_counts_the_slots_that_a_job_takes() -> None:
    estimates = Estimates({}, {"pictures": Decimal("0.028")})
    assert estimates.of(NINE) == Decimal("0.252")
    assert estimates.of(film("s:f")) is None


def test_what_tasks_cost_counts_more_than_the_settings_say() -> None:
    nine = replace(record_of(NINE), cost="0.29", outputs=9 * record_of(NINE).outputs, digest="of another request")
    records = {"s:a": replace(record_of(ONE), cost="0.01"), "s:b": nine}
    estimates = Estimates(records, {"pictures": Decimal(7), "films": Decimal(2)})
    assert estimates.of(ONE) == Decimal("0.03")
    assert estimates.of(film("s:f")) == Decimal(2)


def test_a_record_without_cost_teaches_nothing() -> None:
    assert Estimates({"s:b": record_of(NINE, Status.FAILED)}, {}).of(ONE) is None
