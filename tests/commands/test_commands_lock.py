"""The merge driver under the real git: both sides' tasks in one lockfile, or a conflict that says what to do."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from git_repository import Repository, isolate_git, make_repository
from job_samples import picture, record_of

from kirin_batch.commands.lock import add_merge_attribute, install_merge_driver, merge_lockfiles
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.identity import external_task_id
from kirin_batch.lockfile import load_lockfile, render_lockfile, save_lockfile
from kirin_batch.merging import merge_records
from kirin_batch.records import Record, Status

LINE = "kirin.lock merge=kirin-lock"


def done(job: str, *, attempt: int = 1) -> Record:
    made = record_of(picture(job), task_id=f"{job}-{attempt}")
    return replace(made, attempt=attempt, external_task_id=external_task_id("", job, made.digest, attempt))


def begun(job: str) -> Record:
    return record_of(picture(job), Status.IN_FLIGHT, task_id=f"{job}-1")


BASE = (begun("s:b"),)
OURS = (done("s:a"), done("s:b"))
THEIRS = (replace(begun("s:b"), task_id=None, status=Status.UNKNOWN), done("s:c"))
MERGED = {record.job: record for record in (done("s:a"), done("s:b"), done("s:c"))}


@pytest.fixture(autouse=True)
def _git(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate_git(monkeypatch)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository whose driver is installed, in a folder that a shell would take for three."""
    repository = make_repository(tmp_path / "a project's folder")
    install_merge_driver(repository.root)
    return repository


def is_merged(repository: Repository) -> bool:
    """Whether all three jobs stand in a lockfile as this program writes it, committed, without a conflict."""
    clean = not repository.git("status", "--porcelain").stdout
    written = repository.lockfile.read_bytes().replace(b"\r\n", b"\n")
    return clean and repository.records == MERGED and written == render_lockfile(MERGED.values())


def test_branches_that_add_jobs_and_change_one_merge_without_a_conflict(repository: Repository) -> None:
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    merge = repository.git("merge", "--no-edit", "theirs")
    assert is_merged(repository)
    assert "note:" not in merge.stderr


@pytest.mark.parametrize("command", ["rebase", "cherry-pick"])
def test_other_ways_to_bring_changes_together_merge_too(repository: Repository, command: str) -> None:
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    repository.git(command, "theirs")
    assert is_merged(repository)


def test_changes_that_are_stashed_come_back_merged(repository: Repository) -> None:
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    save_lockfile(repository.lockfile, {record.job: record for record in (*OURS, done("s:d"))})
    repository.git("stash")
    repository.git("checkout", "--quiet", "theirs")
    repository.git("stash", "pop")
    assert repository.records.keys() == {"s:b", "s:c", "s:d"}


def test_branches_without_a_common_lockfile_merge(repository: Repository) -> None:
    repository.git("commit", "--quiet", "--allow-empty", "--message", "nothing")
    repository.git("checkout", "--quiet", "-b", "theirs")
    repository.commit(*THEIRS)
    repository.git("checkout", "--quiet", "-b", "ours", "main")
    repository.git("checkout", "--quiet", "theirs", "--", ".gitattributes")
    repository.commit(*OURS)
    merge = repository.git("merge", "--no-edit", "theirs")
    assert is_merged(repository)
    assert "common ancestor" not in merge.stderr


def test_branches_that_merged_each_other_merge_again(repository: Repository) -> None:
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    repository.git("branch", "before")
    repository.git("merge", "--no-edit", "theirs")
    repository.git("checkout", "--quiet", "theirs")
    repository.git("merge", "--no-edit", "before")
    repository.commit(*MERGED.values(), done("s:d"))
    repository.git("checkout", "--quiet", "ours")
    repository.commit(*MERGED.values(), done("s:e"))
    repository.git("merge", "--no-edit", "theirs")
    assert repository.records == MERGED | {record.job: record for record in (done("s:d"), done("s:e"))}


def test_what_both_sides_paid_for_is_kept_and_told(repository: Repository) -> None:
    repository.fork(BASE, ours=[done("s:b")], theirs=[done("s:b", attempt=2)])
    merge = repository.git("merge", "--no-edit", "theirs")
    record = repository.records["s:b"]
    assert [made.task_id for made in (record, *record.earlier)] == ["s:b-1", "s:b-2"]
    told = "note: s:b was paid for on both sides, as tasks s:b-1 and s:b-2; s:b-1 is used, all are kept"
    assert told in merge.stderr.splitlines()
    assert "merged" not in merge.stdout.replace("Auto-merging", "")


@pytest.mark.parametrize("endings", ["true", "false"])
def test_a_checkout_with_crlf_merges(repository: Repository, endings: str) -> None:
    repository.git("config", "core.autocrlf", endings)
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    repository.lockfile.write_bytes(repository.lockfile.read_bytes().replace(b"\n", b"\r\n"))
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "by an editor that likes CRLF")
    repository.git("merge", "--no-edit", "theirs")
    assert is_merged(repository)
    assert (b"\r\n" in repository.lockfile.read_bytes()) == (endings == "true")


