"""The program killed at every moment that matters, and run again: one task for each job and attempt, nothing lost."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from killable import KILLED, Ended, call
from power_cut import Device
from studio import Studio, open_studio

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.fault_points import FaultPoint
from kirin_batch.journal import load_records
from kirin_batch.lockfile import load_lockfile
from kirin_batch.records import Record, Status
from kirin_batch.sandbox.tasks import user_of

SETTINGS = "version: 1\npoll: {min: 0.01, max: 0.02}\n"
MOST_MOMENTS = 400
SHARES = 2  # so many tests share the moments of a story, that they may run side by side


@dataclass(frozen=True, slots=True)
class Story:
    """What a project runs: `before` whole, then `now`, which is killed. Both are jobs of a spec.

    `tasks` is how many that makes in all, `code` what the last run ends with; the first one is called with `arguments`.
    """

    now: str
    tasks: int
    before: str = ""
    arguments: tuple[str, ...] = ()
    code: int = 0


ONE = "  a: {params: {prompt: a}}\n"
PAIR = "  a: {params: {prompt: a, n: 2}}\n"
STORIES = {
    "two results": Story(PAIR, tasks=1),
    "a chain": Story(ONE + "  b: {params: {prompt: b, image: '${{ jobs.a.url }}'}}\n", tasks=2),
    "two attempts": Story("  a: {params: {prompt: fail-006001094}}\n", tasks=2, code=1),
    "refused": Story("  a: {params: {prompt: forbidden-content}}\n", tasks=0, code=1),
    "another take": Story("  a: {params: {prompt: a}, take: 2}\n", tasks=2, before=ONE),
    "renamed": Story(PAIR.replace("a:", "z:", 1), tasks=1, before=PAIR),
    "results to fetch": Story(PAIR, tasks=1, before=PAIR, arguments=("--no-download",)),
}


class Checkout:
    """A project of its own, with an account of its own at the one server."""

    def __init__(self, root: Path, studio: Studio) -> None:
        self.root, self.key = root, f"key-{root.name}"
        self._studio = studio
        (root / "specs").mkdir(parents=True)
        (root / "kirin.yaml").write_text(SETTINGS)

    def write(self, jobs: str) -> None:
        spec = f"version: 1\ndefaults: {{model: kirin_v2_image}}\njobs:\n{jobs}"
        (self.root / "specs" / "film.yaml").write_text(spec)

    def run(self, *arguments: str, kill_at: int | None = None, device: Device | None = None) -> Ended:
        return call(self.root, "run", *arguments, kill_at=kill_at, device=device, KIRIN_API_KEY=self.key)

    def prepare(self, story: Story) -> None:
        """Come to where the story is about to be killed."""
        if story.before:
            self.write(story.before)
            assert self.run(*story.arguments).code == 0
        self.write(story.now)

    def records(self) -> list[Record]:
        """All tasks that are recorded, wherever; raises where lockfile or journal cannot be trusted."""
        records = load_records(self.root / "kirin.lock", self.root / ".kirin" / "journal.jsonl")
        return [task for record in records.values() for task in (*record.earlier, record)]

    def tasks(self) -> "Counter[str]":
        """The tasks at the gateway, by external_task_id."""
        return Counter(str(task.external_id) for task in self._studio.books.of_user(user_of(self.key)))

    def check_promises(self, story: Story) -> None:
        """What the next run may lean on, whatever its specs are: each task is known, each recorded result is whole."""
        records = self.records()
        assert set(self.tasks()) <= {record.external_task_id for record in records}
        if not story.before:  # else results are about to be replaced or moved
            results = [output for record in records for output in record.outputs]
            assert all(sha256_of_file(self.root / str(output.path)) == output.sha256 for output in results)

    def check(self, story: Story) -> None:
        """Each task of the gateway is recorded once, each result of the jobs is there, and there is nothing else."""
        tasks = self.tasks()
        assert tasks == Counter(record.external_task_id for record in self.records() if record.task_id)
        assert tasks.total() == story.tasks
        current = load_lockfile(self.root / "kirin.lock").values()
        assert {record.status for record in current} == {Status.FAILED if story.code else Status.COMPLETED}
        finished = [task for record in current for task in (record, *record.earlier)]
        results = {str(output.path): output.sha256 for task in finished for output in task.outputs}
        files = {path.relative_to(self.root).as_posix() for path in self.root.glob("outputs/**/*") if path.is_file()}
        assert files == set(results)
        assert all(sha256_of_file(self.root / path) == sha256 for path, sha256 in results.items())
        assert list(self.root.rglob(f"*{PART_SUFFIX}")) == []


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    (tmp_path / "server").mkdir()
    with open_studio(tmp_path / "server", monkeypatch, capsys) as studio:
        yield studio


@pytest.mark.soak
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("end", ["kill", "power cut"])
@pytest.mark.parametrize("name", STORIES)
def test_ended_at_any_moment_the_next_run_completes_it_with_no_task_too_many(
    tmp_path: Path, studio: Studio, name: str, end: str, share: int
) -> None:
    story = STORIES[name]
    for moment in range(share, MOST_MOMENTS, SHARES):
        checkout = Checkout(tmp_path / f"moment-{moment}", studio)
        checkout.prepare(story)
        device = Device(checkout.root, tmp_path / f"device-{moment}") if end == "power cut" else None
        killed = checkout.run(kill_at=moment, device=device)
        if device:
            device.restore()
        checkout.check_promises(story)
        ended = checkout.run()
        assert ended.code == story.code, (killed.reached[-1], ended.err)
        checkout.check(story)
        if killed.code != KILLED:
            assert killed.code == story.code
            break
    else:
        pytest.fail("the run has more moments than it should")


def test_the_stories_come_to_every_moment_that_matters(tmp_path: Path, studio: Studio) -> None:
    reached: set[FaultPoint] = set()
    for number, story in enumerate(STORIES.values()):
        checkout = Checkout(tmp_path / str(number), studio)
        checkout.prepare(story)
        reached |= set(checkout.run().reached)
    assert reached == set(FaultPoint)
