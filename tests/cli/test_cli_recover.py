"""`recover` as people call it: a lost lockfile comes back from the gateway, and nothing is created."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from circumstances import wait_until
from fake_clock import FakeClock
from studio import SUBJECT, Studio, open_studio

from kirin_batch.commands.recover import recover_project
from kirin_batch.commands.workspace import open_project, open_workspace
from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Record, Status
from kirin_batch.run_lock import hold_run_lock


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def lose(studio: Studio) -> dict[str, Record]:
    """Delete all that the project knows of its tasks, results included; what it knew."""
    known = studio.records
    (studio.root / "kirin.lock").unlink()
    for folder in (".kirin", "outputs"):
        shutil.rmtree(studio.root / folder, ignore_errors=True)
    return known


def what_counts(record: Record) -> tuple[object, ...]:
    urls = [output.url for output in record.outputs]
    return record.status, record.digest, record.external_task_id, record.task_id, record.cost, record.element_id, urls


def test_what_a_run_made_is_found_again_and_then_fetched_and_nothing_is_created(studio: Studio) -> None:
    studio.spec(f"  fox:{SUBJECT}\n  one: {{params: {{prompt: a}}}}\n  two: {{params: {{prompt: b}}}}")
    assert studio.run("run").code == 0
    results = {path: data for path, data in studio.files().items() if path.startswith("outputs/")}
    known = lose(studio)
    ran = studio.run("recover")
    assert (ran.code, ran.out.splitlines()[-1][:8]) == (0, "3 found;")
    assert {job: what_counts(record) for job, record in studio.records.items()} == {
        job: what_counts(record) for job, record in known.items()
    }
    assert studio.outputs() == []
    assert studio.run("fetch").out == "2 of 2 missing results fetched\n"
    assert {path: data for path, data in studio.files().items() if path.startswith("outputs/")} == results
    assert studio.run("run").code == 0
    assert studio.books.creates == 3


def test_a_run_that_follows_brings_the_results_itself_and_creates_nothing(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    lose(studio)
    assert studio.run("recover", "-q").code == 0
    assert studio.run("run", "--locked").code == 0
    assert (studio.books.creates, len(studio.outputs())) == (2, 2)
    assert studio.run("lock", "check", "--complete", "--outputs").code == 0


def test_a_job_that_was_never_sent_is_listed_and_is_not_sent(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    lose(studio)
    studio.prompts(one="a", two="b")
    ran = studio.run("recover")
    assert (ran.code, "not found  film:two" in ran.out, "film:two" in studio.records) == (1, True, False)
    assert (studio.books.creates, "1 found, 1 not found" in ran.out) == (1, True)
    assert "would pay for it" in ran.err


def test_tasks_in_flight_and_failed_are_recorded_as_they_are(studio: Studio) -> None:
    studio.prompts(bad="fail-006001094")
    studio.run("run")
    studio.holds_time, creates = True, studio.books.creates
    studio.spec("  one: {params: {prompt: a}}", name="other")
    with studio.start("run", "--no-download") as process:
        wait_until(lambda: studio.books.creates == creates + 1)
        process.kill()
    lose(studio)
    ran = studio.run("recover", "--format", "json")
    assert (ran.code, ran.statuses) == (0, {"film:bad": "failed", "other:one": "in_flight"})
    assert studio.records["film:bad"].error is not None
    assert studio.records["other:one"].task_id


def test_the_attempt_that_counts_is_found_and_others_become_earlier_ones(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    attempts = [task.external_id for task in studio.books.tasks.values()]
    known = lose(studio)["film:one"]
    again = replace(known, status=Status.FAILED, outputs=(), attempt=1)
    save_lockfile(studio.root / "kirin.lock", {"film:one": again})
    studio.run("run", "--retry-failed")
    second = lose(studio)["film:one"]
    assert studio.run("recover").code == 0
    found = studio.records["film:one"]
    assert (found.attempt, found.task_id) == (2, second.task_id)
    assert [task.external_task_id for task in found.earlier] == attempts


def test_an_attempt_is_found_behind_one_that_the_gateway_never_took(studio: Studio) -> None:
    studio.prompts(one="a")
    told = {"error": {"code": "1201", "message": "not like this"}}
    studio.answer = lambda request: web.json_response(told, status=400) if request.method == "POST" else None
    assert studio.run("run").code == 1
    studio.answer = None
    assert studio.run("run", "--retry-failed").code == 0
    known = lose(studio)["film:one"]
    assert studio.run("recover").code == 0
    assert (known.attempt, what_counts(studio.records["film:one"])) == (2, what_counts(known))


def test_what_is_recorded_stays_and_is_not_asked_for(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    studio.prompts(one="changed", renamed="b")
    before, queries = (studio.root / "kirin.lock").read_bytes(), studio.books.queries
    monkeypatch.delenv("KIRIN_API_KEY")
    ran = studio.run("recover")
    assert (ran.code, ran.out) == (0, "every job has a record: nothing to recover\n")
    assert ((studio.root / "kirin.lock").read_bytes(), studio.books.queries) == (before, queries)


def test_an_answer_that_says_nothing_is_unclear_and_not_missing(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    lose(studio)
    studio.answer = lambda _request: web.Response(status=200, text="[]")
    workspace = open_workspace(open_project(studio.root))
    report = asyncio.run(recover_project(workspace, clock=FakeClock()))
    assert (report.exit_code, report.count()) == (1, {"found": 0, "not_found": 0, "unclear": 1})
    assert report.jobs[0].detail
    assert studio.records == {}


def test_a_gateway_that_refuses_the_account_ends_the_search_and_calls_nothing_missing(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    lose(studio)
    monkeypatch.setenv("KIRIN_API_KEY", "wrong")
    ran = studio.run("recover", "--format", "json")
    assert (ran.code, ran.json["summary"]["unclear"], ran.json["summary"]["not_found"]) == (4, 2, 0)
    assert (studio.records, ran.err.startswith("error: ")) == ({}, True)


def test_a_run_that_holds_the_project_keeps_it_from_being_recovered(studio: Studio) -> None:
    studio.prompts(one="a")
    (studio.root / ".kirin").mkdir()
    with hold_run_lock(studio.root / ".kirin"):
        assert studio.run("recover").code == 5
    assert studio.books.queries == 0


def test_a_lockfile_that_cannot_be_read_is_never_overwritten(studio: Studio) -> None:
    studio.prompts(one="a")
    (studio.root / "kirin.lock").write_text("damaged")
    assert studio.run("recover").code == 1
    assert (studio.root / "kirin.lock").read_text() == "damaged"
