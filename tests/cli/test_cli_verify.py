"""`verify` as people call it: what is on disk against what was recorded, without a network."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from studio import Studio, open_studio

from kirin_batch.lockfile import save_lockfile


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.prompts(one="a", two="b", three="c")
        assert studio.run("run").code == 0
        yield studio


def record_path(studio: Studio, job: str, path: str) -> None:
    """Let the lockfile say that the job's result is at `path`."""
    records = dict(studio.records)
    records[job] = replace(records[job], outputs=(replace(records[job].outputs[0], path=path),))
    save_lockfile(studio.root / "kirin.lock", records)


def test_results_that_are_as_recorded_are_sound_and_nothing_is_asked_or_written(studio: Studio) -> None:
    before, asked = studio.files(), (studio.books.queries, len(studio.downloads))
    ran = studio.run("verify")
    assert (ran.code, ran.out) == (0, "3 ok\n")
    assert (studio.books.queries, len(studio.downloads)) == asked
    assert studio.files() == before


def test_a_missing_a_cut_and_a_changed_result_are_told_apart(studio: Studio) -> None:
    studio.result("film:one").unlink()
    two, three = studio.result("film:two"), studio.result("film:three")
    two.write_bytes(two.read_bytes()[:-1])
    three.write_bytes(three.read_bytes()[:-1] + b"x")
    ran = studio.run("verify")
    assert ran.code == 1
    assert "missing        outputs/film/one/1." in ran.out
    assert "film:two  (it has " in ran.out
    assert "film:three  (its SHA-256 is another one)" in ran.out
    assert ran.out.endswith("0 ok, 2 changed, 1 missing\n")
    assert "`kirin-batch fetch`" in ran.err


def test_the_json_form_tells_every_result(studio: Studio) -> None:
    studio.result("film:one").unlink()
    ran = studio.run("verify", "--format", "json")
    assert (ran.code, ran.json["sound"]) == (1, False)
    found = {result["job"]: result["status"] for result in ran.json["results"]}
    assert found == {"film:one": "missing", "film:three": "ok", "film:two": "ok"}
    assert ran.json["summary"] == {"ok": 2, "changed": 0, "missing": 1, "unreadable": 0, "never_fetched": 0}
    assert ran.json["results"][1]["sha256"] == studio.records["film:three"].outputs[0].sha256


def test_results_that_were_never_fetched_cannot_be_wrong(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="c", four="d")
    studio.run("run", "--no-download")
    ran = studio.run("verify")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "3 ok, 1 never fetched")


def test_files_that_nobody_recorded_and_specs_that_are_wrong_do_not_matter(studio: Studio) -> None:
    (studio.root / "outputs" / "notes.txt").write_text("mine")
    studio.spec("version: 7")
    assert studio.run("verify", "-q").out == "3 ok\n"


@pytest.mark.parametrize("path", ["../outside.png", "/etc/hostname"])
def test_a_lockfile_leads_to_no_file_outside_the_project(studio: Studio, path: str) -> None:
    record_path(studio, "film:one", path)
    ran = studio.run("verify")
    assert ran.code == 1
    assert f"{path}  film:one  (it is outside the project)" in ran.out


def test_what_is_no_file_is_unreadable_and_not_waited_for(studio: Studio) -> None:
    for name in ("one", "two"):
        studio.result(f"film:{name}").unlink()
    os.mkfifo(studio.result("film:one"))
    studio.result("film:two").mkdir()
    ran = studio.run("verify")
    assert (ran.code, ran.out.count("(it is no file)")) == (1, 2)
    assert ran.out.endswith("1 ok, 2 unreadable\n")


def test_a_lockfile_that_cannot_be_read_is_an_error(studio: Studio) -> None:
    (studio.root / "kirin.lock").write_text("{}")
    ran = studio.run("verify", "--format", "json")
    assert ran.code == 1
    assert "no lockfile" in ran.json["error"]


def test_a_project_without_results_is_sound(studio: Studio) -> None:
    (studio.root / "kirin.lock").unlink()
    assert studio.run("verify").out == "0 ok\n"
