"""`lock merge`: three lockfiles become one, and git learns to do that. Knows git's command line; reads no specs."""

import logging
import os
import shlex
import subprocess
import sys
from pathlib import Path

from kirin_batch.disk import write_atomic
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.lockfile import load_lockfile, save_lockfile
from kirin_batch.merging import Merged, merge_records
from kirin_batch.records import Record

__all__ = ["MERGE_ATTRIBUTE", "add_merge_attribute", "install_merge_driver", "merge_lockfiles"]

MERGE_ATTRIBUTE = "kirin.lock merge=kirin-lock"
"""The line of .gitattributes that gives kirin.lock its merge driver. A clone without the driver merges by lines."""

_DRIVER_NAME = "three-way merge of kirin.lock by job"

logger = logging.getLogger("kirin_batch.commands.lock")


def merge_lockfiles(base: Path, ours: Path, theirs: Path) -> Merged:
    """Merge `theirs` into the file `ours`, by job; a `base` that is empty, absent or damaged has no records.

    Raises UsageError where a side is not there, KirinError where one cannot be trusted or written; then `ours` stays as
    it was.
    """
    sides = _load_side(ours, "our side"), _load_side(theirs, "their side")
    merged = merge_records(_load_base(base), *sides)
    try:
        save_lockfile(ours, merged.records)
    except OSError as error:
        raise KirinError(f"{ours} cannot be written: {error.strerror}. It stays as it was") from error
    return merged


def _load_side(path: Path, side: str) -> dict[str, Record]:
    if not path.exists():  # to a merge it would have forgotten every job
        raise UsageError(f"{path} is not there: give three files, BASE OURS THEIRS")
    try:
        return load_lockfile(path)
    except KirinError as error:
        raise KirinError(
            f"kirin.lock is not merged, and ours stays as it was. Of {side}, {error}. "
            "Then `git checkout --merge kirin.lock` merges again"
        ) from error


def _load_base(path: Path) -> dict[str, Record]:
    """What both sides began with. Nobody can mend it any more, and without it a merge forgets less, never more."""
    try:
        return load_lockfile(path) if path.exists() and path.stat().st_size else {}
    except KirinError as error:
        logger.warning("the common ancestor counts as empty: %s", error)
        return {}


def install_merge_driver(root: Path) -> tuple[str, ...]:
    """Make git merge the kirin.lock of the project in `root` by job: in this clone's settings, and in .gitattributes.

    A sentence for each thing that was done or found done. Raises UsageError for a folder that is not there, KirinError
    where git or the disk refuses.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is no folder")
    asked = _git(root, "rev-parse", "--git-dir")
    if asked.returncode:
        told = asked.stderr.strip().removeprefix("fatal: ")
        raise KirinError(f"{root} has no git repository ({told}): run `git init`, or name the project with -C")
    # The driver first: one that has a name alone keeps git from merging at all.
    settings = {"merge.kirin-lock.driver": _driver(), "merge.kirin-lock.name": _DRIVER_NAME}
    told_settings = [_set(root, key, value) for key, value in settings.items()]
    is_new = add_merge_attribute(root)
    told_attribute = "added to .gitattributes, commit it" if is_new else "is in .gitattributes already"
    return (*told_settings, f"`{MERGE_ATTRIBUTE}` {told_attribute}")


def add_merge_attribute(root: Path) -> bool:
    """Put `MERGE_ATTRIBUTE` at the end of the .gitattributes in `root`, unless it is there; whether it was put there.

    Raises KirinError where the file cannot be read or written.
    """
    path = root / ".gitattributes"
    line = MERGE_ATTRIBUTE.encode()
    try:
        before = path.read_bytes() if path.exists() else b""
        if any(line.split() == known.split() for known in before.splitlines()):
            return False
        gap = b"\n" if before and not before.endswith(b"\n") else b""
        write_atomic(path, before + gap + line + b"\n")
    except OSError as error:
        raise KirinError(f"{path} cannot be read or written: {error.strerror}") from error
    return True


def _driver() -> str:
    """The command that git gives to sh. `-P`: what lies in the repository is not imported in place of a library."""
    program = shlex.quote(sys.executable).replace("%", "%%")
    return f"{program} -P -m kirin_batch lock merge -q %O %A %B"


def _set(root: Path, key: str, value: str) -> str:
    found = _git(root, "config", "--local", "--get", key)
    if found.returncode == 0 and found.stdout.removesuffix("\n") == value:
        return f"{key} is set already"
    done = _git(root, "config", "--local", "--replace-all", key, value)
    if done.returncode:
        raise KirinError(f"git could not set {key}: {done.stderr.strip()}")
    return f"{key} set in this clone"


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - explicit arguments, no shell
            ["git", *arguments],  # noqa: S607 - the user's own git, as they call it
            cwd=root,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # paths
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        raise KirinError(f"git cannot be started: {error.strerror}. Install it, and see that PATH has it") from error
