"""A full disk, things in the way, files that change under a run, a clock that jumps: told in a line, nothing lost.

Each story ends with a run under usual circumstances, which completes with the one task that there is.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from circumstances import room_of
from fake_clock import FakeClock
from job_samples import film, picture, plan_for, record_of
from scripted_gateway import World
from studio import Ran, Studio, draw_picture, open_studio, plain_picture

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Status

ROOM_BYTES = 20_000
BIG_BYTES = 2 * ROOM_BYTES
JUMPS = (timedelta(), timedelta(hours=-1), timedelta(days=1), timedelta(days=-365))


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text("version: 1\nlimits: {image: 1}\npoll: {min: 0.01, max: 0.02}\n")
        studio.prompts(one="a")
        yield studio


def check_error(ran: Ran, told: str) -> None:
    """One line that says what is wrong, and no bug."""
    assert ran.code == 1
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("error: ")
    assert told in ran.err


def finish(studio: Studio, *, tasks: int = 1) -> None:
    """A usual run completes all, with no task but those that there should be."""
    ran = studio.run("run", "-q")
    assert (ran.code, len(studio.books.tasks), studio.books.duplicates) == (0, tasks, 0), ran.err
    recorded = [record for record in studio.records.values() if not record.job.startswith("gone:")]
    ended = [task for record in recorded for task in (record, *record.earlier)]
    results = {output.path: output.sha256 for task in ended for output in task.outputs}
    assert results == {path: sha256_of_file(studio.root / path) for path in studio.outputs()}
    assert [path for path in studio.files() if path.endswith(PART_SUFFIX)] == []


# --- no room left -----------------------------------------------------------------------------------------------------


def fill_lockfile(studio: Studio) -> None:
    """Let it hold an earlier project's jobs: there is room for the journal, and none for all of these and one more."""
    records = (record_of(picture(f"gone:{number}")) for number in range(60))
    save_lockfile(studio.root / "kirin.lock", {record.job: record for record in records})
    assert (studio.root / "kirin.lock").stat().st_size > ROOM_BYTES


def fill_journal(studio: Studio) -> None:
    """Let a run that died have left so much news that there is no room for more."""
    fill_lockfile(studio)
    header, *lines = (studio.root / "kirin.lock").read_bytes().splitlines()
    assert header
    (studio.root / "kirin.lock").unlink()
    (studio.root / ".kirin").mkdir()
    (studio.root / ".kirin" / "journal.jsonl").write_bytes(b"".join(framed(line) for line in lines))


def framed(line: bytes) -> bytes:
    listed = b"[" + line + b"]"
    return b'{"crc":"%08x","news":%b}\n' % (zlib.crc32(listed), listed)


def serve_large_results(studio: Studio) -> None:
    studio.serve_result = lambda _: web.Response(body=plain_picture("large") + bytes(BIG_BYTES))


def write_large_spec(studio: Studio) -> None:
    """Let the manifest, which holds whatever is asked for, need more than there is."""
    studio.prompts(one="a", **{f"more{number}": f"{number}{'b' * 2000}" for number in range(10)})


@dataclass(frozen=True, slots=True)
class Full:
    """What needs more than `room_bytes`, what is told of it, and how many tasks there are by then and in the end."""

    prepare: Callable[[Studio], None]
    told: str
    tasks: int
    at_last: int = 1
    room_bytes: int = ROOM_BYTES


FULL = {
    "run lock": Full(lambda _: None, "run.json cannot be written: File too large. Nothing was sent", 0, room_bytes=60),
    "manifest": Full(
        write_large_spec, "manifest.json cannot be written: File too large. Nothing was sent", 0, at_last=11
    ),
    "journal": Full(fill_journal, "journal.jsonl cannot be written: File too large. Nothing more was sent", 0),
    "lockfile": Full(fill_lockfile, "kirin.lock cannot be written: File too large. Its news is kept in the journal", 0),
    "result": Full(serve_large_results, "the results of film:one cannot be written: [Errno 27] File too large", 1),
}


@pytest.mark.parametrize("name", FULL)
def test_without_room_a_run_ends_with_a_line_and_goes_on_when_there_is_some(studio: Studio, name: str) -> None:
    full = FULL[name]
    full.prepare(studio)
    with room_of(full.room_bytes):
        ran = studio.run("run", "-q")
    check_error(ran, full.told)
    assert len(studio.books.tasks) == full.tasks
    assert studio.outputs() == []
    finish(studio, tasks=full.at_last)


# --- things in the way ------------------------------------------------------------------------------------------------

IN_THE_WAY = {  # what lies there instead, what is told of it, and how many tasks there are by then
    ".kirin": ("file", ".kirin cannot be made: File exists", 0),
    ".kirin/run.json": ("folder", "run.json cannot be written: Is a directory. Nothing was sent", 0),
    ".kirin/manifest.json": ("folder", "manifest.json cannot be written: Is a directory. Nothing was sent", 0),
    ".kirin/journal.jsonl": ("folder", "journal.jsonl cannot be read: Is a directory. It says what was paid for", 0),
    "kirin.lock": ("folder", "kirin.lock cannot be read: Is a directory. It says what was paid for", 0),
    "outputs": ("file", "the results of film:one cannot be written: ", 1),
    "outputs/film/one": ("file", "the results of film:one cannot be written: ", 1),
}


