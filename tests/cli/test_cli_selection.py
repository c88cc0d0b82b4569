"""Which jobs a command is about: kinds of options narrow each other, values of one kind add up."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import Studio, open_studio

JOBS = """
  base: {tags: [still], params: {prompt: base}}
  poster:
    matrix: {ratio: [16:9, 9:16]}
    tags: [still, print]
    params: {prompt: p, aspect_ratio: "${{ matrix.ratio }}"}
  clip: {model: kirin_v3_i2v, tags: [film], params: {prompt: walk, image: "${{ jobs.base.url }}"}}
"""
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
