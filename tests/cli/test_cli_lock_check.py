"""`lock check` as CI calls it: what is wrong with a committed kirin.lock, each with its line and what to do."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from studio import Ran, Studio, open_studio

from kirin_batch.lockfile import render_lockfile, save_lockfile
from kirin_batch.records import Status

REWRITE = ("lock", "merge", "-q", "kirin.lock", "kirin.lock", "kirin.lock")
Damage = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.prompts(one="a", two="b")
        assert studio.run("run").code == 0
        monkeypatch.delenv("KIRIN_API_KEY")
        yield studio


def lockfile(studio: Studio) -> Path:
    return studio.root / "kirin.lock"


def found(ran: Ran) -> list[tuple[str, int, str | None]]:
    assert (ran.code, ran.json["valid"]) == (1, False)
    return [(problem["rule"], problem["line"], problem["job"]) for problem in ran.json["problems"]]


def check(studio: Studio, *options: str) -> Ran:
    return studio.run("lock", "check", "--format", "json", *options)


def test_a_lockfile_as_a_run_leaves_it_is_right_and_nothing_is_asked_or_written(studio: Studio) -> None:
    before, queries = studio.files(), studio.books.queries
    ran = studio.run("lock", "check", "--complete", "--outputs")
    assert (ran.code, ran.out, ran.err) == (0, "kirin.lock, 2 jobs: all is right\n", "")
    assert (studio.files(), studio.books.queries) == (before, queries)


def test_without_a_lockfile_nothing_is_wrong_until_completeness_is_asked_for(studio: Studio) -> None:
    lockfile(studio).unlink()
    assert studio.run("lock", "check").out == "kirin.lock, 0 jobs: all is right\n"
    assert found(check(studio, "--complete")) == [("incomplete", 1, "film:one"), ("incomplete", 1, "film:two")]


@pytest.mark.parametrize(
    ("damage", "rule", "line"),
    [
        (lambda lines: [lines[0], lines[2], lines[1]], "order", 3),
        (lambda lines: [lines[0], lines[1].replace(b'":', b'": '), lines[2]], "format", 2),
        (lambda lines: [lines[0], lines[1][:-1] + b',"more":1}', lines[2]], "invalid", 2),
        (lambda lines: [lines[0], lines[1].replace(b'"completed"', b'"done"'), lines[2]], "invalid", 2),
        (lambda lines: [lines[0], lines[1], b"", lines[2]], "invalid", 3),
        (lambda lines: [lines[0], lines[1], lines[2][:-9]], "invalid", 3),
        (lambda lines: [lines[0], lines[1], lines[2], lines[2]], "twice", 4),
        (lambda lines: [b'{"kirin_lock":2}', *lines[1:]], "header", 1),
        (lambda lines: [line + b"\r" for line in lines], "format", 1),
        (lambda lines: [*lines, b"", b""], "invalid", 4),
    ],
)
def test_what_the_program_would_not_write_is_told_with_its_line(
    studio: Studio, damage: Damage, rule: str, line: int
) -> None:
    lines = lockfile(studio).read_bytes().splitlines()
    lockfile(studio).write_bytes(b"\n".join([*damage(lines), b""]))
    assert (rule, line) in [told[:2] for told in found(check(studio))]


def test_a_file_that_does_not_end_with_a_line_end_is_told(studio: Studio) -> None:
    lockfile(studio).write_bytes(lockfile(studio).read_bytes()[:-1])
    assert found(check(studio)) == [("format", 1, None)]


def test_what_is_told_to_do_mends_order_form_and_conflicts(studio: Studio) -> None:
    right = lockfile(studio).read_bytes()
    header, one, two, _ = right.split(b"\n")
    conflict = [header, b"<<<<<<< ours", one, b"=======", two, b">>>>>>> theirs", b""]
    for lines in ([header, two, one, b""], [header, one.replace(b'":', b'": '), two, b""], conflict):
        lockfile(studio).write_bytes(b"\n".join(lines))
        assert studio.run("lock", "check", "-q").code == 1
        assert studio.run(*REWRITE).code == 0
        assert lockfile(studio).read_bytes() == right


def test_the_marks_of_a_conflict_are_told_and_both_sides_are_checked(studio: Studio) -> None:
    header, one, two, _ = lockfile(studio).read_bytes().split(b"\n")
    lines = [header, b"<<<<<<< ours", one, b"=======", two, b">>>>>>> theirs", b""]
    lockfile(studio).write_bytes(b"\n".join(lines))
    studio.prompts(one="a")
    assert found(check(studio)) == [("orphan", 1, "film:two"), ("conflict", 2, None)]


def test_all_that_is_wrong_comes_at_once(studio: Studio) -> None:
    lines = lockfile(studio).read_bytes().splitlines()
    lockfile(studio).write_bytes(b"\n".join([b"{}", b"{", lines[2].replace(b'":', b'": '), b""]))
    assert found(check(studio)) == [("header", 1, None), ("invalid", 2, None), ("format", 3, "film:two")]


def test_a_job_that_no_spec_has_is_an_orphan_and_a_renamed_one_is_told_with_its_new_name(studio: Studio) -> None:
    studio.prompts(one="a", other="c")
    ran = check(studio)
    assert found(ran) == [("orphan", 3, "film:two")]
    assert "kirin-batch prune" in ran.json["problems"][0]["message"]
    studio.prompts(one="a", second="b")
    ran = check(studio, "--complete")
    assert found(ran) == [("orphan", 3, "film:two")]
    assert "it is film:second now" in ran.json["problems"][0]["message"]


def test_complete_tells_jobs_that_are_new_or_changed_and_not_those_that_were_changed_back(studio: Studio) -> None:
    studio.prompts(one="other", two="b", three="c")
    assert check(studio).code == 0
    assert found(check(studio, "--complete")) == [("incomplete", 1, "film:three"), ("incomplete", 2, "film:one")]
    save_lockfile(
        lockfile(studio),
        {**studio.records, "film:two": replace(studio.records["film:two"], status=Status.IN_FLIGHT, outputs=())},
    )
    studio.prompts(one="a", two="b")
    assert found(check(studio, "--complete")) == [("incomplete", 3, "film:two")]


def test_results_that_are_on_disk_must_be_those_recorded_and_missing_ones_only_on_demand(studio: Studio) -> None:
    one = studio.result("film:one")
    one.write_bytes(one.read_bytes()[:-1] + b"x")
    studio.result("film:two").unlink()
    ran = check(studio)
    assert found(ran) == [("output", 2, "film:one")]
    assert "outputs/film/one/1.png is not what was recorded" in ran.json["problems"][0]["message"]
    assert found(check(studio, "--outputs")) == [("output", 2, "film:one"), ("output", 3, "film:two")]


def test_a_pointer_of_git_lfs_to_the_result_stands_for_it(studio: Studio) -> None:
    output = studio.records["film:one"].outputs[0]
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{output.sha256}\nsize {output.bytes}\n"
    studio.result("film:one").write_text(pointer)
    assert check(studio).code == 0
    assert found(check(studio, "--outputs")) == [("output", 2, "film:one")]
    studio.result("film:one").write_text(pointer.replace(str(output.sha256), "0" * 64))
    assert found(check(studio)) == [("output", 2, "film:one")]


def test_news_that_a_killed_run_left_in_the_journal_is_not_committed(studio: Studio) -> None:
    lost = studio.records["film:one"]
    journal = studio.root / ".kirin" / "journal.jsonl"
    assert journal.read_bytes() == b""
    save_lockfile(lockfile(studio), {"film:two": studio.records["film:two"]})
    journal.write_bytes(framed(render_lockfile([lost]).split(b"\n")[1]))
    assert found(check(studio)) == [("journal", 1, None)]
    assert studio.run("run").code == 0
    assert check(studio).code == 0


def framed(record: bytes) -> bytes:
    """A line of the journal."""
    news = b"[" + record + b"]"
    return b'{"crc":"%08x","news":%b}\n' % (zlib.crc32(news), news)


def test_annotations_name_the_file_from_the_root_of_the_repository(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(studio.root.parent))
    studio.prompts(one="a")
    ran = studio.run("lock", "check", "--format", "github")
    place = f"file={studio.root.name}/kirin.lock,line=3,col=1"
    assert ran.out.startswith(f"::error {place},title=orphan::film:two: no spec")
    assert (ran.code, ran.err) == (1, "kirin.lock, 2 jobs: 1 problem\n")


def test_people_get_a_line_a_problem_and_quiet_ones_a_line(studio: Studio) -> None:
    studio.prompts(one="a")
    ran = studio.run("lock", "check")
    assert ran.out.splitlines()[0].startswith("kirin.lock:3: film:two: no spec has this job any more")
    assert studio.run("lock", "check", "-q").out == "kirin.lock, 2 jobs: 1 problem\n"
