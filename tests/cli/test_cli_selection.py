"""Which jobs a command is about: kinds of options narrow each other, values of one kind add up."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from studio import Studio, open_studio

JOBS = """
  base: {tags: [still], params: {prompt: base}}
  poster:
    matrix: {ratio: [16:9, 9:16]}
    tags: [still, print]
    params: {prompt: p, aspect_ratio: "${{ matrix.ratio }}"}
  clip: {model: kirin_v3_i2v, tags: [film], params: {prompt: walk, image: "${{ jobs.base.url }}"}}
"""
URL = "https://pictures.example/fox.png"
POSTERS = {"film:poster[ratio=16:9]", "film:poster[ratio=9:16]"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.spec(JOBS)
        studio.spec("  other: {tags: [still], params: {prompt: o}}", name="more/late")
        yield studio


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        (["--job", "poster"], POSTERS),
        (["--job", "film:poster[ratio=9:16]"], {"film:poster[ratio=9:16]"}),
        (["--job", "*poster*16:9]"], {"film:poster[ratio=16:9]"}),
        (["--job", "film:*", "--tag", "print"], POSTERS),
        (["--tag", "print", "--tag", "film"], POSTERS | {"film:clip", "film:base"}),
        (["--model", "kirin_v3_*"], {"film:clip", "film:base"}),
        (["specs/more"], {"more/late:other"}),
        (["specs/film.yaml", "specs/more/late.yaml", "--job", "other"], {"more/late:other"}),
        (["--failed"], set()),
        (["--tag", "pr*", "--tag", "f?lm"], POSTERS | {"film:clip", "film:base"}),
        (["specs/m*/*.yaml"], {"more/late:other"}),
        (["specs/**/late.y*ml"], {"more/late:other"}),
        (["--exclude", "poster", "--exclude", "more/*"], {"film:clip", "film:base"}),
        (["--job", "poster", "--exclude", "*16:9]"], {"film:poster[ratio=9:16]"}),
        (["--job", "clip", "--exclude", "base"], {"film:clip"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",  # a set has no order
)
def test_a_selection_takes_the_named_jobs_and_what_they_need(
    studio: Studio, options: list[str], jobs: set[str]
) -> None:
    assert set(studio.run("plan", "--format", "json", *options).actions) == jobs
    assert set(studio.run("status", "--format", "json", *options).statuses) == jobs


def test_a_run_sends_the_selected_jobs_alone(studio: Studio) -> None:
    assert studio.run("run", "--job", "base").code == 0
    assert (studio.books.creates, list(studio.records)) == (1, ["film:base"])
    assert studio.run("run", "--tag", "print").code == 0
    assert studio.books.creates == 3


def test_failed_jobs_can_be_selected(studio: Studio) -> None:
    studio.prompts(one="forbidden-content", two="b")
    studio.run("run", "specs/film.yaml")
    assert set(studio.run("status", "--failed", "--format", "json").statuses) == {"film:one"}
    assert studio.run("run", "--failed", "--retry-failed").code == 1
    assert studio.books.refusals["1301"] == 2


def test_a_project_may_be_reached_by_a_link_and_its_specs_lie_inside_whatever_is_allowed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = studio.root / "project"
    root.mkdir()
    (root / "kirin.yaml").write_text("version: 1\nallow_outside: true\n")
    (studio.root / "link").symlink_to(root)
    monkeypatch.chdir(studio.root / "link")
    spec = "version: 1\njobs: {a: {model: kirin_v2_image, params: {prompt: a}}}"
    (root / "inside.yaml").write_text(spec)
    assert len(studio.run("plan", str(studio.root / "link" / "inside.yaml"), "--format", "json").actions) == 1
    ran = studio.run("plan", str(studio.root / "specs" / "more"))
    assert (ran.code, "is outside the project" in ran.err) == (2, True)


def test_paths_are_those_of_the_working_directory(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\n")
    monkeypatch.chdir(studio.root / "specs" / "more")
    assert set(studio.run("plan", "late.yaml", "--format", "json").actions) == {"more/late:other"}
    assert len(studio.run("plan", "-C", "../..", "--format", "json").actions) == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--exclude", "bsae"], "--exclude bsae meets no job"),
        (["--tag", "stil?x"], "--tag stil?x is on no job"),
        (["--model", "kirin_v9*"], "--model kirin_v9* makes no job"),
        (["specs/nothing*.yaml"], "specs/nothing*.yaml meets no spec"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_pattern_that_meets_nothing_is_an_error(studio: Studio, options: list[str], told: str) -> None:
    ran = studio.run("run", *options)
    assert (ran.code, told in ran.err, studio.books.creates) == (2, True, 0)


def test_what_needs_an_excluded_job_is_told_and_not_sent_until_that_has_a_result(studio: Studio) -> None:
    ran = studio.run_json("specs/film.yaml", "--exclude", "base")
    assert (ran.code, ran.statuses["film:clip"], studio.books.creates) == (1, "blocked", 2)
    assert ran.json["jobs"][-1]["error"]["message"] == "it needs film:base, which is excluded"
    assert studio.run("run", "--job", "base").code == 0
    ran = studio.run_json("specs/film.yaml", "--exclude", "base")
    assert (ran.code, ran.statuses["film:clip"], "film:base" in ran.statuses) == (0, "completed", False)


def test_all_but_the_excluded_jobs_are_done(studio: Studio) -> None:
    assert studio.run("run", "--exclude", "clip", "--exclude", "more/late:*").code == 0
    assert set(studio.records) == POSTERS | {"film:base"}


def test_no_more_slots_than_the_cap_are_in_use_whatever_their_kind(studio: Studio) -> None:
    running: set[str] = set()
    peaks: list[int] = []

    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        studio.holds_time = request.method == "POST"  # no task has ended when it is created
        response = await handler(request)
        is_answer = response.content_type == "application/json"
        answer = json.loads(response.text or "{}") if isinstance(response, web.Response) and is_answer else {}
        if request.method == "POST":
            running.add(answer["id"])
            peaks.append(len(running))
        elif answer.get("status") in {"completed", "failed"}:
            running.discard(answer["id"])
        return response

    studio.wrap = count
    (studio.root / "kirin.yaml").write_text("version: 1\npoll: {min: 0.05, max: 0.1}\n")
    films = "\n".join(f"  f{n}: {{model: kirin_v3_i2v, params: {{prompt: a, image: '{URL}'}}}}" for n in range(3))
    studio.spec(films + "\n" + "\n".join(f"  p{n}: {{params: {{prompt: p{n}}}}}" for n in range(4)))
    assert studio.run("run", "specs/film.yaml", "-j", "2").code == 0
    assert (len(peaks), max(peaks)) == (7, 2)


def test_a_cap_of_no_slots_is_refused(studio: Studio) -> None:
    assert studio.run("run", "-j", "0").code == 2
