"""`fetch --all`: what was paid for comes back, of earlier takes and of jobs that are gone too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from studio import Studio, open_studio, served_picture

from kirin_batch.disk import sha256_of_file
from kirin_batch.lockfile import save_lockfile
from kirin_batch.outputs.replaced import REPLACED, earlier_place
from kirin_batch.records import Record, Status


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def tasks(studio: Studio) -> list[Record]:
    return [task for record in studio.records.values() for task in (record, *record.earlier)]


def make_takes(studio: Studio) -> None:
    """A job with three requests, and one that no spec has any more."""
    studio.prompts(one="a", gone="c")
    assert studio.run("run").code == 0
    for prompt in ("a fox", "a red fox"):
        studio.prompts(one=prompt)
        assert studio.run("run").code == 0


def whole(studio: Studio) -> bool:
    """Whether every result that is recorded is on disk as it was recorded, each in a place of its own."""
    outputs = [output for task in tasks(studio) for output in task.outputs]
    assert len({output.path for output in outputs}) == len(outputs)
    return all(output.path and sha256_of_file(studio.root / output.path) == output.sha256 for output in outputs)


def lose_all(studio: Studio) -> None:
    for path in studio.outputs():
        (studio.root / path).unlink()


def test_earlier_takes_and_jobs_that_are_gone_come_back_where_they_were(studio: Studio) -> None:
    make_takes(studio)
    before = studio.outputs()
    lose_all(studio)
    ran = studio.run("fetch")
    assert (ran.code, ran.out) == (0, "1 of 1 missing results fetched\n")
    ran = studio.run("fetch", "--all", "-v")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "3 of 3 missing results fetched")
    assert f"fetched  film:one, earlier task {studio.records['film:one'].earlier[0].task_id}" in ran.out
    assert (studio.outputs(), whole(studio), studio.books.creates) == (before, True, 4)
    assert studio.run("fetch", "--all").out == "nothing is missing\n"


def test_what_was_never_downloaded_of_a_request_that_was_given_up_comes_too(studio: Studio) -> None:
    studio.prompts(one="a")
    assert studio.run("run", "--no-download").code == 0
    studio.prompts(one="b")
    assert studio.run("run").code == 0
    assert studio.run("fetch", "--all").code == 0
    [earlier] = studio.records["film:one"].earlier
    assert str(earlier.outputs[0].path).startswith("outputs/film/one/earlier/1~")
    assert whole(studio)
    assert studio.run("verify").code == 0


def test_an_earlier_result_leaves_the_present_one_its_place(studio: Studio) -> None:
    make_takes(studio)
    record = studio.records["film:one"]
    place = record.outputs[0].path
    earlier = tuple(replace(task, outputs=(replace(task.outputs[0], path=place),)) for task in record.earlier)
    save_lockfile(studio.root / "kirin.lock", {"film:one": replace(record, earlier=earlier)})
    for path in studio.outputs():
        if "earlier" in path:
            (studio.root / path).unlink()
    content = studio.result("film:one").read_bytes()
    assert studio.run("fetch", "--all").code == 0
    assert (studio.result("film:one").read_bytes(), whole(studio)) == (content, True)


def make_takes_at_one_place(studio: Studio) -> None:
    """As on machines that have nothing but kirin.lock: no result finds an earlier one where it comes to lie."""
    for prompt in ("a fox", "a red fox", "a blue fox", "a fox in snow"):
        lose_all(studio)
        studio.prompts(one=prompt)
        assert studio.run("run").code == 0
    assert len({output.path for task in tasks(studio) for output in task.outputs}) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_results_that_lay_at_one_place_all_come_each_to_its_own(studio: Studio, *, gone: bool) -> None:
    make_takes_at_one_place(studio)
    if gone:
        lose_all(studio)
        studio.prompts(two="b")
    ran = studio.run("fetch", "--all")
    assert (ran.code, ran.err) == (0, "")
    assert whole(studio)
    assert studio.run("fetch", "--all").out.splitlines()[-1] == "nothing is missing"


def test_results_that_were_never_downloaded_come_at_the_same_time_and_whole(studio: Studio) -> None:
    for prompt in ("a fox", "a red fox", "a blue fox", "a fox in snow"):
        studio.prompts(one=prompt)
        assert studio.run("run", "--no-download").code == 0
    studio.prompts(two="b")
    assert studio.run("fetch", "--all").code == 0
    assert whole(studio)


def test_what_is_gone_is_told_and_all_else_comes(studio: Studio) -> None:
    make_takes(studio)
    lose_all(studio)
    lost = studio.records["film:one"].earlier[0]

    def serve(request: web.Request) -> web.Response:
        is_lost = request.path == urlsplit(lost.outputs[0].url).path
        return web.Response(status=404) if is_lost else web.Response(body=served_picture(request.path))

    studio.serve_result = serve
    ran = studio.run("fetch", "--all", "--format", "json")
    assert (ran.code, ran.json["summary"]) == (1, {"results": 4, "fetched": 3, "gone": 1, "left": 0})
    told = {task["task_id"]: (task["fetched"], task["gone"]) for task in ran.json["earlier"]}
    assert told[lost.task_id] == (0, True)
    assert sorted(told.values()) == [(0, True), (1, False), (1, False)]


def test_a_selection_narrows_it_and_a_sandbox_s_results_are_left_out(studio: Studio) -> None:
    make_takes(studio)
    lose_all(studio)
    assert studio.run("fetch", "--all", "--job", "one").out == "3 of 3 missing results fetched\n"
    records = {job: replace(record, sandbox=True) for job, record in studio.records.items() if job == "film:gone"}
    save_lockfile(studio.root / "kirin.lock", records | {"film:one": studio.records["film:one"]})
    assert studio.run("fetch", "--all").out == "nothing is missing\n"


def test_a_store_gives_earlier_results_back_without_a_key(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    (studio.root / "kirin.yaml").write_text(f"store: file://{studio.root / 'kept'}\n")
    (studio.root / "kept").mkdir()
    make_takes(studio)
    lose_all(studio)
    monkeypatch.delenv("KIRIN_API_KEY")
    ran = studio.run("fetch", "--all")
    assert (ran.code, ran.out) == (0, "4 of 4 missing results fetched; 4 came from the store\n")
    assert whole(studio)


def test_what_lies_where_a_result_is_to_come_does_not_pass_for_it_where_the_store_lacks_that(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text(f"store: file://{studio.root / 'kept'}\n")
    (studio.root / "kept").mkdir()
    make_takes_at_one_place(studio)
    lost = studio.records["film:one"].earlier[0].outputs[0]
    [kept] = [path for path in (studio.root / "kept").rglob("*") if str(lost.sha256) in path.name]
    kept.unlink()
    place = studio.root / earlier_place(str(lost.path), str(lost.sha256))
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"mine")
    ran = studio.run("fetch", "--all")
    assert (ran.code, ran.out) == (0, "3 of 3 missing results fetched; 2 came from the store\n")
    assert whole(studio)
    assert [path for path in (studio.root / REPLACED).rglob("*") if path.is_file() and path.read_bytes() == b"mine"]


def test_a_refused_key_ends_it_with_its_own_exit_code(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    make_takes(studio)
    assert {task.status for task in tasks(studio)} == {Status.COMPLETED}
    for path in studio.outputs():
        if "earlier" in path:
            (studio.root / path).unlink()
    monkeypatch.setenv("KIRIN_API_KEY", "wrong")
    ran = studio.run("fetch", "--all", "-q")
    assert (ran.code, ran.out) == (4, "0 of 2 missing results fetched, 2 left\n")
