"""Slots: never overdrawn, half as many when the gateway has none left, one more with each task that it takes."""

import pytest
from fake_clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.scheduler.slots import Slots


def refuse(slots: Slots, *, retry_after: float | None = None) -> None:
    """A create that is sent and refused."""
    slots.refuse("image", since=slots.round("image"), jitter=0.0, retry_after=retry_after)


def limit(slots: Slots) -> int:
    return slots.snapshot()["image"][1]


def test_kinds_are_counted_apart() -> None:
    slots = Slots({"image": 3, "video": 1}, FakeClock())
    slots.take("image", 2)
    assert [slots.fits("image", 1), slots.fits("image", 2), slots.fits("video", 1)] == [True, False, True]
    slots.give_back("image", 2)
    assert slots.snapshot() == {"image": (0, 3), "video": (0, 1)}


def test_the_limit_halves_down_to_one_and_grows_up_to_what_was_set() -> None:
    slots, limits = Slots({"image": 10}, FakeClock()), []
    slots.take("image", 10)
    for _ in range(5):
        refuse(slots)
        limits.append(limit(slots))
    for _ in range(11):
        slots.accept("image")
        limits.append(limit(slots))
    assert limits == [5, 2, 1, 1, 1, *range(2, 11), 10, 10]


def test_of_creates_that_were_under_way_together_one_refusal_halves_the_limit() -> None:
    slots = Slots({"image": 64}, FakeClock())
    slots.take("image", 32)
    since = slots.round("image")
    for _ in range(20):
        slots.refuse("image", since=since, jitter=0.0)
    assert limit(slots) == 16, "half of what was in use, not of what was allowed"


def test_a_kind_that_is_refused_opens_again_in_a_second_then_in_two_and_so_on() -> None:
    clock, waits = FakeClock(), []
    slots = Slots({"image": 10}, clock)
    for _ in range(8):
        refuse(slots)
        waits.append(slots.opens_at("image") - clock.seconds)
        clock.seconds = slots.opens_at("image")
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    slots.accept("image")
    refuse(slots)
    assert slots.opens_at("image") - clock.seconds == 1.0


def test_the_end_of_a_task_opens_its_kind_but_not_before_the_gateway_wants_it() -> None:
    slots = Slots({"image": 10}, FakeClock())
    slots.take("image", 4)
    for _ in range(5):
        refuse(slots)
    assert slots.opens_at("image") == 16.0
    slots.end("image", 2)
    assert slots.opens_at("image") == 1.0
    refuse(slots, retry_after=30.0)
    slots.end("image", 2)
    assert slots.opens_at("image") == 30.0


def test_with_nothing_in_use_a_large_job_starts_whatever_the_limit_shrank_to() -> None:
    slots = Slots({"image": 9}, FakeClock())
    slots.take("image", 8)
    refuse(slots)
    slots.give_back("image", 8)
    assert slots.fits("image", 9)
    slots.take("image", 1)
    assert [slots.fits("image", 9), slots.fits("image", 4), slots.fits("image", 3)] == [False, False, True]


def test_a_cap_over_all_kinds_holds_and_lets_a_larger_job_run_alone() -> None:
    slots = Slots({"image": 10, "video": 5}, FakeClock(), total=4)
    assert slots.fits_total(9)
    slots.take("video", 2)
    assert [slots.fits_total(2), slots.fits_total(3)] == [True, False]
    slots.take("image", 2)
    slots.give_back("video", 2)
    assert slots.fits_total(2)


@given(st.integers(1, 12), st.lists(st.sampled_from(["refuse", "accept", "give back", 1, 2, 5, 9])))
def test_what_fits_never_overdraws(most: int, acts: list[str | int]) -> None:
    slots = Slots({"image": most}, FakeClock())
    taken: list[int] = []
    for act in acts:
        match act:
            case "refuse":
                refuse(slots)
            case "accept":
                slots.accept("image")
            case "give back" if taken:
                slots.end("image", taken.pop())
            case int() if slots.fits("image", act):
                slots.take("image", act)
                taken.append(act)
        in_use, allowed = slots.snapshot()["image"]
        assert in_use == sum(taken) <= most
        assert 1 <= allowed <= most
        assert slots.is_at_work("image") == bool(taken)


def test_slots_of_a_task_that_is_left_stay_taken_and_what_needs_them_is_out_of_reach() -> None:
    slots = Slots({"image": 10, "video": 5}, FakeClock())
    slots.take("image", 4)
    assert not slots.out_of_reach("image")
    slots.leave("image", 4)
    assert slots.snapshot()["image"] == (4, 10)
    assert not slots.is_at_work("image")
    assert slots.spare("image", 5) == 1
    assert list(slots.out_of_reach("image")) == [7, 8, 9, 10]
    assert not slots.out_of_reach("video")


def test_under_a_cap_slots_that_are_left_put_jobs_of_all_kinds_out_of_reach() -> None:
    slots = Slots({"image": 5, "video": 5}, FakeClock(), total=4)
    slots.take("image", 3)
    slots.leave("image", 3)
    assert list(slots.out_of_reach("video")) == [2, 3, 4, 5]


@pytest.mark.parametrize("slots", [1, 9])
def test_a_task_of_an_earlier_run_counts_whether_it_fits_or_not(slots: int) -> None:
    of_account = Slots({"image": 1}, FakeClock())
    of_account.take("image", slots)
    assert of_account.snapshot() == {"image": (slots, 1)}
    assert not of_account.fits("image", 1)
