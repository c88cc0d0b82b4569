"""Which job in line may start: large ones keep their turn, the account is not idle, and a cap over all kinds holds."""

from collections.abc import Iterable
from random import Random

import pytest
from fake_clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from job_samples import film, picture, plan_for

from kirin_batch.jobs import Job
from kirin_batch.scheduler.admission import Admission
from kirin_batch.scheduler.budget import Budget
from kirin_batch.scheduler.line import Line
from kirin_batch.scheduler.observer import Silent
from kirin_batch.scheduler.slots import Slots


class Desk:
    """An admission with its parts; `start` lets in all that may start, `end` ends one of them."""

    def __init__(self, jobs: Iterable[Job], *, image: int = 10, video: int = 5, total: int | None = None) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.clock = FakeClock()
        self.slots = Slots({"image": image, "video": video}, self.clock, total=total)
        line = Line(self.jobs, plan_for(self.jobs.values()))
        self.admission = Admission(line, self.slots, Budget(None), clock=self.clock, observer=Silent())

    def start(self) -> list[str]:
        started = []
        while job := self.admission.next():
            started.append(job.removeprefix("s:"))
        return started

    def end(self, *names: str) -> list[str]:
        for name in names:
            self.admission.free(self.jobs[f"s:{name}"], has_ended=True)
        return self.start()


def sized(text: str) -> list[Job]:
    """Jobs by name, whose first figure is their size: `1a 9b`."""
    return [picture(f"s:{name}", slots=int(name[0])) for name in text.split()]


def test_a_large_job_waits_for_its_slots_and_is_passed_by_only_in_those_that_it_leaves() -> None:
    desk = Desk(sized("1a 1b 9c 1d 1e 2f 1g"))
    assert desk.start() == ["1a", "1b", "1d"]
    assert desk.end("1a") == []
    assert desk.end("1b") == ["9c"]
    assert desk.end("1d") == ["1e"]


def test_slots_that_were_freed_for_a_large_job_are_taken_over_by_the_next_of_its_size() -> None:
    desk = Desk(sized("1a 1b 9c 2d 9e 1f"))
    desk.start()
    assert desk.end("1a", "1b") == ["9c"]
    assert desk.end("9c", "1f") == ["9e"]
    assert desk.end("9e") == ["2d"]


def test_a_row_of_large_jobs_ends_when_others_have_waited_long_enough() -> None:
    desk = Desk([*sized("2a 9-first 2b"), *(picture(f"s:9-{number}", slots=9) for number in range(50))])
    assert desk.start() == ["2a"]
    row, running = 0, desk.end("2a")
    while running != ["2b"]:
        row, running = row + 1, desk.end(*running)
    assert row == 32


def test_what_has_more_slots_than_there_are_left_in_a_kind_keeps_no_other_kind_waiting() -> None:
    desk = Desk([*sized("9a 9b"), film("s:f"), film("s:g")], video=1)
    assert desk.start() == ["9a", "f"]
    assert desk.end("f") == ["g"]


def test_under_a_cap_over_all_kinds_the_first_in_line_is_not_passed_by_another_kind() -> None:
    desk = Desk([film("s:f"), film("s:g"), *sized("4a"), film("s:h")], total=4)
    assert desk.start() == ["f", "g"]
    assert desk.end("f") == []
    assert desk.end("g") == ["4a"]
    assert desk.end("4a") == ["h"]


def test_a_job_that_is_larger_than_the_cap_runs_alone() -> None:
    desk = Desk(sized("1a 9b 1c"), total=3)
    assert desk.start() == ["1a"]
    assert desk.end("1a") == ["9b"]
    assert desk.end("9b") == ["1c"]


@pytest.mark.parametrize("others", [0, 1])
def test_a_refused_job_comes_back_at_its_place_unless_it_was_alone(others: int) -> None:
    desk = Desk(sized("9a 1b 1c"))
    assert desk.start() == ["9a", "1b"]
    if not others:
        desk.admission.free(desk.jobs["s:1b"], has_ended=True)
    desk.slots.refuse("image", since=0, jitter=0.0)
    desk.admission.put_back(desk.jobs["s:9a"], is_refused=True)
    assert desk.start() == []
    assert desk.admission.opens_at == 1.0
    desk.clock.seconds = 1.0
    assert desk.start() == ([] if others else ["1c"])
    assert desk.end("1b") == (["9a"] if others else [])


@given(st.lists(st.integers(1, 10), max_size=30), st.randoms(use_true_random=False))
def test_every_job_starts_once_whatever_the_sizes_and_the_ends(sizes: list[int], random: Random) -> None:
    jobs = [picture(f"s:{number}", slots=size) for number, size in enumerate(sizes)]
    desk, seen = Desk(jobs), list[str]()
    running = desk.start()
    while running:
        seen += running
        running = [*running]
        ended = random.choice(running)
        running.remove(ended)
        running += desk.end(ended)
        assert sum(desk.jobs[f"s:{name}"].slots for name in running) <= 10
        seen = list(dict.fromkeys(seen))
    assert sorted(seen) == sorted(job.id.removeprefix("s:") for job in jobs)


def test_a_second_late_is_worth_the_slots_that_others_wait_for_and_more_where_a_chain_waits() -> None:
    first, large, last = picture("s:first"), picture("s:large", slots=4), film("s:last", needs=("s:first",))
    line = Line({job.id: job for job in (first, large, last)}, plan_for([first, large, last]))
    assert [line.worth_of(job) for job in (first, large, last)] == [5.0, 4.0, 0.0]
    for job in (first, large):
        line.take(job)
    assert [line.worth_of(job) for job in (first, large)] == [4.0, 0.0]
