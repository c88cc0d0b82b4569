"""`whence`: what a file is by its content, whatever it is called by now; no network, nothing written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kirin_batch.commands.credentials import known_secrets
from kirin_batch.commands.workspace import Workspace
from kirin_batch.disk import sha256_of_file
from kirin_batch.documents import Document, read_document
from kirin_batch.errors import UsageError
from kirin_batch.journal import load_records
from kirin_batch.outputs.sidecar import public_params
from kirin_batch.records import Output, Record
from kirin_batch.specs.sheets import spec_name

__all__ = ["Origin", "Traced", "trace_files"]


@dataclass(frozen=True, slots=True)
class Origin:
    """A task that made a content, as result `number` (from 1) of it.

    `spec` and `line` are where its job stands today, None where no spec has it. `params` are those that the spec asks
    with, images by their content; None where it asks for something else by now. `is_current`: the task is the job's
    present one.
    """

    task: Record
    number: int
    is_current: bool
    spec: str | None = None
    line: int | None = None
    params: Mapping[str, Any] | None = None

    @property
    def output(self) -> Output:
        """The result as it is recorded."""
        return self.task.outputs[self.number - 1]


@dataclass(frozen=True, slots=True)
class Traced:
    """A file with all that is known of its content, present tasks first; no origins where nothing is."""

    file: Path
    sha256: str
    origins: tuple[Origin, ...]


def trace_files(workspace: Workspace, files: Sequence[Path]) -> list[Traced]:
    """Where each file comes from, by its SHA-256 among all takes and attempts that are recorded.

    Specs may be invalid. Raises UsageError for a file that cannot be read, KirinError where the lockfile cannot be.
    """
    hashes = [_hash(file) for file in files]
    project = workspace.project
    wanted = set(hashes)
    origins: dict[str, list[Origin]] = {sha256: [] for sha256 in wanted}
    places = _Places(workspace)
    for record in load_records(project.lockfile, project.journal).values():
        for task, number, sha256 in _results(record):
            if sha256 in wanted:
                origins[sha256].append(places.origin(task, number, is_current=task is record))
    for found in origins.values():
        found.sort(key=lambda origin: (not origin.is_current, origin.task.job))
    return [Traced(file, sha256, tuple(origins[sha256])) for file, sha256 in zip(files, hashes, strict=True)]


def _hash(file: Path) -> str:
    try:
        return sha256_of_file(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _results(record: Record) -> Iterator[tuple[Record, int, str | None]]:
    for task in (record, *reversed(record.earlier)):
        for number, output in enumerate(task.outputs, 1):
            yield task, number, output.sha256


class _Places:
    """Where jobs are written; a spec is read again for that, so that one with errors tells as well."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._secrets = known_secrets(workspace.project.settings.env)
        self._documents: dict[str, Document | None] = {}

    def origin(self, task: Record, number: int, *, is_current: bool) -> Origin:
        job = self._workspace.specs.jobs.get(task.job)
        params = public_params(job, secrets=self._secrets) if job and job.digest == task.digest else None
        spec, _, name = task.job.partition(":")
        path = ("jobs", name.partition("[")[0])
        for file in self._files(spec):
            document = self._document(file)
            if document and path[1] in _jobs_of(document):
                return Origin(task, number, is_current, file, document.line_of(path), params)
        return Origin(task, number, is_current)

    def _files(self, spec: str) -> Iterable[str]:
        return (file for file in self._workspace.specs.files if spec_name(file) == spec)

    def _document(self, file: str) -> Document | None:
        if file not in self._documents:
            project = self._workspace.project
            found = read_document(project.root / file, file, max_mb=project.settings.spec_max_mb)
            self._documents[file] = found if isinstance(found, Document) else None
        return self._documents[file]


def _jobs_of(document: Document) -> Mapping[str, Any]:
    jobs = document.value.get("jobs") if isinstance(document.value, dict) else None
    return jobs if isinstance(jobs, dict) else {}
