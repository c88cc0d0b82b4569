"""`prune`: what it would forget and remove is shown first, and nothing goes that somebody may still want."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from studio import CHECKOUT, Studio, open_studio

from kirin_batch.lockfile import load_lockfile, save_lockfile
from kirin_batch.run_lock import hold_run_lock


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


@pytest.fixture
def pruned(studio: Studio) -> Studio:
    """A project that has made `one` and `two`, whose spec has `one` alone."""
    studio.prompts(one="a", two="b")
    assert studio.run("run").code == 0
    studio.prompts(one="a")
    return studio


def test_what_would_go_is_shown_and_stays(pruned: Studio) -> None:
    before = pruned.files()
    ran = pruned.run("prune", "--dry-run", "--outputs")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "forget  film:two  completed, 1 task, $0.0140"
    assert lines[1].startswith("remove  outputs/film/two/1.")
    assert lines[2].startswith("would forget 1 job of $0.0140 and remove 1 file of")
    assert pruned.files() == before


def test_a_job_that_is_gone_is_forgotten_and_its_files_stay_unless_asked(pruned: Studio) -> None:
    file = pruned.result("film:two")
    ran = pruned.run("prune", "--yes")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "forgot 1 job of $0.0140")
    assert "1 file of theirs stays; --outputs removes" in ran.err
    assert (list(pruned.records), file.is_file()) == (["film:one"], True)
    assert list(load_lockfile(pruned.root / "kirin.lock")) == ["film:one"]


def test_files_go_with_their_folders_and_those_of_other_jobs_stay(pruned: Studio) -> None:
    gone, kept = pruned.result("film:two"), pruned.result("film:one")
    assert pruned.run("prune", "--outputs", "--yes").code == 0
    assert (gone.exists(), gone.parent.exists(), kept.is_file()) == (False, False, True)
    assert pruned.run("plan", "--format", "json").actions == {"film:one": "none"}


def test_a_file_that_was_changed_or_that_nobody_recorded_stays(pruned: Studio) -> None:
    edited = pruned.result("film:two")
    edited.write_bytes(b"retouched")
    beside = edited.with_name("notes.txt")
    beside.write_text("mine")
    ran = pruned.run("prune", "--outputs", "--yes")
    assert f"keep    {edited.relative_to(pruned.root)}  it was changed" in ran.out
    assert (edited.read_bytes(), beside.read_text()) == (b"retouched", "mine")
    assert list(pruned.records) == ["film:one"]


def test_a_file_that_a_job_which_stays_has_too_is_kept(pruned: Studio) -> None:
    stays, goes = (str(pruned.records[job].outputs[0].path) for job in ("film:one", "film:two"))
    lock = pruned.root / "kirin.lock"
    lock.write_text(lock.read_text().replace(stays, goes))
    assert pruned.run("prune", "--outputs", "--yes").code == 0
    assert (pruned.root / goes).is_file()


def test_without_a_terminal_nothing_goes_unless_the_answer_is_given(pruned: Studio) -> None:
    before = pruned.records
    ran = pruned.run("prune")
    assert (ran.code, pruned.records) == (2, before)
    assert "prune would forget 1 job of $0.0140, and asks on a terminal: elsewhere give --yes" in ran.err
    as_json = pruned.run("prune", "--format", "json")
    assert (as_json.code, "--yes" in as_json.json["error"]) == (2, True)


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 1), (b"n\n", 2), (b"\n", 2)])
def test_on_a_terminal_it_asks(pruned: Studio, answer: bytes, left: int) -> None:
    ours, theirs = os.openpty()
    os.write(ours, answer)  # waits in the terminal until it is read
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.run(
        [sys.executable, "-m", "kirin_batch", "prune"],
        cwd=pruned.root,
        env=environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=20,
        check=True,
    )
    os.close(theirs)
    os.close(ours)
    assert b"forget  film:two" in process.stdout
    assert len(pruned.records) == left


def test_a_task_that_may_still_run_is_kept_and_told_of(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    lock = studio.root / "kirin.lock"
    lock.write_text(lock.read_text().replace('"status":"completed"', '"status":"in_flight"'))
    studio.prompts(one="a")
    ran = studio.run("prune", "--yes")
    assert (ran.code, len(studio.records)) == (0, 2)
    assert "keep    film:two  its task" in ran.out
    assert "is in flight, and is paid for when it ends" in ran.out
    forced = studio.run("prune", "--yes", "--in-flight")
    assert "warning: the task of film:two may still run" in forced.err
    assert list(studio.records) == ["film:one"]


def test_what_another_job_takes_over_is_kept(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(one="b")
    studio.run("run")
    studio.prompts(other="a")
    ran = studio.run("prune", "--yes")
    assert "film:other asks for what it has paid for" in ran.out
    assert list(studio.records) == ["film:one"]


def test_a_renamed_job_is_not_gone(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(uno="a")
    assert studio.run("prune", "--yes").out == "nothing to prune\n"
    assert studio.run("prune").code == 0
    assert list(studio.records) == ["film:one"]


def test_jobs_of_a_spec_that_is_there_and_was_not_read_are_kept(studio: Studio) -> None:
    studio.prompts(one="a")
    draft = studio.root / "drafts" / "late.yaml"
    draft.parent.mkdir()
    draft.write_text("version: 1\njobs: {two: {model: kirin_v2_image, params: {prompt: b}}}")
    studio.run("run", "drafts")
    ran = studio.run("prune", "--yes")
    assert "keep    drafts/late:two  drafts/late.yaml is there, and not among `specs:`" in ran.out
    draft.write_text("version: 1\njobs: {three: {model: kirin_v2_image, params: {prompt: c}}}")
    assert "forgot 1 job" in studio.run("prune", "drafts", "--yes").out
    assert "drafts/late:two" not in studio.records


def test_invalid_specs_forget_nothing(pruned: Studio) -> None:
    pruned.spec("  one: {params: {promt: a}}")
    before = pruned.records
    assert pruned.run("prune", "--yes").code == 1
    assert pruned.records == before


def test_beside_a_run_nothing_is_forgotten(pruned: Studio) -> None:
    with hold_run_lock(pruned.root / ".kirin"):
        assert pruned.run("prune", "--yes").code == 5
        assert pruned.run("prune", "--dry-run").code == 0
    assert len(pruned.records) == 2


def test_all_takes_of_a_job_count_and_the_document_tells_them(studio: Studio) -> None:
    for take in (1, 2):
        studio.spec(f"  one: {{take: {take}, params: {{prompt: a}}}}")
        assert studio.run("run").code == 0
    studio.spec("  {}")
    ran = studio.run("prune", "--yes", "--outputs", "--format", "json")
    document = ran.json
    assert (ran.code, document["pruned"], document["cost"]) == (0, True, "0.0280")
    assert len(document["jobs"][0]["task_ids"]) == 2
    assert studio.outputs() == []
    assert studio.records == {}


def test_a_path_that_leads_out_is_never_removed(pruned: Studio, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "1.png"
    content = pruned.result("film:two").read_bytes()
    outside.write_bytes(content)
    lock = pruned.root / "kirin.lock"
    recorded = str(pruned.records["film:two"].outputs[0].path)
    lock.write_text(lock.read_text().replace(json.dumps(recorded), json.dumps(str(outside))))
    assert "it is outside the project" in pruned.run("prune", "--outputs", "--yes").out
    assert outside.read_bytes() == content


def test_the_answer_of_a_sandbox_is_never_in_flight(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run", "--sandbox")
    lock = studio.root / "kirin.lock"
    lock.write_text(lock.read_text().replace('"status":"completed"', '"status":"in_flight"'))
    studio.spec("  {}")
    assert studio.run("prune", "--yes").code == 0
    assert studio.records == {}


def test_a_file_that_another_job_is_made_from_stays(pruned: Studio) -> None:
    file = pruned.result("film:two")
    image = f"../{file.relative_to(pruned.root).as_posix()}"
    pruned.spec(f"  one: {{model: kirin_v3_omni_image, params: {{prompt: a, image_list: [{{image: {image}}}]}}}}")
    ran = pruned.run("prune", "--outputs", "--yes")
    assert (ran.code, "film:one is made from it" in ran.out) == (0, True)
    assert file.is_file()


def test_a_result_of_a_job_that_stays_is_kept_under_all_its_names(pruned: Studio) -> None:
    (pruned.root / "out").symlink_to("outputs")
    kept, records = pruned.result("film:one"), dict(pruned.records)
    path = kept.relative_to(pruned.root / "outputs").as_posix()
    same = replace(records["film:one"].outputs[0], path=f"out/{path}")
    save_lockfile(pruned.root / "kirin.lock", records | {"film:two": replace(records["film:two"], outputs=(same,))})
    (pruned.root / ".kirin" / "journal.jsonl").unlink(missing_ok=True)
    assert pruned.run("prune", "--outputs", "--yes").code == 0
    assert kept.is_file()