def test_a_side_of_a_newer_program_is_a_conflict_that_leaves_ours_as_it_was(repository: Repository) -> None:
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    repository.git("checkout", "--quiet", "theirs")
    repository.lockfile.write_bytes(repository.lockfile.read_bytes().replace(b'"kirin_lock":1', b'"kirin_lock":2'))
    repository.git("commit", "--quiet", "--all", "--message", "a newer program")
    repository.git("checkout", "--quiet", "ours")
    merge = repository.git("merge", "--no-edit", "theirs", code=1)
    assert repository.unmerged() == ["kirin.lock"]
    assert repository.lockfile.read_bytes() == render_lockfile(OURS)
    assert "Of their side, " in merge.stderr
    assert "has version 2, this program reads version 1: update kirin-batch" in merge.stderr
    assert "`git checkout --merge kirin.lock` merges again" in merge.stderr  # held by the next test


def test_a_merge_that_failed_is_made_again_as_its_message_says(repository: Repository) -> None:
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    driver = repository.git("config", "merge.kirin-lock.driver").stdout.strip()
    repository.git("config", "merge.kirin-lock.driver", "false")
    repository.git("merge", "--no-edit", "theirs", code=1)
    repository.git("config", "merge.kirin-lock.driver", driver)
    repository.git("checkout", "--merge", "kirin.lock")
    assert repository.records == MERGED


