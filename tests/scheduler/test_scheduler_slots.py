"""Slots: never overdrawn, half as many when the gateway has none left, one more with each task that it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.scheduler.slots import Slots


def test_kinds_are_counted_apart() -> None:
    slots = Slots({"image": 3, "video": 1})
    slots.take("image", 2)
    assert [slots.fits("image", 1), slots.fits("image", 2), slots.fits("video", 1)] == [True, False, True]
    slots.give_back("image", 2)
    assert slots.snapshot() == {"image": (0, 3), "video": (0, 1)}


def test_the_limit_halves_down_to_one_and_grows_up_to_what_was_set() -> None:
    slots, limits = Slots({"image": 10}), []
    for _ in range(5):
        slots.shrink("image")
        limits.append(slots.snapshot()["image"][1])
    for _ in range(11):
        slots.grow("image")
        limits.append(slots.snapshot()["image"][1])
    assert limits == [5, 2, 1, 1, 1, *range(2, 11), 10, 10]


def test_with_nothing_in_use_a_large_job_starts_whatever_the_limit_shrank_to() -> None:
    slots = Slots({"image": 9})
    slots.shrink("image")
    assert slots.fits("image", 9)
    slots.take("image", 1)
    assert [slots.fits("image", 9), slots.fits("image", 4), slots.fits("image", 3)] == [False, False, True]


@given(st.integers(1, 12), st.lists(st.sampled_from(["shrink", "grow", "give back", 1, 2, 5, 9])))
def test_what_fits_never_overdraws(most: int, acts: list[str | int]) -> None:
    slots = Slots({"image": most})
    taken: list[int] = []
    for act in acts:
        match act:
            case "shrink":
                slots.shrink("image")
            case "grow":
                slots.grow("image")
            case "give back" if taken:
                slots.give_back("image", taken.pop())
            case int() if slots.fits("image", act):
                slots.take("image", act)
                taken.append(act)
        in_use, limit = slots.snapshot()["image"]
        assert in_use == sum(taken) <= most
        assert 1 <= limit <= most


@pytest.mark.parametrize("slots", [1, 9])
def test_a_task_of_an_earlier_run_counts_whether_it_fits_or_not(slots: int) -> None:
    of_account = Slots({"image": 1})
    of_account.take("image", slots)
    assert of_account.snapshot() == {"image": (slots, 1)}
    assert not of_account.fits("image", 1)
