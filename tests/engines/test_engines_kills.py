"""Workers and drivers that are killed: each job has one task and its results, and the account's slots are kept.

The gateway counts slots as the real one does, and refuses what overdraws them: a refusal is a fault of the driver.
"""

import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dask_machines import Machines, counting_gateway, open_machines
from killable import KILLED, Call, start
from studio import KEY

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.journal import load_records
from kirin_batch.records import Record, Status
from kirin_batch.sandbox import Sandbox

pytest.importorskip("distributed", reason="the extra `distributed` is not installed")

PATIENCE_SECONDS = 60.0
SHARE_OF_CHAINS = 5  # of so many jobs one goes on with the picture of another


@dataclass(frozen=True, slots=True)
class Campaign:
    """A project of so many jobs, a cluster, and a gateway with its books."""

    root: Path
    machines: Machines
    gateway: Sandbox
    jobs: int

    def write(self, *, slots: int) -> None:
        singles = self.jobs - self.jobs // SHARE_OF_CHAINS
        firsts, seconds = list(range(singles)), list(range(self.jobs - singles))
        (self.root / "specs").mkdir(parents=True)
        (self.root / "kirin.yaml").write_text(
            f"version: 1\nlimits: {{image: {slots}}}\npoll: {{min: 0.05, max: 0.3}}\n"
        )
        (self.root / "specs" / "film.yaml").write_text(
            "version: 1\ndefaults: {model: kirin_v2_image}\njobs:\n"
            f"  one: {{matrix: {{n: {firsts}}}, params: {{prompt: 'one ${{{{ matrix.n }}}}'}}}}\n"
            f"  two: {{matrix: {{n: {seconds}}}, params: {{prompt: 'two ${{{{ matrix.n }}}}', "
            "image: '${{ jobs.one.file }}'}}\n"
        )

    def start(self) -> AbstractContextManager[Call]:
        return start(
            self.root,
            "run",
            "-q",
            "--engine",
            "dask",
            "--scheduler",
            self.machines.address,
            KIRIN_BASE_URL=self.gateway.base_url,
            KIRIN_API_KEY=KEY,
        )

    def records(self) -> dict[str, Record]:
        return load_records(self.root / "kirin.lock", self.root / ".kirin" / "journal.jsonl")

    def wait_for(self, results: int) -> None:
        """Wait until so many results are there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while sum(path.is_file() for path in self.root.glob("outputs/*/*/*")) < results:
            assert time.monotonic() < deadline
            time.sleep(0.1)  # more often it would take the processor from what it waits for

    def check(self, *, slots: int) -> None:
        books, records = self.gateway.books, self.records().values()
        tasks = Counter(str(task.external_id) for task in books.tasks.values())
        assert (len(tasks), set(tasks.values())) == (self.jobs, {1})
        assert (books.refusals, books.peak_slots["image"] <= slots) == (Counter(), True)
        assert {record.task_id for record in records} == set(books.tasks)
        assert Counter(record.status for record in records) == {Status.COMPLETED: self.jobs}
        results = {str(output.path): output.sha256 for record in records for output in record.outputs}
        files = [path for path in self.root.glob("outputs/**/*") if path.is_file()]
        assert {path.relative_to(self.root).as_posix(): sha256_of_file(path) for path in files} == results
        assert (len(results), list(self.root.rglob(f"*{PART_SUFFIX}"))) == (self.jobs, [])


def run_with_kills(tmp_path: Path, *, jobs: int, slots: int, speed: float) -> None:
    """Kill a worker half way and the driver later; then the same command completes it."""
    with (
        open_machines(tmp_path / "dask") as machines,
        counting_gateway(image_slots=slots, speed=speed) as gateway,
    ):
        campaign = Campaign(tmp_path / "project", machines, gateway, jobs)
        campaign.write(slots=slots)
        with campaign.start() as begun:
            campaign.wait_for(jobs // 4)
            machines.workers[0].kill()
            machines.start_worker()
            campaign.wait_for(jobs // 2)
            assert begun.kill(0).code == KILLED
        with campaign.start() as begun:
            ended = begun.wait()
        assert ended.code == 0, ended.err
        campaign.check(slots=slots)


@pytest.mark.soak
def test_a_worker_and_the_driver_are_killed_and_each_job_has_one_task(tmp_path: Path) -> None:
    run_with_kills(tmp_path, jobs=40, slots=10, speed=60)


@pytest.mark.soak
def test_of_500_jobs_none_is_lost_or_made_twice(tmp_path: Path) -> None:
    run_with_kills(tmp_path, jobs=500, slots=60, speed=30)


@pytest.mark.soak
def test_a_scheduler_that_restarts_is_waited_for(tmp_path: Path) -> None:
    with (
        open_machines(tmp_path / "dask") as machines,
        counting_gateway(image_slots=10, speed=20) as gateway,
    ):
        campaign = Campaign(tmp_path / "project", machines, gateway, 40)
        campaign.write(slots=10)
        with campaign.start() as begun:
            campaign.wait_for(10)
            machines.restart()
            ended = begun.wait()
        assert ended.code == 0, ended.err
        campaign.check(slots=10)
