"""Merging what two sides recorded: nothing known is lost, whatever the order, and each rule by examples."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from job_samples import picture, record_of, result

from kirin_batch.identity import external_task_id
from kirin_batch.merging import Merged, merge_records
from kirin_batch.records import Record, Status, TaskError

JOBS = ("s:a", "s:b")
GIVEN_ID = "an-id-that-the-spec-gives"
DAYS = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")

Records = Mapping[str, Record]


def task(
    status: Status = Status.COMPLETED, *, request: str = "cat", attempt: int = 1, account: str = "", job: str = "s:a"
) -> Record:
    """A task of the job as its clone recorded it; another account makes another task of the same request."""
    made = record_of(picture(job, request=request), status)
    id_ = external_task_id("", job, made.digest, attempt)
    return replace(made, attempt=attempt, external_task_id=id_, task_id=f"{request}-{attempt}{account}")


def intent(*, request: str = "cat", attempt: int = 1) -> Record:
    return replace(task(Status.IN_FLIGHT, request=request, attempt=attempt), task_id=None)


def refused(*, request: str = "cat", attempt: int = 1) -> Record:
    made = task(Status.FAILED, request=request, attempt=attempt)
    return replace(made, task_id=None, error=TaskError("400", "no"))


def unknown(*, attempt: int = 1) -> Record:
    return replace(task(Status.UNKNOWN, attempt=attempt), task_id=None, finished_at=None)


def on(day: int, record: Record) -> Record:
    return replace(record, created_at=DAYS[day - 1])


def after(*records: Record) -> Record:
    """The last task as the job's, the others as earlier ones."""
    return replace(records[-1], earlier=records[:-1])


@st.composite
def tasks(draw: st.DrawFn, job: str) -> Record:
    request, account = draw(st.sampled_from(("cat", "dog"))), draw(st.sampled_from(("", "-other")))
    status = draw(st.sampled_from((Status.COMPLETED, Status.FAILED, Status.IN_FLIGHT, Status.UNKNOWN)))
    made = task(status, request=request, attempt=draw(st.integers(1, 2)), account=account, job=job)
    made = on(draw(st.integers(1, 2)), made)
    if draw(st.integers(0, 4)) == 0:
        made = replace(made, external_task_id=GIVEN_ID)
    if status is not Status.COMPLETED and draw(st.booleans()):
        made = replace(made, task_id=None)
    if status is Status.COMPLETED and draw(st.booleans()):
        made = replace(made, outputs=(result(None),))
    return replace(made, sandbox=draw(st.integers(0, 4)) == 0)


def request_of(made: Record) -> tuple[str, str, bool]:
    return made.external_task_id, made.digest, made.sandbox


def histories(job: str) -> st.SearchStrategy[Record]:
    """A job with up to three tasks, earlier ones in order; a side knows one task of a request."""
    listed = st.lists(tasks(job), min_size=1, max_size=3, unique_by=request_of)
    return listed.map(lambda made: after(*sorted(made[1:], key=lambda one: one.created_at), made[0]))


sides: st.SearchStrategy[Records] = st.fixed_dictionaries({}, optional={job: histories(job) for job in JOBS})


def all_tasks(records: Records) -> list[tuple[object, ...]]:
    """Every task of every job, with all that is known of it, whichever is the current one."""
    known = (replace(made, earlier=()) for record in records.values() for made in (*record.earlier, record))
    return sorted((str(made.as_json()), made.sandbox) for made in known)


def task_ids(record: Record | None) -> set[tuple[str, str]]:
    known = (*record.earlier, record) if record else ()
    return {(made.digest, made.task_id) for made in known if made.task_id}


@given(sides, sides, sides)
def test_ours_and_theirs_may_be_exchanged(base: Records, ours: Records, theirs: Records) -> None:
    assert merge_records(base, ours, theirs) == merge_records(base, theirs, ours)


@given(sides, sides)
def test_a_side_that_left_all_as_it_was_changes_nothing(base: Records, ours: Records) -> None:
    assert merge_records(base, ours, base) == Merged(dict(ours), ())
    assert merge_records(base, base, ours) == Merged(dict(ours), ())
    assert merge_records(base, ours, ours) == Merged(dict(ours), ())


