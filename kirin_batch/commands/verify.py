"""`verify`: every recorded result against its SHA-256; no network, nothing written, no spec read."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from kirin_batch.journal import load_records
from kirin_batch.naming import is_foreign
from kirin_batch.project import Project
from kirin_batch.records import Output, Record

__all__ = ["Checked", "Verdict", "Verification", "verify_project"]

_THREADS = min(8, (os.cpu_count() or 1) + 2)  # hashing leaves the interpreter to others; disks answer several at once
_BATCH = 64  # results that a thread takes at once
_PIECE_BYTES = 1024 * 1024
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a pipe under a result's name must not be waited for


class Verdict(StrEnum):
    """What became of a recorded result. `never_fetched`: it was not on disk when it was recorded, nor hashed."""

    OK = "ok"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    NEVER_FETCHED = "never_fetched"


@dataclass(frozen=True, slots=True)
class Checked:
    """One result of one job, and why it is not as it was recorded, where that is so."""

    job: str
    output: Output
    verdict: Verdict
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`."""
        return {
            "job": self.job,
            "path": self.output.path,
            "sha256": self.output.sha256,
            "status": str(self.verdict),
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """Findings by job, results in their order."""

    findings: tuple[Checked, ...]

    def count(self) -> dict[str, int]:
        """How many results each verdict has, in the order of `Verdict`, zeros too."""
        verdicts = [finding.verdict for finding in self.findings]
        return {str(verdict): verdicts.count(verdict) for verdict in Verdict}

    @property
    def is_sound(self) -> bool:
        """Whether all that was on disk is there as it was recorded."""
        return all(finding.verdict in {Verdict.OK, Verdict.NEVER_FETCHED} for finding in self.findings)


def verify_project(
    project: Project, *, begin: Callable[[int], None] | None = None, advance: Callable[[int], None] | None = None
) -> Verification:
    """Hash every recorded result, in threads. `begin` hears how many there are, `advance` how many more are done.

    Raises KirinError for a lockfile that cannot be trusted.
    """
    records = load_records(project.lockfile, project.journal)
    recorded = list(_recorded(project.root, [record for _, record in sorted(records.items())]))
    if begin:
        begin(len(recorded))
    judge = partial(_judge_all, str(project.root), keeps_inside=not project.settings.allow_outside)
    batches = [recorded[start : start + _BATCH] for start in range(0, len(recorded), _BATCH)]
    findings: list[Checked] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        for found in threads.map(judge, batches):
            findings += found
            if advance:
                advance(len(found))
    return Verification(tuple(findings))


def _recorded(root: Path, records: Sequence[Record]) -> Iterator[tuple[str, Output]]:
    """The results of each job's task, and those of its earlier ones that lie where no later result does.

    Earlier ones need not be there: nothing brings them back.
    """
    taken = {output.path for record in records for output in record.outputs}
    for record in records:
        yield from ((record.job, output) for output in record.outputs)
        for output in (output for task in reversed(record.earlier) for output in task.outputs):
            if output.path is None or output.path in taken or is_foreign(output.path):
                continue
            if (root / output.path).is_file():
                taken.add(output.path)
                yield record.job, output


def _judge_all(root: str, recorded: Iterable[tuple[str, Output]], *, keeps_inside: bool) -> list[Checked]:
    return [Checked(job, output, *_judge(root, output, keeps_inside=keeps_inside)) for job, output in recorded]


def _judge(root: str, output: Output, *, keeps_inside: bool) -> tuple[Verdict, str]:
    if output.path is None or output.sha256 is None:
        return Verdict.NEVER_FETCHED, ""
    if keeps_inside and is_foreign(output.path):
        return Verdict.UNREADABLE, "it is outside the project"
    try:
        descriptor = os.open(os.path.join(root, output.path), _OPEN_FLAGS)  # noqa: PTH118 - a Path costs as much as a file
    except (FileNotFoundError, NotADirectoryError):
        return Verdict.MISSING, ""
    except OSError as error:
        return Verdict.UNREADABLE, error.strerror or str(error)
    try:
        return _compare(descriptor, output)
    except OSError as error:
        return Verdict.UNREADABLE, error.strerror or str(error)
    finally:
        os.close(descriptor)


def _compare(descriptor: int, output: Output) -> tuple[Verdict, str]:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Verdict.UNREADABLE, "it is no file"
    if output.bytes not in {None, status.st_size}:
        return Verdict.CHANGED, f"it has {status.st_size} bytes, and had {output.bytes}"
    digest = hashlib.sha256()
    while piece := os.read(descriptor, _PIECE_BYTES):
        digest.update(piece)
    return (Verdict.OK, "") if digest.hexdigest() == output.sha256 else (Verdict.CHANGED, "its SHA-256 is another one")
