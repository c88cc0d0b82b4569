"""`plan --out` saves what people review; `run --plan` does that and nothing else, or refuses it as stale."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from killable import KILLED, call
from studio import KEY, Ran, Studio, open_studio

from kirin_batch.models import shape_of

CHAIN = """version: 1
defaults: {model: kirin_v2_image}
jobs:
  one: {params: {prompt: a}}
  two: {params: {prompt: b, image: "${{ jobs.one.url }}"}}
  other: {params: {prompt: c, n: 2}}
"""

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def save(studio: Studio, *arguments: str) -> Ran:
    ran = studio.run("plan", "--out", "plan.json", "--format", "json", *arguments)
    assert ran.code == 0, ran.err
    return ran


def edit(path: Path, change: Edit) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def carry_out(studio: Studio, *arguments: str) -> Ran:
    return studio.run_json("--plan", "plan.json", *arguments)


def fail_images(request: web.Request) -> web.Response | None:
    """Refuse each create for its content."""
    told = {"error": {"code": "1301", "message": "content policy"}}
    return web.json_response(told, status=400) if request.method == "POST" else None


def test_a_saved_plan_says_what_is_to_be_done_and_what_it_rests_on(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    told = save(studio).json["jobs"]
    document = json.loads((studio.root / "plan.json").read_text())
    assert shape_of("plan").check(document) == []
    assert [(job["job"], job["action"], job["attempt"]) for job in document["jobs"]] == [
        ("film:one", "create", 1),
        ("film:two", "create", 1),
    ]
    assert [job["external_task_id"] for job in document["jobs"]] == [job["external_task_id"] for job in told]
    assert list(document["specs"]) == ["specs/film.yaml"]


def test_a_plan_is_carried_out_as_it_was_saved(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    ids = {job["external_task_id"] for job in save(studio, "--job", "one").json["jobs"]}
    ran = carry_out(studio)
    assert (ran.code, ran.statuses, studio.books.creates) == (0, {"film:one": "completed"}, 1)
    assert {record.external_task_id for record in studio.records.values()} == ids


def test_formatting_comments_and_files_that_were_read_again_make_no_plan_stale(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a, n: 1}}")
    save(studio)
    studio.spec("  # a comment\n  one:\n    params:\n      n: 1\n      prompt: 'a'")
    assert carry_out(studio).code == 0


def change_prompt(studio: Studio) -> None:
    studio.prompts(one="c", two="b")


def add_a_job(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="c")


def add_a_spec(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: z}}", name="more")


def remove_the_specs(studio: Studio) -> None:
    (studio.root / "specs" / "film.yaml").unlink()
    add_a_spec(studio)


def set_retries(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("retries: 3\n")


def set_namespace(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("namespace: other\n")


def name_another_gateway(studio: Studio) -> None:  # noqa: ARG001 - as the other changes
    os.environ["KIRIN_BASE_URL"] = "http://127.0.0.1:9"  # the fixture puts it back


def move_outputs(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("outputs: elsewhere\n")


def run_another(studio: Studio) -> None:
    studio.run("run", "--job", "two", "--retry-failed")
    studio.spec("  two: {take: 2, params: {prompt: b}}")
    studio.run("run")
    studio.prompts(one="a", two="b")


def forget_what_was_made(studio: Studio) -> None:
    (studio.root / "kirin.lock").unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_prompt, "specs/film.yaml has changed; film:one has another request"),
        (add_a_job, "specs/film.yaml has changed"),
        (add_a_spec, "specs/more.yaml is new"),
        (remove_the_specs, "specs/film.yaml has no job of it any more; specs/more.yaml is new; film:one is in no spec"),
        (set_retries, "kirin.yaml: retries is 3 now, and was 1"),
        (set_namespace, "kirin.yaml: namespace is 'other' now, and was ''"),
        (name_another_gateway, "base_url is 'http://127.0.0.1:9' now, and was 'http://127.0.0.1:"),
        (move_outputs, "kirin.yaml: outputs is 'elsewhere' now, and was 'outputs/{spec}"),
        (run_another, "kirin.lock has changed"),
        (forget_what_was_made, "kirin.lock has changed"),
    ],
)
def test_a_plan_that_does_not_fit_any_more_is_refused_and_nothing_is_sent_or_written(
    studio: Studio, change: Callable[[Studio], None], told: str
) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run", "--job", "two")
    save(studio)
    change(studio)
    before, creates = studio.files(), studio.books.creates
    ran = carry_out(studio)
    assert (ran.code, studio.books.creates, studio.files()) == (1, creates, before)
    assert f"the plan is stale: {told}" in ran.err
    assert "Nothing was sent; make a new plan" in ran.json["error"]


def test_a_plan_that_is_refused_leaves_no_trace(studio: Studio) -> None:
    studio.prompts(one="a")
    save(studio)
    studio.prompts(one="b")
    assert carry_out(studio).code == 1
    assert not (studio.root / ".kirin").exists()


def test_a_run_that_was_killed_anywhere_goes_on_when_it_is_called_again(studio: Studio, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    (root / "specs").mkdir(parents=True)
    (root / "kirin.yaml").write_text("poll: {min: 0.01, max: 0.02}\n")
    (root / "specs" / "film.yaml").write_text(CHAIN)
    assert call(root, "plan", "--out", "plan.json").code == 0
    ended = [call(root, "run", "--plan", "plan.json", kill_at=moment, KIRIN_API_KEY=KEY) for moment in range(1, 40, 2)]
    assert KILLED in {one.code for one in ended}
    assert {one.code for one in ended} <= {KILLED, 0}, [one.err for one in ended]
    assert call(root, "run", "--plan", "plan.json", KIRIN_API_KEY=KEY).code == 0
    assert studio.books.creates == 3


def test_what_money_did_not_suffice_for_is_done_by_the_next_run_of_the_plan(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    save(studio)
    assert carry_out(studio, "--max-cost", "0.01").code == 3  # nobody knows a price: one goes first
    assert studio.books.creates == 1
    assert (carry_out(studio).code, studio.books.creates) == (0, 2)


def test_tasks_that_were_in_flight_may_have_ended_meanwhile(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.holds_time = True
    (studio.root / "kirin.yaml").write_text("timeout: {image: 0.05}\npoll: {min: 0.01, max: 0.01}\n")
    assert studio.run("run", "--job", "one").code == 3
    assert save(studio).actions == {"film:one": "resume", "film:two": "create"}
    studio.holds_time = False
    assert studio.run("run", "--job", "one").code == 0
    assert (carry_out(studio).code, studio.books.creates) == (0, 2)


def test_a_task_in_flight_whose_job_was_renamed_is_taken_up_by_each_run_of_the_plan(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("timeout: {image: 0.05}\npoll: {min: 0.01, max: 0.01}\n")
    studio.holds_time = True
    studio.prompts(one="a")
    assert studio.run("run").code == 3
    studio.prompts(other="a")
    assert save(studio).actions == {"film:other": "resume"}
    assert carry_out(studio).code == 3
    studio.holds_time = False
    assert (carry_out(studio).code, studio.books.creates) == (0, 1)


def test_what_was_blocked_in_the_plan_is_not_sent_though_its_need_turns_up(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a}}")
    assert studio.run("run").code == 0
    lockfile = studio.root / "kirin.lock"
    lockfile.write_text(lockfile.read_text().replace('"status":"completed"', '"status":"unknown"'))
    studio.spec("  one: {params: {prompt: a}}\n" + '  two: {params: {prompt: b, image: "${{ jobs.one.url }}"}}')
    assert save(studio).actions == {"film:one": "unknown", "film:two": "blocked"}
    for _ in range(2):
        assert carry_out(studio).statuses == {"film:one": "completed", "film:two": "blocked"}
    assert studio.run("run").code == 0


def test_a_further_attempt_that_was_asked_for_is_made_once(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.answer = fail_images
    assert studio.run("run").code == 1
    save(studio, "--retry-failed")
    assert carry_out(studio).code == 1
    assert studio.records["film:one"].attempt == 2
    studio.answer = None
    assert carry_out(studio).statuses == {"film:one": "failed"}
    assert (studio.records["film:one"].attempt, studio.books.creates) == (2, 0)


def test_what_a_failed_job_was_needed_for_is_not_sent(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a}}\n" + '  two: {params: {prompt: b, image: "${{ jobs.one.url }}"}}')
    studio.answer = fail_images
    studio.run("run")
    save(studio, "--retry-failed")
    carry_out(studio)
    studio.answer = None
    assert carry_out(studio).statuses == {"film:one": "failed", "film:two": "blocked"}
    assert studio.books.creates == 0


def test_results_that_are_not_on_this_machine_are_fetched(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    assert save(studio).actions == {"film:one": "none"}
    studio.result("film:one").unlink()
    assert carry_out(studio).code == 0
    assert studio.result("film:one").is_file()


def test_a_plan_with_excluded_jobs_and_paths_needs_no_further_options(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.spec("  late: {params: {prompt: c}}", name="more")
    save(studio, "specs/film.yaml", "--exclude", "two")
    assert carry_out(studio).statuses == {"film:one": "completed"}


def test_a_renamed_job_is_moved_as_the_plan_says_and_again_is_nothing_new(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(other="a")
    assert save(studio).actions == {"film:other": "move"}
    for _ in range(2):
        assert carry_out(studio).statuses == {"film:other": "completed"}
    assert studio.books.creates == 1


def take_an_id(document: dict[str, Any]) -> None:
    document["jobs"][0]["external_task_id"] = "mine"


def take_a_later_attempt(document: dict[str, Any]) -> None:
    document["jobs"][0]["attempt"] = 7
    document["jobs"][0]["external_task_id"] = "kb-7"


def leave_out_a_need(document: dict[str, Any]) -> None:
    document["selection"]["jobs"] = ["two"]
    del document["jobs"][0]


def call_it_done(document: dict[str, Any]) -> None:
    document["jobs"][0]["action"] = "none"


@pytest.mark.parametrize("forge", [take_an_id, take_a_later_attempt, leave_out_a_need, call_it_done])
def test_no_id_is_taken_from_the_file_and_nothing_is_sent_that_it_does_not_say(studio: Studio, forge: Edit) -> None:
    studio.spec("  one: {params: {prompt: a}}\n" + '  two: {params: {prompt: b, image: "${{ jobs.one.url }}"}}')
    save(studio)
    edit(studio.root / "plan.json", forge)
    ran = carry_out(studio)
    assert (ran.code, studio.books.creates) == (1, 0)
    assert "the plan is stale" in ran.err


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kirin_plan": 1}', "\x00", '{"kirin_plan": 2, "more": true}'])
def test_what_is_no_plan_is_refused(studio: Studio, text: str) -> None:
    studio.prompts(one="a")
    (studio.root / "plan.json").write_text(text)
    ran = studio.run("run", "--plan", "plan.json")
    assert (ran.code, studio.books.creates) == (2, 0)
    assert "plan.json is" in ran.err


def test_a_terminal_obeys_nothing_that_a_file_says(studio: Studio) -> None:
    studio.prompts(one="a")
    save(studio)
    edit(studio.root / "plan.json", lambda plan: plan["jobs"].append({**plan["jobs"][0], "job": "\x1b[2Jx"}))
    edit(studio.root / "plan.json", lambda plan: plan.update(program="\x1b[31m"))
    ran = studio.run("run", "--plan", "plan.json")
    assert r"\x1b[2Jx is in no spec" in ran.err
    assert "\x1b" not in ran.err


@pytest.mark.parametrize("path", ["../../etc", "/etc", "specs/none.yaml", "x" * 400])
def test_a_path_that_is_no_spec_of_the_project_is_refused(studio: Studio, path: str) -> None:
    studio.prompts(one="a")
    save(studio)
    edit(studio.root / "plan.json", lambda plan: plan["selection"].update(paths=[path]))
    assert carry_out(studio).code == 2


@pytest.mark.parametrize(
    "arguments", [["--job", "one"], ["specs/film.yaml"], ["--retry-failed"], ["--failed"], ["--resend", "film:one"]]
)
def test_what_a_plan_says_itself_no_option_says_beside_it(studio: Studio, arguments: list[str]) -> None:
    studio.prompts(one="a")
    save(studio)
    ran = studio.run("run", "--plan", "plan.json", *arguments)
    assert (ran.code, studio.books.creates) == (2, 0)
    assert "give PATHs, --job and its like to `plan --out`" in ran.err


def test_a_dry_run_of_a_plan_prints_its_requests_alone(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    save(studio, "--job", "one")
    assert [request["job"] for request in carry_out(studio, "--dry-run").json["requests"]] == ["film:one"]


@pytest.mark.parametrize("place", ["outputs/plan.json", "kirin.yaml", "specs/film.yaml", "specs", "gone/plan.json"])
def test_a_plan_lies_where_it_covers_nothing(studio: Studio, place: str) -> None:
    studio.prompts(one="a")
    (studio.root / "kirin.yaml").write_text("version: 1\n")
    before = studio.files()
    assert studio.run("plan", "--out", place).code in {1, 2}
    assert studio.files() == before


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("kirin.lock", "kirin.lock holds what was made"),
        ("kirin.yaml", "is read as a spec or as settings"),
        ("specs/new.yaml", "is read as a spec or as settings"),
        ("Plan.YML", "is read as a spec or as settings"),
        (".kirin/manifest.json", ".kirin is the program's own"),
        (".kirin/plan.json", ".kirin is the program's own"),
        ("link.json", "kirin.lock holds what was made"),
    ],
)
def test_a_plan_lies_where_nothing_else_is_read_from(studio: Studio, place: str, told: str) -> None:
    studio.prompts(one="a")
    (studio.root / ".kirin").mkdir()
    (studio.root / "link.json").symlink_to("kirin.lock")
    before = studio.files()
    ran = studio.run("plan", "--no-cache", "--out", place)
    assert (ran.code, told in ran.err) == (2, True)
    assert (studio.files(), (studio.root / "link.json").is_symlink()) == (before, True)


def test_a_plan_replaces_an_older_one(studio: Studio) -> None:
    for prompt in "ab":
        studio.prompts(one=prompt)
        save(studio)
    assert carry_out(studio).code == 0
