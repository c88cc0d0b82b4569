"""The live page follows a run, in its own process and in another, and is slowed down by no reader."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import serving
from studio import Studio, open_studio

from kirin_batch.ui.board import Board, Event


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys, holds_time=True) as studio:
        (tmp_path / "kirin.yaml").write_text(
            "version: 1\npoll: {min: 0.05, max: 0.2}\nprices: {kirin_v2_image: '0.02'}\n"
        )
        studio.prompts(one="a fox", two="b")
        yield studio


def test_a_page_beside_a_run_gets_slots_money_results_and_the_end(studio: Studio) -> None:
    with serving(studio, "run", "--ui", "-q") as served, served.reading() as reader:
        events = reader.events()
        told = next(told for name, told in events if name == "measures" and told["kinds"]["image"]["in_flight"] == 2)
        assert (told["is_run"], told["kinds"]["image"]["slots_in_use"]) == (True, 2)
        assert (told["spent"], told["reserved"]) == ("0", "0.0400")
        studio.holds_time = False
        rest = list(events)
        assert served.process.wait(30) == 0
    last = {row["job"]: row for name, told in rest if name == "jobs" for row in told["jobs"]}
    assert [row["tasks"][0]["results"][0]["media"] for row in last.values()] == ["image", "image"]
    assert [told["spent"] for name, told in rest if name == "measures"][-1] == "0.0280"
    assert rest[-1] == ("ended", {})


def test_a_page_follows_a_run_in_another_process(studio: Studio) -> None:
    studio.holds_time = False
    with serving(studio) as served, served.reading() as reader:
        _, first = next(iter(reader.events()))
        assert [row["status"] for row in first["jobs"]] == ["pending", "pending"]
        studio.prompts(one="a fox", two="b", three="c")
        assert studio.run("run", "-q").code == 0
        assert reader.until_completed("film:three")["prompt"] == "c"


def test_jobs_that_no_spec_has_any_more_and_new_ones_come_in_order(studio: Studio) -> None:
    with serving(studio) as served, served.reading() as reader:
        events = reader.events()
        next(events)
        studio.prompts(zero="z", two="b")
        studio.holds_time = False
        studio.run("run", "-q")
        assert next(told["order"] for name, told in events if "order" in told) == ["film:zero", "film:two"]


def test_a_reader_that_comes_back_gets_what_came_after(studio: Studio) -> None:
    studio.holds_time = False
    studio.run("run", "-q")
    with serving(studio) as served:
        with served.reading() as reader:
            reader.until_completed("film:two")
        with served.reading(since=reader.number) as again:
            studio.prompts(one="another", two="b")
            studio.run("run", "-q")
            _, told = next(event for event in again.events() if event[0] == "jobs")
            assert [row["job"] for row in told["jobs"]] == ["film:one"]


def test_a_reader_that_never_reads_holds_up_nobody(studio: Studio) -> None:
    studio.holds_time = False
    studio.run("run", "-q")
    with serving(studio) as served, served.reading(), served.reading() as other:
        assert other.until_completed("film:two")["status"] == "completed"
        assert served.ask().status == 200


def test_ui_takes_a_port_or_a_path_after_it(studio: Studio) -> None:
    studio.holds_time = False
    ran = studio.run("run", "--ui", "specs/film.yaml", "-q")
    assert (ran.code, "live page: http://127.0.0.1:" in ran.err) == (0, True)
    assert studio.run("run", "--ui", "65536").code == 2
    assert studio.run("run", "-q").err == ""


def test_damage_that_a_run_would_refuse_is_told_to_the_page(studio: Studio) -> None:
    with serving(studio) as served, served.reading() as reader:
        events = reader.events()
        next(events)
        (studio.root / "kirin.lock").write_text("not a lockfile\n")
        assert "kirin.lock" in next(told["problem"] for _, told in events if "problem" in told)


def test_whoever_is_slow_gets_the_newest_state_and_nothing_twice() -> None:
    board = asyncio.run(busy_board())
    events = list(board.news(0))
    assert [event.name for event in events] == ["jobs", "measures"]
    assert events[0].data == b'{"jobs":[{"job":"a","turn":999}],"order":["a"]}'
    assert list(board.news(events[-1].number)) == []


async def busy_board() -> Board:
    board = Board()
    for turn in range(1000):
        board.put([{"job": "a", "turn": turn}], order=["a"])
        board.measure({"turn": turn})
    return board


def test_many_rows_come_in_portions_and_each_of_them_once() -> None:
    board = asyncio.run(full_board(250))
    seen, told = 0, list[Event]()
    while portion := list(board.news(seen)):
        seen = portion[-1].number
        told += [event for event in portion if event.name == "jobs"]
    assert [event.data.count(b'"job":') for event in told] == [100, 100, 50]
    assert [b'"order"' in event.data for event in told] == [False, False, True]


async def full_board(jobs: int) -> Board:
    board = Board()
    names = [f"job {number}" for number in range(jobs)]
    board.put([{"job": name} for name in names], order=names)
    return board