@pytest.mark.parametrize("endings", ["false", "true"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
def test_without_the_driver_marks_are_left_and_read_as_both_sides(
    repository: Repository, style: str, endings: str
) -> None:
    for key, value in {"merge.conflictStyle": style, "core.autocrlf": endings}.items():
        repository.git("config", key, value)
    repository.git("config", "--remove-section", "merge.kirin-lock")
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    repository.git("merge", "--no-edit", "theirs", code=1)
    assert b"<<<<<<< " in repository.lockfile.read_bytes()
    assert repository.records == MERGED


def test_the_driver_is_installed_once_and_says_so(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project")
    first = install_merge_driver(repository.root)
    config = (repository.root / ".git" / "config").read_bytes()
    second = install_merge_driver(repository.root)
    assert first[0] == "merge.kirin-lock.driver set in this clone"
    assert first[2] == f"`{LINE}` added to .gitattributes, commit it"
    assert second[0] == "merge.kirin-lock.driver is set already"
    assert second[2] == f"`{LINE}` is in .gitattributes already"
    assert (repository.root / ".git" / "config").read_bytes() == config
    assert (repository.root / ".gitattributes").read_text() == f"{LINE}\n"


def test_a_driver_of_an_environment_that_is_gone_is_replaced(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    for old in ("/gone/python %A", "/gone/too %A"):
        repository.git("config", "--add", "merge.kirin-lock.driver", old)
    assert install_merge_driver(tmp_path)[0] == "merge.kirin-lock.driver set in this clone"
    (found,) = repository.git("config", "--get-all", "merge.kirin-lock.driver").stdout.splitlines()
    assert sys.executable in found


def test_a_project_below_the_root_of_its_repository_has_attributes_of_its_own(tmp_path: Path) -> None:
    outer = make_repository(tmp_path)
    (tmp_path / "films").mkdir()
    install_merge_driver(tmp_path / "films")
    assert not (tmp_path / ".gitattributes").exists()
    asked = outer.git("check-attr", "merge", "--", "films/kirin.lock", "kirin.lock").stdout.splitlines()
    assert asked == ["films/kirin.lock: merge: kirin-lock", "kirin.lock: merge: unspecified"]


def test_a_python_at_an_odd_path_is_called_as_it_is(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "project")
    environment = tmp_path / "my 100%A 'venv'"
    environment.symlink_to(sys.prefix)
    python = environment / "bin" / Path(sys.executable).name
    (repository.root / "orjson.py").write_text("raise SystemExit('imported from the repository')")
    subprocess.run(  # noqa: S603 - our own program
        [python, "-P", "-m", "kirin_batch", "lock", "merge", "--install"], cwd=repository.root, check=True
    )
    assert "%%A" in repository.git("config", "merge.kirin-lock.driver").stdout
    repository.fork(BASE, ours=OURS, theirs=THEIRS)
    repository.git("merge", "--no-edit", "theirs")
    assert is_merged(repository)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", f"{LINE}\n"),
        (b"*.png binary\n", f"*.png binary\n{LINE}\n"),
        (b"*.png binary", f"*.png binary\n{LINE}\n"),
        (b"kirin.lock  merge=kirin-lock\r\n*.png binary\r\n", "kirin.lock  merge=kirin-lock\r\n*.png binary\r\n"),
        (b"# kirin.lock merge=kirin-lock\n", f"# {LINE}\n{LINE}\n"),
    ],
)
def test_attributes_that_are_there_are_kept(tmp_path: Path, before: bytes, after: str) -> None:
    path = tmp_path / ".gitattributes"
    path.write_bytes(before)
    assert add_merge_attribute(tmp_path) == (before.decode() != after)
    assert path.read_bytes() == after.encode()


def test_what_keeps_the_driver_from_being_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KirinError, match=r"has no git repository \(not a git repository .*run `git init`"):
        install_merge_driver(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        install_merge_driver(tmp_path / "gone")
    make_repository(tmp_path)
    (tmp_path / ".git" / "config.lock").touch()
    with pytest.raises(KirinError, match=r"git could not set merge.kirin-lock.driver: .*could not lock config file"):
        install_merge_driver(tmp_path)
    (tmp_path / ".git" / "config.lock").unlink()
    (tmp_path / ".gitattributes").mkdir()
    with pytest.raises(KirinError, match=r"\.gitattributes cannot be read or written: Is a directory"):
        install_merge_driver(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KirinError, match=r"git cannot be started: No such file or directory\. Install it"):
        install_merge_driver(tmp_path)


def write(folder: Path, **files: bytes) -> tuple[Path, Path, Path]:
    """The three files of a merge, `base`, `ours` and `theirs`; only those that are given are written."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "base", folder / "ours", folder / "theirs"


@pytest.mark.parametrize("base", [None, b"", b"damaged", b'{"kirin_lock":2}\n'], ids=str)
def test_a_base_without_records_forgets_nothing(tmp_path: Path, base: bytes | None) -> None:
    files = write(tmp_path, ours=render_lockfile(OURS), theirs=render_lockfile(THEIRS))
    if base is not None:
        files[0].write_bytes(base)
    assert merge_lockfiles(*files).records == MERGED
    assert load_lockfile(tmp_path / "ours") == MERGED


def test_a_job_that_theirs_forgot_is_forgotten(tmp_path: Path) -> None:
    whole = render_lockfile(OURS)
    files = write(tmp_path, base=whole, ours=whole, theirs=render_lockfile([done("s:b")]))
    assert list(merge_lockfiles(*files).records) == ["s:b"]


def test_a_side_with_marks_of_a_conflict_counts_as_both_of_its_sides(tmp_path: Path) -> None:
    one, two = (render_lockfile([record]).split(b"\n", 1)[1] for record in (done("s:b"), done("s:c")))
    marked = b'{"kirin_lock":1}\n<<<<<<< ours\n' + one + b"=======\n" + two + b">>>>>>> theirs\n"
    files = write(tmp_path, ours=render_lockfile([done("s:a")]), theirs=marked)
    assert merge_lockfiles(*files).records == MERGED


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("ours", b"", "Of our side, ours is no lockfile"),
        ("theirs", b"", "Of their side, theirs is no lockfile"),
        ("theirs", b'{"kirin_lock":1}\n{}\n', "Of their side, theirs, line 2: no record of a job"),
    ],
)
def test_a_side_that_cannot_be_trusted_leaves_ours_as_it_was(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    files = write(tmp_path, ours=render_lockfile(OURS), theirs=render_lockfile(THEIRS))
    (tmp_path / name).write_bytes(data)
    before = (tmp_path / "ours").read_bytes()
    with pytest.raises(KirinError, match=r"^kirin\.lock is not merged, and ours stays as it was") as error:
        merge_lockfiles(*files)
    assert told in str(error.value)
    assert (tmp_path / "ours").read_bytes() == before


@pytest.mark.parametrize("name", ["ours", "theirs"])
def test_a_side_that_is_not_there_is_no_side_that_forgot_all(tmp_path: Path, name: str) -> None:
    whole = render_lockfile(OURS)
    files = write(tmp_path, base=whole, ours=whole, theirs=whole)
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=f"{name} is not there"):
        merge_lockfiles(*files)


def test_a_disk_that_refuses_leaves_ours_as_it_was(tmp_path: Path) -> None:
    files = write(tmp_path, ours=render_lockfile(OURS), theirs=render_lockfile(THEIRS))
    (tmp_path / f".ours.{os.getpid()}.kirin-part").mkdir()
    with pytest.raises(KirinError, match=r"cannot be written: Is a directory\. It stays as it was"):
        merge_lockfiles(*files)
    assert (tmp_path / "ours").read_bytes() == render_lockfile(OURS)


def test_the_file_says_what_the_merge_says(tmp_path: Path) -> None:
    files = write(tmp_path, base=b"", ours=render_lockfile(OURS), theirs=render_lockfile([done("s:a", attempt=2)]))
    expected = merge_records({}, {made.job: made for made in OURS}, {"s:a": done("s:a", attempt=2)})
    assert merge_lockfiles(*files) == expected
    assert load_lockfile(files[1]) == expected.records
