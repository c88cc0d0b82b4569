"""Two people work on branches of one project: whatever they change and however they merge, each job is paid once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from circumstances import wait_until
from killable import start
from teammates import Team, Way, open_team

AT_FIRST = {"a fox": 1, "a red sky": 1}  # what Ann's run of main has paid for


@pytest.fixture
def way() -> Way:
    """What a test does not vary."""
    return Way.DRIVER


@pytest.fixture
def team(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Team]:
    with open_team(tmp_path, monkeypatch, capsys, way) as team:
        yield team


each_way = pytest.mark.parametrize(
    "way", [Way.DRIVER, Way.MARKS_LEFT, pytest.param(Way.MARKS_COMMITTED, marks=pytest.mark.soak)]
)
with_and_without_driver = pytest.mark.parametrize("way", [Way.DRIVER, Way.MARKS_LEFT])


@each_way
def test_branches_that_add_jobs_merge_and_nothing_is_left_to_pay(team: Team) -> None:
    for name, teammate in team.on_branches():
        teammate.spec(name, first=f"{name} 1", second=f"{name} 2, image: '${{{{ jobs.film:hero.url }}}}'")
        teammate.submit()
    team.merge_both()
    team.publish()
    assert team.paid() == AT_FIRST | {"ann 1": 1, "ann 2": 1, "bob 1": 1, "bob 2": 1}


@with_and_without_driver
def test_a_job_that_both_add_and_run_at_once_is_one_task(team: Team) -> None:
    for name, teammate in team.on_branches():
        teammate.spec("late", both="the same")
        teammate.spec(name, alone=f"{name} alone")
    team.studio.holds_time = True
    with start(team.ann.root, "run") as one, start(team.bob.root, "run") as two:
        wait_until(lambda: all(len(teammate.records) == 4 for teammate in (team.ann, team.bob)))
        team.studio.holds_time = False
        ends = [one.wait(), two.wait()]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    for teammate in (team.ann, team.bob):
        teammate.submit()
    team.merge_both()
    team.publish()
    assert team.paid() == AT_FIRST | {"the same": 1, "ann alone": 1, "bob alone": 1}


@pytest.mark.parametrize(
    ("way", "side"),
    [
        (Way.DRIVER, "ours"),
        (Way.DRIVER, "theirs"),
        (Way.MARKS_LEFT, "theirs"),
        (Way.MARKS_COMMITTED, "ours"),
    ],
)
def test_a_job_that_both_change_is_paid_for_each_change_and_no_more(team: Team, side: str) -> None:
    for name, teammate in team.on_branches():
        teammate.spec("film", hero=f"a fox as {name} likes it", sky="a red sky")
        teammate.submit()
    picture = ["outputs/film/hero/1.png"] if team.way is Way.MARKS_COMMITTED else []
    team.merge_both("specs/film.yaml", *picture, choose=side)
    team.publish()
    assert team.paid() == AT_FIRST | {"a fox as ann likes it": 1, "a fox as bob likes it": 1}
    assert len(team.ann.records["film:hero"].earlier) == 2


@with_and_without_driver
def test_a_job_that_one_renames_while_the_other_changes_another_takes_its_result_along(team: Team) -> None:
    specs = {"ann": {"heroine": "a fox", "sky": "a red sky"}, "bob": {"hero": "a fox", "sky": "a blue sky"}}
    for name, teammate in team.on_branches():
        teammate.spec("film", **specs[name])
        teammate.submit()
    team.merge_both()
    team.publish()
    assert team.paid() == AT_FIRST | {"a blue sky": 1}
    assert list(team.ann.records) == ["film:heroine", "film:sky"]


def test_a_job_that_one_renames_while_the_other_asks_for_another_take_has_both_tasks(team: Team) -> None:
    specs = {"ann": {"heroine": "a fox", "sky": "a red sky"}, "bob": {"hero": "a better fox", "sky": "a red sky"}}
    for name, teammate in team.on_branches():
        teammate.spec("film", **specs[name])
        teammate.submit()
    team.merge_both("specs/film.yaml", choose="ours")
    team.ann.spec("film", heroine="a better fox", sky="a red sky")
    team.publish()
    assert team.paid() == AT_FIRST | {"a better fox": 1}
    assert list(team.ann.records) == ["film:heroine", "film:sky"]
