"""What the page tells, as one JSON document: jobs, their tasks newest first, results, what each was made from.

Everything in it is data from specs, records and files; the page shows it as text. Paths become addresses relative to
the page, quoted, and only for files that a browser shows as what they are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from kirin_batch.records import Output, Record, Status, TaskError
from kirin_batch.report.asked import Asked, prompt_of
from kirin_batch.report.previews import Look

__all__ = ["Address", "Entry", "Files", "describe", "paths_of"]

Address = Callable[[Path, Look], str]
"""Gives the address of a file, relative to the page and quoted."""

_URL_LIFE: Final = timedelta(days=30)  # the API's pages: results are served for 30 days
_LONGEST_TEXT: Final = 5000  # a Base64 image is no prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job: how it stands, its present task if it has one, and the tasks before, newest last."""

    job: str
    model: str
    status: Status
    error: TaskError | None = None
    record: Record | None = None
    earlier: tuple[Record, ...] = ()
    asked: Asked | None = None
    is_orphan: bool = False

    @property
    def tasks(self) -> tuple[Record, ...]:
        """All tasks that are recorded, newest first."""
        return (*([self.record] if self.record else []), *reversed(self.earlier))


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a gallery is about: what each shows, by absolute path, and where the page finds them."""

    root: Path
    looks: Mapping[Path, Look]
    address: Address
    claims: Mapping[str, frozenset[str | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, looks: Mapping[Path, Look], address: Address, entries: Iterable[Entry]) -> "Files":
        """The files, with the hashes that the tasks of `entries` recorded for each path."""
        claims: dict[str, set[str | None]] = {}
        for output in (output for entry in entries for task in entry.tasks for output in task.outputs):
            if output.path is not None:
                claims.setdefault(output.path, set()).add(output.sha256)
        return cls(root, looks, address, {path: frozenset(hashes) for path, hashes in claims.items()})

    def look(self, path: str) -> Look | None:
        """What the file at a path below the root shows; None where it is not there."""
        return self.looks.get(self.root / path)


def describe(entries: Iterable[Entry], files: Files, *, title: str, version: str, now: datetime) -> dict[str, Any]:
    """The document. `now` is UTC."""
    entries = list(entries)
    return {
        "version": 1,
        "title": title,
        "program": f"kirin-batch {version}",
        "written_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "jobs": [_job(entry, files, now) for entry in entries],
    }


def _job(entry: Entry, files: Files, now: datetime) -> dict[str, Any]:
    asked = entry.asked
    return {
        "job": entry.job,
        "name": entry.job.partition(":")[2],
        "spec": entry.job.partition(":")[0],
        "model": entry.model,
        "status": str(entry.status),
        "error": entry.error.as_json() if entry.error else None,
        "is_orphan": entry.is_orphan,
        "prompt": _short(asked.prompt) if asked else "",
        "params": _short(asked.params) if asked else None,
        "tags": list(asked.tags) if asked else [],
        "needs": list(asked.needs) if asked else [],
        "take": asked.take if asked else None,
        "inputs": [_input(path, files) for path in asked.inputs] if asked else [],
        "tasks": [_task(task, files, now, is_current=task is entry.record) for task in entry.tasks],
    }


def _task(task: Record, files: Files, now: datetime, *, is_current: bool) -> dict[str, Any]:
    return {
        "is_current": is_current,
        "asked": None if is_current else _asked_then(task),
        "status": str(task.status),
        "take": task.take,
        "attempt": task.attempt,
        "cost": task.cost,
        "seconds": _seconds(task),
        "created_at": task.created_at,
        "finished_at": task.finished_at,
        "task_id": task.task_id,
        "external_task_id": task.external_task_id,
        "element_id": None if task.element_id is None else str(task.element_id),  # more digits than a browser counts
        "error": task.error.as_json() if task.error else None,
        "warnings": [str(warning) for warning in task.warnings],
        "sandbox": task.sandbox,
        "results": [_result(output, files, task, now) for output in task.outputs],
    }


def _asked_then(task: Record) -> dict[str, Any] | None:
    """What an earlier task was asked for, where it was noted: by now the job may ask for something else."""
    if task.params is None:
        return None
    return {"prompt": _short(prompt_of(task.params)), "params": _short(task.params)}


def _result(output: Output, files: Files, task: Record, now: datetime) -> dict[str, Any]:
    look = files.look(output.path) if output.path else None
    told = {"type": output.type, "path": output.path, "bytes": output.bytes, "state": _state(output, look, files)}
    if look is None or told["state"] in {"missing", "replaced"}:
        return {**told, **_away(output.url, task, now)}
    return {**told, "bytes": look.size, **_shown(files.root / str(output.path), look, files)}


def _state(output: Output, look: Look | None, files: Files) -> str:
    """`here`; `edited`: by somebody; `replaced`: a later task's result has its place; `missing`."""
    if look is None or output.path is None:
        return "missing"
    if output.sha256 in {None, look.sha256}:
        return "here"
    return "replaced" if look.sha256 in files.claims.get(output.path, ()) else "edited"


def _shown(path: Path, look: Look, files: Files) -> dict[str, Any]:
    if not look.media:
        return {}
    return {
        "media": look.media,
        "address": files.address(path, look),
        "thumbnail": f"thumbnails/{look.sha256}.webp" if look.thumbnail else None,
        "width": look.width or None,
        "height": look.height or None,
        "seconds": look.seconds,
    }


def _input(path: str, files: Files) -> dict[str, Any]:
    look = files.look(path)
    thumbnail = f"thumbnails/{look.sha256}.webp" if look and look.thumbnail else None
    return {"path": path, "thumbnail": thumbnail}


def _away(url: str, task: Record, now: datetime) -> dict[str, Any]:
    """Where a result that is not on disk may still be had: a link for https alone, and while it may live."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return {"host": ""}
    made = _moment(task.finished_at) or _moment(task.created_at)
    ends = made + _URL_LIFE if made else None
    may_live = parts.scheme == "https" and ends is not None and now < ends
    return {"host": host, "url": url if may_live else None, "url_ends": ends.strftime("%Y-%m-%d") if ends else None}


def _seconds(task: Record) -> float | None:
    began, ended = _moment(task.created_at), _moment(task.finished_at)
    return max(0.0, (ended - began).total_seconds()) if began and ended else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _short(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The value with long texts cut, which says how much was left out."""
    match value:
        case str() if len(value) > _LONGEST_TEXT:
            return f"{value[:200]}… ({len(value)} characters)"
        case Mapping():
            return {key: _short(item) for key, item in value.items()}
        case list() | tuple():
            return [_short(item) for item in value]
    return value


def paths_of(entries: Iterable[Entry]) -> Iterator[str]:
    """Every file that entries tell of, below the root: results and what they were made from."""
    for entry in entries:
        yield from (output.path for task in entry.tasks for output in task.outputs if output.path)
        yield from entry.asked.inputs if entry.asked else ()
