"""`fetch` as people call it: what is recorded and missing comes back, nothing is created, what is gone is told."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from circumstances import PATIENCE_SECONDS, wait_until
from studio import Studio, open_studio, plain_picture

from kirin_batch.disk import sha256_of_file
from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Status

DAY = "2020-01-01T00:00:00Z"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def make(studio: Studio, **prompts: str) -> dict[str, bytes]:
    """Run jobs with these prompts; their results by path."""
    studio.prompts(**prompts)
    assert studio.run("run").code == 0
    return {path: (studio.root / path).read_bytes() for path in studio.outputs()}


def results(studio: Studio) -> dict[str, bytes]:
    return {path: (studio.root / path).read_bytes() for path in studio.outputs()}


def lose(studio: Studio, *jobs: str) -> None:
    for job in jobs:
        studio.result(f"film:{job}").unlink()


def test_missing_results_come_back_as_they_were_from_fresh_addresses(studio: Studio) -> None:
    made, lock = make(studio, one="a", two="b", three="c"), (studio.root / "kirin.lock").read_bytes()
    lose(studio, "one", "three")
    queries = studio.books.queries
    ran = studio.run("fetch")
    assert (ran.code, ran.out) == (0, "2 of 2 missing results fetched\n")
    assert results(studio) == made
    assert (studio.books.creates, studio.books.queries, len(studio.downloads)) == (3, queries + 2, 5)
    assert (studio.root / "kirin.lock").read_bytes() == lock


def test_where_nothing_is_missing_nothing_is_asked_and_no_key_is_needed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(studio, one="a")
    monkeypatch.delenv("KIRIN_API_KEY")
    before, queries = studio.files(), studio.books.queries
    assert studio.run("fetch").out == "nothing is missing\n"
    assert (studio.books.queries, studio.files()) == (queries, before)


def test_what_was_never_made_or_is_in_flight_is_left_alone(studio: Studio) -> None:
    make(studio, one="a", two="b")
    lose(studio, "one")
    flying = replace(studio.records["film:two"], status=Status.IN_FLIGHT, outputs=(), finished_at=None)
    save_lockfile(studio.root / "kirin.lock", {**studio.records, "film:two": flying})
    studio.prompts(one="a", two="b", three="c")
    queries = studio.books.queries
    ran = studio.run("fetch", "--format", "json")
    assert (ran.code, studio.books.creates, studio.books.queries) == (0, 2, queries + 1)
    assert [(job["job"], job["results"], job["fetched"]) for job in ran.json["jobs"]] == [("film:one", 1, 1)]
    assert ran.json["summary"] == {"results": 1, "fetched": 1, "gone": 0, "left": 0}
    assert studio.records["film:two"] == flying


def test_what_was_only_listed_comes_and_is_recorded(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run", "--no-download")
    assert studio.run("fetch").code == 0
    [output] = studio.records["film:one"].outputs
    assert output.path is not None
    assert sha256_of_file(studio.root / output.path) == output.sha256
    assert studio.run("verify").out == "1 ok\n"


def test_results_that_are_gone_are_told_and_the_others_come(studio: Studio) -> None:
    make(studio, one="a", two="b")
    dead, second = studio.records["film:one"].outputs[0].url, studio.result("film:two").read_bytes()
    lose(studio, "one", "two")
    studio.serve_result = lambda request: (
        web.Response(status=404) if dead.endswith(request.path) else web.Response(body=second)
    )
    ran = studio.run("fetch", "--format", "json")
    one, two = ran.json["jobs"]
    assert (ran.code, one["gone"], two["gone"]) == (1, True, False)
    assert (one["error"]["message"], ran.json["summary"]["gone"]) == ("HTTP 404", 1)
    told = studio.run("fetch", "--job", "film:one")
    assert told.out.splitlines() == [
        "gone     film:one",
        "         HTTP 404; another `take:` makes it again",
        "0 of 1 missing results fetched, 1 gone",
    ]
    assert (studio.books.creates, studio.records["film:one"].outputs[0].url) == (2, dead)


def test_another_content_than_was_recorded_is_refused_and_told(studio: Studio) -> None:
    make(studio, one="a")
    lose(studio, "one")
    records = studio.records
    studio.serve_result = lambda _request: web.Response(body=plain_picture("another"))
    for command in ("fetch", "run"):
        ran = studio.run(command)
        assert ran.code == 1
        assert "result 1 is served with another content than was recorded" in ran.out
        assert (studio.outputs(), studio.records) == ([], records)


def test_what_does_not_come_now_is_left_for_the_next_time(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    make(studio, one="a")
    lose(studio, "one")
    monkeypatch.setenv("KIRIN_API_KEY", "wrong")
    refused = studio.run("fetch")
    assert (refused.code, "left     film:one" in refused.out) == (4, True)
    monkeypatch.delenv("KIRIN_API_KEY")
    assert "there is no API key" in studio.run("fetch").err
    monkeypatch.setenv("KIRIN_API_KEY", "right")
    assert studio.run("fetch", "-q").out == "1 of 1 missing results fetched\n"


def test_only_selected_jobs_are_fetched(studio: Studio) -> None:
    make(studio, one="a", two="b", three="c")
    lose(studio, "one", "two", "three")
    assert studio.run("fetch", "--job", "t*", "--exclude", "film:two").code == 0
    assert [path.split("/")[2] for path in studio.outputs()] == ["three"]
    assert studio.run("fetch", "--job", "nothing").code == 2


def test_a_renamed_job_is_fetched_under_its_new_name(studio: Studio) -> None:
    make(studio, one="a")
    lose(studio, "one")
    studio.prompts(uno="a")
    assert studio.run("fetch").code == 0
    assert (studio.books.creates, list(studio.records)) == (1, ["film:uno"])
    assert studio.run("verify").out == "1 ok\n"


def test_an_interrupted_fetch_goes_on_with_what_is_missing(studio: Studio) -> None:
    make(studio, one="a", two="b")
    lose(studio, "one", "two")
    held = asyncio.Event()

    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/model/"):
            held.set()
            await asyncio.sleep(60)
        return await handler(request)

    studio.wrap = hold
    fetch = studio.start("fetch")
    wait_until(held.is_set)
    fetch.send_signal(signal.SIGINT)
    fetch.communicate(timeout=PATIENCE_SECONDS)
    assert (fetch.returncode, studio.outputs()) == (130, [])
    studio.wrap = None
    assert (studio.run("fetch").code, len(studio.outputs()), studio.books.creates) == (0, 2, 2)


def test_a_result_larger_than_the_limit_leaves_no_file(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nresult_max_mb: 0.0001\n")
    studio.prompts(one="a")
    ran = studio.run("run")
    assert (ran.code, studio.outputs()) == (1, [])
    assert "larger than 104 bytes" in ran.out


@pytest.mark.parametrize("place", ["file:///etc/hostname", "{gateway}/model/v1/generation"])
def test_a_redirect_to_a_file_or_to_another_port_of_this_machine_leaves_no_file(studio: Studio, place: str) -> None:
    studio.prompts(one="a")
    target = place.format(gateway=studio.url)
    studio.serve_result = lambda _request: web.Response(status=302, headers={"Location": target})
    ran = studio.run("run")
    assert (ran.code, studio.outputs()) == (1, [])
    assert ("leads nowhere" if place.startswith("file") else "on this machine or its network") in ran.out


def test_status_warns_of_results_that_exist_only_as_urls_with_their_age(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run", "--no-download")
    young = studio.run("status")
    assert "warning: 2 results exist only as URLs, of 2 jobs; the oldest less than a day old." in young.err
    assert "`kirin-batch fetch` brings results" in young.err
    records = dict(studio.records)
    records["film:one"] = replace(records["film:one"], finished_at=DAY)
    save_lockfile(studio.root / "kirin.lock", records)
    old = studio.run("status", "--format", "json").json["only_urls"]
    assert (old["results"], old["jobs"], old["oldest_days"] > 2000) == (2, ["film:one", "film:two"], True)
    assert "(1 job is past that)" in studio.run("status").err


def test_status_does_not_warn_where_all_is_on_disk(studio: Studio) -> None:
    make(studio, one="a", two="b")
    assert studio.run("status").err == ""
    assert "only_urls" not in studio.run("status", "--format", "json").json
    lose(studio, "one")
    assert "1 result exists only as a URL, of film:one; less than a day old." in studio.run("status").err
    assert studio.run("status", "--job", "two").err == ""


def test_made_up_results_are_worth_no_warning(studio: Studio) -> None:
    studio.prompts(one="a")
    assert studio.run("run", "--sandbox", "--no-download").code == 0
    assert studio.run("status").err == ""
