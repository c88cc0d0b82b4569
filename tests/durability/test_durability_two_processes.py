"""Two processes at once: on one checkout one runs and all may read, on two checkouts both end with the same tasks."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from circumstances import wait_until
from clones import SETTINGS
from killable import KILLED, Call, call, start
from studio import Studio, Wrapping, open_studio

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.journal import load_records
from kirin_batch.lockfile import load_lockfile
from kirin_batch.records import Record, Status

NAMES = tuple("abcdefgh")
PROGRESS = ["create", "resume", "fetch", "none", "pending", "in_flight", "completed"]  # of plan, then of status


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    (tmp_path / "server").mkdir()
    with open_studio(tmp_path / "server", monkeypatch, capsys, image_slots=50) as studio:
        yield studio


def checkout(root: Path, names: Iterable[str] = NAMES, *, more_settings: str = "") -> Path:
    """A project with a plain job of each name."""
    (root / "specs").mkdir(parents=True)
    (root / "kirin.yaml").write_text(SETTINGS + more_settings)
    jobs = "".join(f"  {name}: {{params: {{prompt: {name}}}}}\n" for name in names)
    (root / "specs" / "film.yaml").write_text(f"version: 1\ndefaults: {{model: kirin_v2_image}}\njobs:\n{jobs}")
    return root


def records_of(root: Path) -> dict[str, Record]:
    load_lockfile(root / "kirin.lock")
    return load_records(root / "kirin.lock", root / ".kirin" / "journal.jsonl")


def slowly(seconds: float) -> Wrapping:
    """Every answer takes so long, before the request is taken and after it."""

    async def delay(request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        answer = await handler(request)
        await asyncio.sleep(seconds)
        return answer

    return delay


def check(studio: Studio, *roots: Path, jobs: int = len(NAMES)) -> None:
    """Each job has one task at the gateway; each checkout has recorded it, and has its result."""
    tasks = Counter(task.external_id for task in studio.books.tasks.values())
    assert (len(tasks), set(tasks.values())) == (jobs, {1})
    for root in roots:
        records = load_lockfile(root / "kirin.lock").values()
        assert {record.task_id for record in records} == set(studio.books.tasks)
        assert {record.status for record in records} == {Status.COMPLETED}
        assert not any(record.earlier for record in records)
        outputs = {str(output.path): output.sha256 for record in records for output in record.outputs}
        files = {path for path in root.glob("outputs/**/*") if path.is_file()}
        assert {path.relative_to(root).as_posix(): sha256_of_file(path) for path in files} == outputs
        assert list(root.rglob(f"*{PART_SUFFIX}")) == []


def test_a_second_run_on_a_checkout_is_refused_by_name_and_the_first_goes_on(tmp_path: Path, studio: Studio) -> None:
    root = checkout(tmp_path / "one")
    studio.holds_time = True
    with start(root, "run") as first:
        wait_until(lambda: len(studio.books.tasks) == len(NAMES))
        for _ in range(3):
            second = call(root, "run", "--retry-failed")
            assert (second.code, studio.books.creates) == (5, len(NAMES))
            assert f"process {first.process.pid} on" in second.err
        studio.holds_time = False
        assert first.wait().code == 0
    check(studio, root)


def test_the_lock_is_free_as_soon_as_its_holder_is_killed(tmp_path: Path, studio: Studio) -> None:
    root = checkout(tmp_path / "one")
    studio.holds_time = True
    with start(root, "run") as first:
        wait_until(lambda: len(studio.books.tasks) == len(NAMES))
        assert first.kill(0).code == KILLED
    studio.holds_time = False
    ran = call(root, "run")
    assert ran.code == 0, ran.err
    check(studio, root)


def test_of_runs_that_begin_at_once_one_at_a_time_works_and_the_others_say_so(tmp_path: Path, studio: Studio) -> None:
    root = checkout(tmp_path / "one")
    studio.wrap = slowly(0.01)
    with ExitStack() as begun:
        runs = [begun.enter_context(start(root, "run")) for _ in range(4)]
        ended = [run.wait() for run in runs]
    assert {0} <= {end.code for end in ended} <= {0, 5}
    assert all("another run holds this project" in end.err for end in ended if end.code == 5)
    assert studio.books.creates == len(NAMES)
    check(studio, root)


@pytest.mark.soak
def test_who_reads_beside_a_run_never_sees_half_a_state_or_a_step_back(tmp_path: Path, studio: Studio) -> None:
    names = [f"job{number}" for number in range(60)]
    root = checkout(tmp_path / "one", names, more_settings="limits: {image: 4}\n")
    studio.wrap = slowly(0.01)
    seen: dict[str, list[int]] = {}
    with start(root, "run") as first:
        while first.process.exitcode is None:
            look(studio, root, seen)
        assert first.wait().code == 0
    look(studio, root, seen)
    assert [key for key, steps in seen.items() if steps != sorted(steps)] == []
    assert len(seen) == 2 * len(names)
    assert any(len(set(steps)) > 1 for steps in seen.values())  # the readings fell into the run
    check(studio, root, jobs=len(names))


def look(studio: Studio, root: Path, seen: dict[str, list[int]]) -> None:
    """Read with each command once, and note how far each job is."""
    for command, key in {"plan": "action", "status": "status"}.items():
        told = studio.run(command, "-C", str(root), "--format", "json")
        assert told.code == 0, told.err
        for row in told.json["jobs"]:
            seen.setdefault(f"{command} {row['job']}", []).append(PROGRESS.index(row[key]))
    told = studio.run("validate", "-C", str(root), "--format", "json")
    assert (told.code, told.json["valid"]) == (0, True)


@pytest.mark.parametrize("is_slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first ahead", "second ahead"])
def test_two_checkouts_of_an_account_at_once_end_with_the_same_tasks(
    tmp_path: Path, studio: Studio, order: tuple[int, int], *, is_slow: bool
) -> None:
    roots = checkout(tmp_path / "one"), checkout(tmp_path / "two", reversed(NAMES))  # they meet in the middle
    studio.wrap = slowly(0.03) if is_slow else None
    with start(roots[order[0]], "run") as ahead:
        wait_until(lambda: studio.books.queries or has_ended(ahead))
        with start(roots[order[1]], "run") as behind:
            ends = [ahead.wait(), behind.wait()]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    check(studio, *roots)


def has_ended(begun: Call) -> bool:
    return begun.process.exitcode is not None


@pytest.mark.soak
@pytest.mark.parametrize("moment", range(8, 128, 24))
def test_of_two_checkouts_at_once_the_killed_one_harms_neither(tmp_path: Path, studio: Studio, moment: int) -> None:
    roots = checkout(tmp_path / "one"), checkout(tmp_path / "two", reversed(NAMES))
    studio.wrap = slowly(0.01)
    with start(roots[0], "run", kill_at=moment) as killed, start(roots[1], "run") as other:
        assert killed.wait().code in {KILLED, 0}
        records_of(roots[0])
        ended = other.wait()
        assert ended.code == 0, ended.err
    ran = call(roots[0], "run")
    assert ran.code == 0, ran.err
    check(studio, *roots)


def test_two_checkouts_that_wait_for_one_task_both_record_it(tmp_path: Path, studio: Studio) -> None:
    roots = checkout(tmp_path / "one"), checkout(tmp_path / "two")
    studio.holds_time = True
    with start(roots[0], "run", "--format", "json") as one, start(roots[1], "run", "--format", "json") as two:
        wait_until(lambda: all(is_all_in_flight(root) for root in roots))
        studio.holds_time = False
        ends = [one.wait(), two.wait()]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    told = [{row["job"]: row["task_id"] for row in json.loads(end.out)["jobs"]} for end in ends]
    assert told[0] == told[1]
    check(studio, *roots)


def is_all_in_flight(root: Path) -> bool:
    records = records_of(root).values()
    return len(records) == len(NAMES) and all(record.task_id for record in records)
