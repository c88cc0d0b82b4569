"""What fails, is refused or must wait: told, recorded, never sent again unasked, and seen in the exit code."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from circumstances import wait_until
from studio import Studio, open_studio

from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Status

NEEDY = """
  broken: {params: {prompt: fail-006001094}}
  needy: {params: {prompt: b, image: "${{ jobs.broken.url }}"}}
  plain: {params: {prompt: c}}
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def test_a_failed_task_is_tried_once_more_and_then_left_alone(studio: Studio) -> None:
    studio.spec(NEEDY)
    ran = studio.run_json()
    assert (ran.code, studio.books.creates) == (1, 3)
    assert ran.statuses == {"film:broken": "failed", "film:needy": "blocked", "film:plain": "completed"}
    [broken, needy, _] = ran.json["jobs"]
    assert (broken["attempt"], broken["error"]["code"], broken["cost"]) == (2, "006001094", None)
    assert "film:broken" in needy["error"]["message"]
    assert studio.run("run").code == 1
    assert studio.books.creates == 3


def test_retry_failed_makes_a_further_attempt_under_a_new_id(studio: Studio) -> None:
    studio.prompts(one="fail-006001099")
    studio.run("run")
    assert studio.run("run", "--retry-failed").code == 1
    ids = [task.external_id for task in studio.books.tasks.values()]
    assert (len(ids), len(set(ids)), studio.records["film:one"].attempt) == (3, 3, 3)
    assert len(studio.records["film:one"].earlier) == 2


def test_a_refused_prompt_is_not_sent_again_until_it_is_asked_for(studio: Studio) -> None:
    studio.prompts(one="forbidden-content", two="b")
    first = studio.run_json()
    assert (first.code, first.statuses) == (1, {"film:one": "failed", "film:two": "completed"})
    assert first.json["jobs"][0]["error"]["code"] == "1301"
    assert studio.run("run").code == 1
    assert studio.books.refusals["1301"] == 1
    assert studio.run("run", "--retry-failed").code == 1
    assert studio.books.refusals["1301"] == 2


def test_a_changed_spec_frees_a_failed_job(studio: Studio) -> None:
    studio.prompts(one="forbidden-content")
    studio.run("run")
    studio.prompts(one="a fox")
    assert studio.run("run").code == 0


def test_text_tells_what_failed_and_why(studio: Studio) -> None:
    studio.spec(NEEDY)
    ran = studio.run("run")
    assert "failed     film:broken" in ran.out
    assert "(006001094)" in ran.out
    assert "blocked    film:needy\n           it needs film:broken, which has no result" in ran.out
    assert "film:plain" not in ran.out
    assert "1 completed, 1 failed, 1 blocked; this run cost $0.0140" in ran.out
    assert "film:broken: retrying" in ran.err
    assert "`run --retry-failed`" in ran.err