@given(sides, sides)
def test_merging_a_side_again_adds_nothing_and_tells_nothing(ours: Records, theirs: Records) -> None:
    merged = merge_records({}, ours, theirs).records
    again = merge_records({}, merged, theirs)
    assert (all_tasks(again.records), again.paid_twice) == (all_tasks(merged), ())
    assert merge_records(theirs, merged, theirs) == Merged(merged, ())


@given(sides, sides, sides)
def test_three_clones_end_with_the_same_tasks_in_any_order(one: Records, two: Records, three: Records) -> None:
    ends = []
    for first, second, third in permutations((one, two, three)):
        half = merge_records({}, first, second).records
        ends.append(all_tasks(merge_records({}, half, third).records))
    assert all(end == ends[0] for end in ends)


@given(sides, sides, sides)
def test_no_task_is_lost_but_with_a_job_that_a_side_forgot(base: Records, ours: Records, theirs: Records) -> None:
    merged = merge_records(base, ours, theirs).records
    for job in JOBS:
        was, left, right = base.get(job), ours.get(job), theirs.get(job)
        if was in (left, right):  # one side alone changed it
            assert merged.get(job) == (right if left == was else left)
        else:
            assert task_ids(merged.get(job)) == task_ids(left) | task_ids(right)


@given(sides, sides)
def test_each_task_stands_once_and_one_is_current(ours: Records, theirs: Records) -> None:
    assume(ours.keys() & theirs.keys())
    merged = merge_records({}, ours, theirs).records
    assert list(merged) == sorted(ours.keys() | theirs.keys())
    for record in merged.values():
        whole = [*record.earlier, record]
        names = {(request_of(made), made.task_id) for made in whole}
        assert len(names) == len(whole)
        requests = {request_of(made) for made in whole if made.task_id}
        assert all(made.task_id or request_of(made) not in requests for made in whole)
        assert list(record.earlier) == sorted(record.earlier, key=lambda made: made.created_at)
        assert all(made.earlier == () for made in record.earlier)


OTHER_REFUSED = on(1, replace(refused(request="dog"), external_task_id=GIVEN_ID))
GIVEN_INTENT = on(2, replace(intent(), external_task_id=GIVEN_ID))
ONLY_URLS = replace(task(), outputs=(result(None),))
RULES = {
    "more knowledge: a result goes before a failure": (task(Status.FAILED), ONLY_URLS, ONLY_URLS),
    "more knowledge: an end goes before the way": (task(Status.IN_FLIGHT), task(Status.FAILED), task(Status.FAILED)),
    "more knowledge: an id goes before an intent": (intent(), task(Status.IN_FLIGHT), task(Status.IN_FLIGHT)),
    "more knowledge: an id goes before a refusal": (refused(), task(Status.IN_FLIGHT), task(Status.IN_FLIGHT)),
    "more knowledge: an id goes before a doubt": (unknown(), task(Status.IN_FLIGHT), task(Status.IN_FLIGHT)),
    "more knowledge: a doubt goes before a refusal": (refused(), unknown(), unknown()),
    "more knowledge: a refusal goes before an intent": (intent(), refused(), refused()),
    "more knowledge: files go before URLs": (ONLY_URLS, task(), task()),
    "a newer request goes before an older one that has a result": (
        on(1, task()),
        on(2, intent(request="dog")),
        after(on(1, task()), on(2, intent(request="dog"))),
    ),
    "of one request a result goes before what is in flight": (
        on(2, task(Status.IN_FLIGHT, attempt=2)),
        on(1, task()),
        after(on(2, task(Status.IN_FLIGHT, attempt=2)), on(1, task())),
    ),
    "of one request what is in flight goes before a later doubt": (
        on(1, task(Status.IN_FLIGHT)),
        on(2, unknown(attempt=2)),
        after(on(2, unknown(attempt=2)), on(1, task(Status.IN_FLIGHT))),
    ),
    "of one request what is in flight goes before an older intent": (
        on(1, intent()),
        on(2, task(Status.IN_FLIGHT, attempt=2)),
        after(on(1, intent()), on(2, task(Status.IN_FLIGHT, attempt=2))),
    ),
    "of two results of one request the older stays": (
        on(2, task(attempt=2)),
        on(1, task()),
        after(on(2, task(attempt=2)), on(1, task())),
    ),
    "of two tasks in flight of one request the older stays": (
        on(2, task(Status.IN_FLIGHT, attempt=2)),
        on(1, task(Status.IN_FLIGHT)),
        after(on(2, task(Status.IN_FLIGHT, attempt=2)), on(1, task(Status.IN_FLIGHT))),
    ),
    "of two failures of one request the later attempt stays": (
        task(Status.FAILED),
        after(task(Status.FAILED), task(Status.FAILED, attempt=2)),
        after(task(Status.FAILED), task(Status.FAILED, attempt=2)),
    ),
    "a doubt that was given up yields to what was sent again": (
        replace(unknown(), error=TaskError("", "later")),
        after(unknown(), intent(attempt=2)),
        after(replace(unknown(), error=TaskError("", "later")), intent(attempt=2)),
    ),
    "what the sandbox made yields to what the gateway made": (
        on(1, task(Status.FAILED)),
        on(2, replace(task(), sandbox=True)),
        after(on(2, replace(task(), sandbox=True)), on(1, task(Status.FAILED))),
    ),
    "an intent outlives the refusal of another request under the same given id": (
        OTHER_REFUSED,
        after(OTHER_REFUSED, GIVEN_INTENT),
        after(OTHER_REFUSED, GIVEN_INTENT),
    ),
}