@pytest.mark.parametrize("path", IN_THE_WAY)
def test_what_is_in_the_way_is_named_and_left_alone(studio: Studio, path: str) -> None:
    kind, told, tasks = IN_THE_WAY[path]
    place = studio.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        place.write_text("mine")
    else:
        (place / "mine").mkdir(parents=True)
    ran = studio.run("run", "-q")
    check_error(ran, told)
    assert str(place) in ran.err
    assert len(studio.books.tasks) == tasks
    place.rename(studio.root / "mine")  # it is there still
    finish(studio)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root; files in the way are tested above")
@pytest.mark.parametrize(("folder", "tasks"), [(".kirin", 0), ("outputs", 1)])
def test_a_folder_that_may_not_be_written_is_named(studio: Studio, folder: str, tasks: int) -> None:
    (studio.root / folder).mkdir(mode=0o500)
    ran = studio.run("run", "-q")
    check_error(ran, str(studio.root / folder))
    assert (len(studio.books.tasks), "Permission denied" in ran.err) == (tasks, True)
    (studio.root / folder).chmod(0o700)
    finish(studio)


def test_a_result_that_became_a_folder_is_named_what_is_in_it_stays_and_all_else_goes_on(studio: Studio) -> None:
    finish(studio)
    result = studio.result("film:one")
    result.unlink()
    result.mkdir()
    (result / "mine").write_text("mine")
    studio.prompts(one="a", two="b")
    ran = studio.run("run", "--format", "json")
    one, two = ran.json["jobs"]
    assert (ran.code, "Is a directory" in one["error"]["message"], str(result) in one["error"]["message"]) == (1, 1, 1)
    assert (two["status"], two["error"]) == ("completed", None)
    assert (result / "mine").read_text() == "mine"
    result.rename(studio.root / "mine")
    finish(studio, tasks=2)


# --- what changes under a run -----------------------------------------------------------------------------------------


def at_first_create(studio: Studio, act: Callable[[], object]) -> None:
    """Do something when the first create comes: the specs are read by then, and `limits` keep all others waiting."""
    done: list[object] = []

    def answer(request: web.Request) -> None:
        if request.method == "POST" and not done:
            done.append(act())

    studio.answer = answer


def test_a_picture_that_changes_after_it_was_checked_is_not_sent_and_all_else_goes_on(studio: Studio) -> None:
    fox = draw_picture(studio.root / "assets" / "fox.png")
    needy = "  two: {params: {prompt: b, image: ../assets/fox.png}}\n"
    studio.spec(f"  one: {{params: {{prompt: a}}}}\n{needy}  three: {{params: {{prompt: c}}}}")
    at_first_create(studio, lambda: fox.write_bytes(plain_picture("another")))
    ran = studio.run_json()
    assert (ran.code, ran.statuses) == (1, {"film:one": "completed", "film:two": "failed", "film:three": "completed"})
    assert f"{fox} has changed since it was checked: run again" in ran.out
    assert (len(studio.books.tasks), "film:two" in studio.records) == (2, False)
    finish(studio, tasks=3)


def test_a_spec_that_is_edited_during_a_run_counts_from_the_next_one_on(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    at_first_create(studio, lambda: studio.prompts(one="a", two="another", three="c"))
    ran = studio.run_json()
    assert (ran.code, ran.statuses) == (0, {"film:one": "completed", "film:two": "completed"})
    assert [task.params["prompt"] for task in studio.books.tasks.values()] == ["a", "b"]
    assert studio.run("plan", "--format", "json").actions == {
        "film:one": "none",
        "film:two": "create",
        "film:three": "create",
    }
    finish(studio, tasks=4)


def test_a_result_that_is_deleted_during_a_run_is_fetched_by_the_next(studio: Studio) -> None:
    finish(studio)
    studio.prompts(one="a", two="b")
    at_first_create(studio, lambda: studio.result("film:one").unlink())
    assert studio.run("run", "-q").code == 0
    assert len(studio.outputs()) == 1
    finish(studio, tasks=2)


# --- a clock that jumps -----------------------------------------------------------------------------------------------


class JumpingClock(FakeClock):
    """Its date jumps with each look; what it measures goes on as ever."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return datetime(2026, 1, 31, tzinfo=UTC) + JUMPS[self.looks % len(JUMPS)]


def test_a_date_that_jumps_changes_neither_what_is_done_nor_how_long_is_waited() -> None:
    jobs = [picture("s:a"), picture("s:b", needs=("s:a",)), film("s:c")]
    steady, jumping = World(), World()
    jumping.clock = jumping.gateway.clock = clock = JumpingClock()
    for world in (steady, jumping):
        outcomes = world.run(jobs, plan_for(jobs))
        assert {outcome.status for outcome in outcomes.values()} == {Status.COMPLETED}
        assert len(world.created) == 3
    assert clock.looks > len(JUMPS)
    assert clock.seconds == pytest.approx(steady.clock.seconds, rel=0.2)  # the jitter
    assert not plan_for(jobs, *jumping.memory.records.values()).has_work


@pytest.mark.parametrize("date", ["2099-12-31T23:59:59Z", "1970-01-01T00:00:00Z"])
def test_records_of_another_time_are_records(studio: Studio, date: str) -> None:
    finish(studio)
    dated = {id_: replace(record, created_at=date, finished_at=date) for id_, record in studio.records.items()}
    save_lockfile(studio.root / "kirin.lock", dated)
    studio.result("film:one").unlink()
    finish(studio)
    assert studio.records["film:one"].finished_at == date