def test_locked_creates_nothing_and_fails(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    assert studio.run("run", "--locked").code == 0
    studio.prompts(one="a", two="b")
    ran = studio.run("run", "--locked")
    assert (ran.code, studio.books.creates) == (1, 1)
    assert "film:two" in ran.err


def test_locked_refuses_an_intent_that_may_have_come_to_nothing(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    intent = replace(studio.records["film:one"], status=Status.IN_FLIGHT, task_id=None, outputs=())
    save_lockfile(studio.root / "kirin.lock", {"film:one": intent})
    ran = studio.run("run", "--locked")
    assert (ran.code, studio.books.creates) == (1, 1)
    assert "film:one" in ran.err


def test_fail_fast_starts_nothing_after_a_failure(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nlimits: {image: 1}\n")
    studio.prompts(one="forbidden-content", two="b", three="c")
    ran = studio.run_json("--fail-fast")
    assert (ran.code, studio.books.creates) == (1, 1)
    assert ran.statuses == {"film:one": "failed", "film:two": "pending", "film:three": "pending"}


def test_a_budget_leaves_work_and_a_larger_one_goes_on(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text('version: 1\nprices: {kirin_v2_image: "0.0140"}\n')
    studio.prompts(one="a", two="b", three="c")
    first = studio.run_json("--max-cost", "0.03")
    assert (first.code, studio.books.creates) == (3, 2)
    assert list(first.statuses.values()).count("pending") == 1
    assert studio.run("run", "--max-cost", "0.02").code == 0
    assert studio.books.creates == 3


@pytest.mark.parametrize("said", ["KIRIN_MAX_COST", "kirin.yaml"])
def test_the_budget_may_come_from_elsewhere(studio: Studio, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    studio.prompts(one="a")
    if said == "kirin.yaml":
        (studio.root / said).write_text('version: 1\nmax_cost: "0"\n')
    else:
        monkeypatch.setenv(said, "0")
    ran = studio.run("run")
    assert (ran.code, "the same command goes on" in ran.err) == (3, True)
    assert studio.run("run", "--max-cost", "1").code == 0


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_of_the_account_ends_the_run_and_leaves_no_job_worse(studio: Studio, status: int) -> None:
    studio.prompts(one="a")
    studio.run("run")
    before = studio.records
    studio.prompts(one="a", two="b")
    studio.answer = lambda _: web.json_response({"error": {"code": str(status), "message": "no"}}, status=status)
    ran = studio.run_json()
    assert (ran.code, studio.records, studio.books.creates) == (4, before, 1)
    assert ran.statuses["film:one"] == "completed"
    studio.answer = None
    assert studio.run("run").code == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>Sign in</body></html>", id="a page of HTML"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0\0\0\x18ftypisom\0\0\0\0", id="a film for an image"),
    ],
)
def test_what_is_no_image_never_lies_under_outputs_and_is_fetched_when_it_is_one(studio: Studio, body: bytes) -> None:
    studio.prompts(one="a")
    studio.serve_result = lambda _: web.Response(body=body, content_type="image/png")
    ran = studio.run_json()
    assert (ran.code, ran.statuses, studio.outputs()) == (1, {"film:one": "completed"}, [])
    assert "image" in ran.json["jobs"][0]["error"]["message"]
    assert ran.json["jobs"][0]["outputs"][0]["url"].startswith("http://127.0.0.1")
    studio.serve_result = None
    assert studio.run("run").code == 0
    assert (studio.books.creates, len(studio.outputs())) == (1, 1)


def test_results_that_the_gateway_has_deleted_are_told_and_the_record_stays(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    before = studio.records
    (studio.root / studio.outputs()[0]).unlink()
    studio.serve_result = lambda _: web.Response(status=404)
    ran = studio.run("run")
    assert (ran.code, studio.records, studio.books.creates) == (1, before, 1)
    assert "404" in ran.out


def test_a_sandbox_touches_no_task_of_the_gateway(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    (studio.root / studio.outputs()[0]).unlink()
    before = studio.files()
    ran = studio.run("run", "--sandbox")
    assert (ran.code, studio.files()) == (2, before)
    assert "film:one" in ran.err
    assert "copy" in ran.err


def test_a_job_that_is_not_unknown_is_not_sent_again(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    ran = studio.run("run", "--resend", "film:one")
    assert (ran.code, studio.books.creates) == (2, 1)
    assert "not unknown" in ran.err


def make_unknown(studio: Studio) -> set[str]:
    """Complete a job, say in the lockfile that its task is unknown, and let the gateway hide it: by these ids."""
    studio.prompts(one="a")
    studio.run("run")
    lock = studio.root / "kirin.lock"
    lock.write_text(lock.read_text().replace('"status":"completed"', '"status":"unknown"'))
    record = studio.records["film:one"]
    hidden = {str(record.task_id), record.external_task_id}

    def hide(request: web.Request) -> web.Response | None:
        is_hidden = request.path.rpartition("/")[2] in hidden
        return web.json_response({"code": "1203", "message": "no such task"}, status=404) if is_hidden else None

    studio.answer = hide
    return hidden


def test_an_unknown_job_is_looked_for_by_every_run_and_sent_again_only_by_name(studio: Studio) -> None:
    make_unknown(studio)
    queries = studio.books.queries
    ran = studio.run("run")
    assert (ran.code, studio.books.creates) == (3, 1)
    plan = studio.run("plan")
    assert "--resend film:one" in plan.out
    assert studio.run("run", "--resend", "film:none").code == 2
    assert studio.run("run", "--resend", "film:one").code == 0
    assert studio.books.creates == 2
    assert studio.books.queries > queries


@pytest.mark.parametrize("arguments", [(), ("--resend", "film:one")])
def test_an_unknown_job_whose_task_appears_is_not_sent_again(studio: Studio, arguments: tuple[str, ...]) -> None:
    make_unknown(studio).clear()
    assert studio.run("run", *arguments).code == 0
    assert (studio.books.creates, studio.records["film:one"].status) == (1, "completed")


def test_an_unknown_job_that_was_renamed_is_sent_again_by_its_new_name(studio: Studio) -> None:
    make_unknown(studio)
    studio.prompts(uno="a")
    assert "--resend film:uno" in studio.run("plan").out
    assert studio.run("run", "--resend", "film:one").code == 2
    assert studio.run("run", "--resend", "film:uno").code == 0
    assert studio.books.creates == 2


def test_a_sandbox_does_not_answer_for_a_create_that_the_gateway_may_have_taken(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.answer = lambda request: web.Response(status=504) if request.method == "POST" else None
    studio.holds_time = True
    with studio.start("run") as run:
        wait_until(lambda: studio.records)
        run.kill()
    before = studio.records
    ran = studio.run("run", "--sandbox")
    assert (ran.code, studio.records) == (2, before)
    assert "may have" in ran.err
