"""Hundreds of kills at random moments of runs of 200 jobs, beside a server that drops, delays and garbles answers.

The server's own books tell what was asked of it: one task for each job and attempt, none that is not recorded, and all
results as it served them. `KIRIN_TEST_KILLS=5000 pytest tests/durability/test_durability_kills.py` kills for many
minutes; `KIRIN_TEST_SEED` takes the seed that a failure told.
"""

import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from urllib.parse import urlsplit

import pytest
from hostile import Hostile
from killable import KILLED, Call, Ended, call, start
from studio import Studio, open_studio, served_picture

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.journal import load_records
from kirin_batch.lockfile import load_lockfile
from kirin_batch.records import Record, Status
from kirin_batch.sandbox.tasks import Task, user_of

# Read here: the tests' own environment holds nothing that begins with KIRIN.
KILLS = int(os.environ.get("KIRIN_TEST_KILLS", "200"))
SEED = os.environ.get("KIRIN_TEST_SEED")
MOST_CALLS = 1000
PATIENCE_SECONDS = 5.0  # for the first request of a run
STARTING_SHARE, STARTING_SECONDS = 0.1, 0.1
MOST_REQUESTS = 90  # a run begins with the lookups of as many jobs as there are slots
SHORTEST_SECONDS, LONGEST_SECONDS = 0.02, 0.4
SETTINGS = "version: 1\nlimits: {image: 50}\npoll: {min: 0.01, max: 0.02}\n"
JOBS = {  # how many there are, and their params
    "plain": (130, "{prompt: 'plain ${{ matrix.n }}'}"),
    "pair": (20, "{prompt: 'pair ${{ matrix.n }}', n: 2}"),
    "triple": (10, "{prompt: 'triple ${{ matrix.n }}', n: 3}"),
    "second": (15, "{prompt: second, image: '${{ jobs.plain.url }}'}"),
    "third": (10, "{prompt: third, image: '${{ jobs.second.url }}'}"),
    "failing": (6, "{prompt: 'fail-006001094 ${{ matrix.n }}'}"),
    "blocked": (4, "{prompt: blocked, image: '${{ jobs.failing.url }}'}"),
    "refused": (5, "{prompt: 'forbidden-content ${{ matrix.n }}'}"),
}
TASKS = {"failing": 2, "blocked": 0, "refused": 0}  # of one job; of any other it is one

logger = logging.getLogger(__name__)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    (tmp_path / "server").mkdir()
    with open_studio(tmp_path / "server", monkeypatch, capsys, image_slots=10_000) as studio:
        yield studio


@dataclass(frozen=True, slots=True)
class Campaign:
    """A project of 200 jobs in a folder of its own, with an account of its own, whose runs are killed."""

    root: Path
    studio: Studio
    hostile: Hostile
    random: Random

    def write(self) -> None:
        (self.root / "specs").mkdir(parents=True)
        (self.root / "kirin.yaml").write_text(SETTINGS)
        lines = [
            f"  {name}: {{matrix: {{n: {list(range(count))}}}, params: {params}}}"
            for name, (count, params) in JOBS.items()
        ]
        head = "version: 1\ndefaults: {model: kirin_v2_image}\njobs:\n"
        (self.root / "specs" / "film.yaml").write_text(head + "\n".join(lines))

    def kill_until_done(self, most: int) -> int:
        """Run and kill again and again, `most` times at most; how many kills that were."""
        kills = 0
        for _ in range(MOST_CALLS):
            if kills == most or self.is_done():
                break
            with start(self.root, "run", "-q", KIRIN_API_KEY=self.root.name) as begun:
                ended = self.kill_somewhere(begun)
            assert ended.code in {KILLED, 1, 3}, ended.err
            load_lockfile(self.root / "kirin.lock")
            kills += ended.code == KILLED
        return kills

    def kill_somewhere(self, begun: Call) -> Ended:
        """Kill it while it starts, or after some requests or some time from its first, unless it has ended by then."""
        if self.random.random() < STARTING_SHARE:
            return begun.kill(self.random.uniform(0, STARTING_SECONDS))
        first, requests = self.hostile.asked, self.random.randrange(1, MOST_REQUESTS)
        wait(begun, PATIENCE_SECONDS, lambda: self.hostile.asked > first)
        seconds = self.random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)
        wait(begun, seconds, lambda: self.hostile.asked >= first + requests)
        return begun.kill(0)

    def is_done(self) -> bool:
        ends = Counter(record.status for record in self.records().values())
        return ends == {Status.COMPLETED: 185, Status.FAILED: 11}  # what is blocked has no record

    def records(self) -> dict[str, Record]:
        return load_records(self.root / "kirin.lock", self.root / ".kirin" / "journal.jsonl")

    def tasks(self) -> list[Task]:
        return list(self.studio.books.of_user(user_of(self.root.name)))


def wait(begun: Call, seconds: float, is_so: Callable[[], bool]) -> None:
    """Until something is so or the call has ended, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so() and begun.process.exitcode is None and time.monotonic() < deadline:
        begun.process.join(0.001)


def check_books(campaign: Campaign) -> None:
    """One task for each job and attempt, and each of them is recorded, under its id at the gateway too."""
    records = load_lockfile(campaign.root / "kirin.lock")
    recorded = [task for record in records.values() for task in (record, *record.earlier) if task.task_id]
    tasks = campaign.tasks()
    assert {task.id: task.external_id for task in tasks} == {it.task_id: it.external_task_id for it in recorded}
    assert len({task.external_id for task in tasks}) == len(tasks)
    made = Counter(job.partition(":")[2].partition("[")[0] for job in (it.job for it in recorded))
    assert made == {name: count * TASKS.get(name, 1) for name, (count, _) in JOBS.items() if TASKS.get(name, 1)}


def check_results(campaign: Campaign) -> None:
    """Every result is there as the server served it, and nothing else is."""
    root = campaign.root
    recorded = {}
    for output in (output for record in campaign.records().values() for output in record.outputs):
        served = hashlib.sha256(served_picture(urlsplit(output.url).path)).hexdigest()
        assert output.path is not None
        assert output.sha256 == sha256_of_file(root / output.path) == served
        recorded[output.path] = output.url
    urls = [url for task in campaign.tasks() if task.failure is None for url in task.results]
    assert sorted(recorded.values()) == sorted(urls)
    assert {path.relative_to(root).as_posix() for path in root.glob("outputs/**/*") if path.is_file()} == set(recorded)
    assert list(root.rglob(f"*{PART_SUFFIX}")) == []


@pytest.mark.soak
def test_killed_at_any_moment_beside_a_hostile_server_each_job_has_one_task_and_its_results(
    tmp_path: Path, studio: Studio
) -> None:
    seed = int(SEED or SystemRandom().randrange(10**9))
    logger.warning("KIRIN_TEST_SEED=%d", seed)  # shown with a failure
    random, hostile, kills = Random(seed), Hostile(Random(seed)), 0  # noqa: S311 - no secret
    studio.wrap = hostile.wrap
    for number in range(KILLS):
        campaign = Campaign(tmp_path / f"campaign-{number}", studio, hostile, random)
        campaign.write()
        hostile.is_kind = False
        kills += campaign.kill_until_done(KILLS - kills)
        hostile.is_kind = True
        ended = call(campaign.root, "run", "-q", KIRIN_API_KEY=campaign.root.name)
        assert ended.code == 1, ended.err
        check_books(campaign)
        check_results(campaign)
        if kills == KILLS:
            break
    assert hostile.unasked == []
    assert set(hostile.taken_twice) <= hostile.unheard