@pytest.mark.parametrize(("ours", "theirs", "merged"), RULES.values(), ids=RULES)
def test_a_rule(ours: Record, theirs: Record, merged: Record) -> None:
    assert merge_records({}, {"s:a": ours}, {"s:a": theirs}).records == {"s:a": merged}
    assert merge_records({}, {"s:a": theirs}, {"s:a": ours}).records == {"s:a": merged}


TWICE = "s:a was paid for on both sides, as tasks cat-1 and cat-2; cat-1 is used, all are kept"
TOLD = {
    "two attempts": (task(), task(attempt=2), (TWICE,)),
    "two attempts, one in flight": (task(), task(Status.IN_FLIGHT, attempt=2), (TWICE,)),
    "two accounts": (
        task(),
        task(account="-other"),
        ("s:a was paid for on both sides, as tasks cat-1 and cat-1-other; cat-1 is used, all are kept",),
    ),
    "of an earlier request": (
        after(on(1, task()), on(2, task(request="dog"))),
        after(on(1, task(attempt=2)), on(2, task(request="dog"))),
        ("s:a was paid for on both sides, as tasks cat-1 and cat-2; all are kept",),
    ),
    "told in an earlier merge": (after(task(attempt=2), task()), task(attempt=2), ()),
    "one task that both found": (task(), task(Status.IN_FLIGHT), ()),
    "one task that a side only meant to make": (task(), intent(), ()),
    "a failure costs nothing": (task(), task(Status.FAILED, attempt=2), ()),
    "an intent costs nothing yet": (task(), intent(attempt=2), ()),
    "the sandbox bills nothing": (task(), replace(task(attempt=2), sandbox=True), ()),
    "two requests are two things": (task(), task(request="dog"), ()),
    "a side that went on": (task(), after(task(), task(attempt=2)), ()),
}


@pytest.mark.parametrize(("ours", "theirs", "told"), TOLD.values(), ids=TOLD)
def test_what_both_sides_paid_for_is_told(ours: Record, theirs: Record, told: tuple[str, ...]) -> None:
    assert merge_records({}, {"s:a": ours}, {"s:a": theirs}).paid_twice == told
    assert merge_records({}, {"s:a": theirs}, {"s:a": ours}).paid_twice == told


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (task(), None, task(), None),
        (task(Status.IN_FLIGHT), None, task(), task()),
        (None, None, task(), task()),
        (task(), None, None, None),
    ],
    ids=["left as it was", "gone on with", "new", "forgotten by both"],
)
def test_a_job_that_a_side_forgot(
    base: Record | None, ours: Record | None, theirs: Record | None, merged: Record | None
) -> None:
    one, two, three, four = ({"s:a": record} if record else {} for record in (base, ours, theirs, merged))
    assert merge_records(one, two, three).records == four
    assert merge_records(one, three, two).records == four


def test_a_task_that_is_current_again_has_its_own_model() -> None:
    films = replace(after(on(1, task()), on(2, task(Status.FAILED, request="dog"))), model="films")
    films = replace(films, earlier=tuple(replace(made, model="films") for made in films.earlier), sandbox=True)
    merged = merge_records({}, {"s:a": on(1, task(Status.IN_FLIGHT))}, {"s:a": films}).records["s:a"]
    assert (merged.status, merged.model) == (Status.COMPLETED, "pictures")
    assert [made.model for made in merged.earlier] == ["pictures"]
