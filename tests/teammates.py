"""Two people, each with a clone of one bare repository, and their account, whose books tell what was paid."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
from clones import SETTINGS
from git_repository import Repository, isolate_git
from killable import Ended, call
from studio import Studio, open_studio

from kirin_batch.commands.lock import MERGE_ATTRIBUTE
from kirin_batch.journal import load_records
from kirin_batch.lockfile import holds_conflict
from kirin_batch.records import Record

__all__ = ["Team", "Teammate", "Way", "open_team"]

_CHECKS = (("plan", "--detailed-exitcode"), ("lock", "check", "--complete", "--outputs"), ("verify",))


class Way(StrEnum):
    """How a team merges: with the driver as the README has it installed, or without it; then git leaves marks."""

    DRIVER = "driver"
    MARKS_LEFT = "marks left"
    MARKS_COMMITTED = "marks and outputs committed"


@dataclass(frozen=True, slots=True)
class Teammate:
    """One of them; commands are processes, and git is the real one."""

    clone: Repository

    @property
    def root(self) -> Path:
        return self.clone.root

    @property
    def records(self) -> dict[str, Record]:
        """What lockfile and journal hold."""
        return load_records(self.clone.lockfile, self.root / ".kirin" / "journal.jsonl")

    def call(self, *arguments: str, code: int = 0) -> Ended:
        """Call a command, which must end with `code`."""
        ended = call(self.root, *arguments)
        assert ended.code == code, f"{self.root.name}: {arguments}\n{ended.out}{ended.err}"
        return ended

    def git(self, *arguments: str, code: int = 0) -> str:
        return self.clone.git(*arguments, code=code).stdout

    def spec(self, file: str, **prompts: str) -> None:
        """Write a spec with a job of each name, far enough from the next for git to merge changes of both."""
        jobs = (f"  {job}: {{params: {{prompt: {prompt}}}}}\n  #\n  #\n  #\n" for job, prompt in prompts.items())
        path = self.root / "specs" / f"{file}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("version: 1\ndefaults: {model: kirin_v2_image}\njobs:\n" + "".join(jobs))

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")

    def push(self) -> None:
        self.git("push", "--quiet", "--set-upstream", "origin", "HEAD")

    def submit(self) -> None:
        """Run, and push what that recorded."""
        self.call("run")
        self.commit()
        self.push()

    def pull_main(self) -> None:
        self.git("checkout", "--quiet", "main")
        self.git("pull", "--quiet", "--ff-only")

    def check(self) -> None:
        """Nothing is left to do, nothing is wrong, and to ask for that writes nothing."""
        before = self.git("status", "--porcelain")
        for command in _CHECKS:
            self.call(*command)
        assert self.git("status", "--porcelain") == before


@dataclass(frozen=True, slots=True)
class Team:
    """Ann and Bob; main has a project with a spec, and what Ann's run of it recorded."""

    ann: Teammate
    bob: Teammate
    studio: Studio
    way: Way

    def paid(self) -> Counter[object]:
        """How many tasks the account has, by prompt."""
        return Counter(task.params["prompt"] for task in self.studio.books.tasks.values())

    def on_branches(self) -> Iterator[tuple[str, Teammate]]:
        """Each of them with a branch of that name, which begins at main."""
        for name, teammate in {"ann": self.ann, "bob": self.bob}.items():
            teammate.git("checkout", "--quiet", "-b", name, "main")
            yield name, teammate

    def merge_both(self, *in_conflict: str, choose: str = "") -> None:
        """Ann brings both branches to main; of what is `in_conflict` besides kirin.lock she chooses a side."""
        ann = self.ann
        ann.git("fetch", "--quiet")
        ann.git("checkout", "--quiet", "main")
        ann.git("merge", "--quiet", "--no-edit", "ann")
        expected = {*in_conflict, *(() if self.way is Way.DRIVER else ("kirin.lock",))}
        ann.git("merge", "--no-edit", "origin/bob", code=1 if expected else 0)
        assert set(ann.clone.unmerged()) == expected
        assert holds_conflict(ann.clone.lockfile) == (self.way is not Way.DRIVER)
        if in_conflict:
            ann.git("checkout", f"--{choose}", "--", *in_conflict)
        if self.way is Way.MARKS_COMMITTED:
            ann.commit()
            ann.call("lock", "check", code=1)

    def publish(self) -> None:
        """Ann runs main and pushes it, and Bob brings what he lacks; for both nothing is left to do then.

        That nothing is paid twice would hold by the ids alone: what was paid for has to be known before anybody asks.
        """
        planned = self.ann.call("plan", "--format", "json").out
        assert {row["action"] for row in json.loads(planned)["jobs"]} <= {"none", "fetch", "move", "orphan"}
        self.ann.submit()
        self.bob.pull_main()
        self.bob.call("fetch")  # which records where it put results of earlier tasks
        self.bob.check()
        self.bob.commit()
        self.bob.push()
        self.ann.pull_main()
        self.ann.check()


@contextmanager
def open_team(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: Way
) -> Iterator[Team]:
    """A team in `folder`, and the gateway of its account."""
    isolate_git(monkeypatch)
    (folder / "server").mkdir()
    Repository(folder).git("init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    with open_studio(folder / "server", monkeypatch, capsys) as studio:
        ann = _clone(folder, "ann")
        (ann.root / "kirin.yaml").write_text(SETTINGS)
        (ann.root / ".gitignore").write_text("" if way is Way.MARKS_COMMITTED else "/outputs/\n")
        (ann.root / ".gitattributes").write_text(f"{MERGE_ATTRIBUTE}\n")  # as `init` leaves it
        ann.spec("film", hero="a fox", sky="a red sky")
        ann.submit()
        bob = _clone(folder, "bob")
        for teammate in (ann, bob) if way is Way.DRIVER else ():
            teammate.call("lock", "merge", "--install")
        yield Team(ann, bob, studio, way)


def _clone(folder: Path, name: str) -> Teammate:
    Repository(folder).git("clone", "--quiet", "origin.git", name)
    return Teammate(Repository(folder / name))
