"""A repository of the real git in a folder, with a kirin.lock that branches change; no settings of the developer's."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from studio import CHECKOUT

from kirin_batch.lockfile import load_lockfile, save_lockfile
from kirin_batch.records import Record

__all__ = ["Repository", "isolate_git", "make_repository"]

_PEOPLE = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "A", "EMAIL": "a@example.org", "DATE": "2026-01-31T12:00:00Z"}.items()
}


def isolate_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make git the same on every machine, and let the driver that it calls find this checkout's program."""
    places = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": str(CHECKOUT)}
    for name, value in {**_PEOPLE, **places, "GIT_EDITOR": "true"}.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True, slots=True)
class Repository:
    """The project in `root`, which is the repository's own."""

    root: Path

    @property
    def lockfile(self) -> Path:
        return self.root / "kirin.lock"

    @property
    def records(self) -> dict[str, Record]:
        return load_lockfile(self.lockfile)

    def git(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Call git, which must end with `code`."""
        done = subprocess.run(  # noqa: S603 - the arguments of a test
            ["git", *arguments],  # noqa: S607 - the machine's git
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def commit(self, *records: Record) -> None:
        """Commit a kirin.lock with these records, and all else that is new."""
        save_lockfile(self.lockfile, {record.job: record for record in records})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a run")

    def fork(self, base: Iterable[Record], *, ours: Iterable[Record], theirs: Iterable[Record]) -> None:
        """Two branches from `base`, of which `ours` is checked out."""
        self.commit(*base)
        self.git("checkout", "--quiet", "-b", "theirs")
        self.commit(*theirs)
        self.git("checkout", "--quiet", "-b", "ours", "HEAD~1")
        self.commit(*ours)

    def unmerged(self) -> list[str]:
        """The paths in conflict."""
        return self.git("diff", "--name-only", "--diff-filter=U").stdout.splitlines()


def make_repository(root: Path) -> Repository:
    """An empty repository in `root`."""
    root.mkdir(parents=True, exist_ok=True)
    repository = Repository(root)
    repository.git("init", "--quiet", "--initial-branch=main")
    return repository
