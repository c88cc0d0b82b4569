"""`kirin-batch lock merge` as people and git call it, and how the other commands go on from a merge without it."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from git_repository import Repository, isolate_git, make_repository
from job_samples import picture, record_of
from studio import Ran, Studio, open_studio

from kirin_batch.cli.main import run_command_line
from kirin_batch.lockfile import load_lockfile, render_lockfile
from kirin_batch.records import Record


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository that a studio's project is in."""
    isolate_git(monkeypatch)
    (tmp_path / ".gitignore").write_text("outputs/\n")
    return make_repository(tmp_path)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    code = run_command_line(arguments)
    told = capsys.readouterr()
    return Ran(code, told.out, told.err)


def save(name: str, *records: Record) -> str:
    Path(name).write_bytes(render_lockfile(records))
    return name


ONE, TWO = record_of(picture("s:a"), task_id="t-1"), record_of(picture("s:b"), task_id="t-2")
AGAIN = replace(ONE, attempt=2, external_task_id="kb-other", task_id="t-9")


def test_a_merge_says_how_many_jobs_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    files = save("base file"), save("our file", ONE), save("their file", TWO)
    ran = call(capsys, "lock", "merge", *files)
    assert ran == Ran(0, "merged 2 jobs\n", "")
    assert list(load_lockfile(Path("our file"))) == ["s:a", "s:b"]
    assert list(load_lockfile(Path("their file"))) == ["s:b"]


def test_what_was_paid_twice_is_a_note_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    note = "note: s:a was paid for on both sides, as tasks t-1 and t-9; t-1 is used, all are kept\n"
    files = save("base"), save("ours", ONE), save("theirs", AGAIN)
    assert call(capsys, "lock", "merge", *files) == Ran(0, "merged 1 job, 1 paid for twice\n", note)
    save("ours", ONE)
    assert call(capsys, "lock", "merge", "-q", *files) == Ran(0, "", note)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("base",),
        ("base", "ours"),
        ("base", "ours", "theirs", "more"),
        ("--install", "base", "ours", "theirs"),
        ("-C", ".", "base", "ours", "theirs"),
        ("base", "ours", "gone"),
        ("base", "gone", "theirs"),
        ("--install", "-C", "gone"),
    ],
)
def test_what_cannot_be_meant_is_an_error_of_usage(capsys: pytest.CaptureFixture[str], arguments: tuple[str]) -> None:
    for name in ("base", "ours", "theirs"):
        save(name, ONE)
    ran = call(capsys, "lock", "merge", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "rror: " in ran.err


def test_a_side_that_cannot_be_read_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    files = save("base"), save("ours", ONE), save("theirs")
    Path("theirs").write_text('{"kirin_lock":2}\n')
    ran = call(capsys, "lock", "merge", *files)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("error: kirin.lock is not merged")
    assert Path("ours").read_bytes() == render_lockfile([ONE])


def test_install_finds_the_project_says_what_it_did_and_can_be_quiet(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.root / "kirin.yaml").write_text("<<<<<<< a conflict of its own\n")
    (repository.root / "specs").mkdir()
    monkeypatch.chdir(repository.root / "specs")
    ran = call(capsys, "lock", "merge", "--install")
    assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 3)
    assert (repository.root / ".gitattributes").is_file()
    assert call(capsys, "lock", "merge", "--install", "-q", "-C", "..") == Ran(0, "", "")


def test_install_without_a_repository_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    isolate_git(monkeypatch)
    ran = call(capsys, "lock", "merge", "--install")
    assert (ran.code, ran.out) == (1, "")
    assert "run `git init`, or name the project with -C" in ran.err
    assert not Path(".gitattributes").exists()


def test_the_help_tells_how_git_calls_it(capsys: pytest.CaptureFixture[str]) -> None:
    ran = call(capsys, "lock", "merge", "--help")
    assert ran.code == 0
    for told in ("kirin-batch lock merge --install", "kirin.lock merge=kirin-lock", "merge.kirin-lock.driver", "-C"):
        assert told in ran.out
    assert "  merge  " in call(capsys, "lock", "--help").out


def run_on_both_sides(studio: Studio, repository: Repository) -> "subprocess.CompletedProcess[str]":
    """One job in common, then one more on each side, next to each other in the lockfile; git merges by lines."""
    studio.prompts(base="a", ours="b", theirs="c")
    assert studio.run("run", "-q", "--job", "base").code == 0
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "base")
    for side in ("theirs", "ours"):
        repository.git("checkout", "--quiet", "-b", side, "main")
        assert studio.run("run", "-q", "--job", side).code == 0
        repository.git("commit", "--quiet", "--all", "--message", side)
    return repository.git("merge", "theirs", code=1)


def test_after_a_conflict_status_tells_both_sides_and_the_next_run_writes_them_as_one(
    studio: Studio, repository: Repository
) -> None:
    assert "CONFLICT" in run_on_both_sides(studio, repository).stdout
    told = studio.run("status", "--format", "json")
    assert told.err.startswith("note: kirin.lock holds a merge conflict: both sides count")
    assert told.statuses == dict.fromkeys(("film:base", "film:ours", "film:theirs"), "completed")
    before = {row["job"]: row["task_id"] for row in told.json["jobs"]}
    studio.prompts(base="a", ours="b", theirs="c", later="d")
    ran = studio.run_json("--sandbox")
    assert (ran.code, len(ran.statuses), studio.books.creates) == (0, 4, 3)
    assert repository.lockfile.read_bytes() == render_lockfile(repository.records.values())
    assert {job: record.task_id for job, record in repository.records.items() if job != "film:later"} == before


def test_after_a_conflict_nothing_is_made_again(studio: Studio, repository: Repository) -> None:
    run_on_both_sides(studio, repository)
    assert studio.run("plan", "--format", "json").json["summary"] == {"none": 3}
    assert studio.run("run", "-q").code == 0
    assert (studio.books.creates, len(repository.records)) == (3, 3)
    assert repository.lockfile.read_bytes() == render_lockfile(repository.records.values())
