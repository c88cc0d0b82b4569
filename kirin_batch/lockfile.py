"""kirin.lock: JSON Lines, a header, then a record per job sorted by id, so that diffs are small and merges are lines.

What cannot be read is an error that names the line, never an empty lockfile: that would pay for everything again.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema_rs
import orjson

from kirin_batch.disk import write_atomic
from kirin_batch.errors import KirinError
from kirin_batch.merging import merge_records
from kirin_batch.models import schema_text
from kirin_batch.records import Record

__all__ = ["holds_conflict", "load_lockfile", "read_document", "read_record", "render_lockfile", "save_lockfile"]

_VERSION = 1
_Line: TypeAlias = tuple[int, bytes]
"""A line of the file with its number."""
_OURS, _BASE, _THEIRS, _END = b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>"
_FOLLOWERS = {_END: (_OURS,), _OURS: (_BASE, _THEIRS), _BASE: (_THEIRS,), _THEIRS: (_END,)}
_RESTORE = "Restore the file, it says what was paid for"


logger = logging.getLogger("kirin_batch.lockfile")


def load_lockfile(path: Path) -> dict[str, Record]:
    """The records by job id; none where there is no file.

    A file with the marks of a merge conflict is the union of its sides, which is logged as a warning. Raises KirinError
    for a file that cannot be trusted.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KirinError(f"{path} cannot be read: {error.strerror}. It says what was paid for") from error
    lines = list(enumerate(data.splitlines(), 1))
    if not any(_mark_of(line) for _, line in lines):
        return _read_side(path, lines)
    ours, theirs = (_read_side(path, side) for side in _split_conflict(path, lines))
    merged = merge_records({}, ours, theirs)
    logger.warning("%s holds a merge conflict: both sides count, and the next run writes them as one", path.name)
    for told in merged.paid_twice:
        logger.warning("%s", told)
    return merged.records


def holds_conflict(path: Path) -> bool:
    """Whether the file has the marks of a merge conflict, which the next save removes."""
    return path.exists() and any(_mark_of(line) for line in path.read_bytes().splitlines())


def _read_side(path: Path, lines: Sequence[_Line]) -> dict[str, Record]:
    _check_header(path, lines)
    records: dict[str, Record] = {}
    for number, line in lines[1:]:
        record = read_record(line, f"{path.name}, line {number}")
        if record.job in records:
            raise KirinError(f"{path.name}, line {number}: the job {record.job} stands there twice")
        records[record.job] = record
    return records


def _split_conflict(path: Path, lines: Iterable[_Line]) -> tuple[list[_Line], list[_Line]]:
    """What git wrote as ours and as theirs, each with the lines that both share; the base between them is history."""
    ours: list[_Line] = []
    theirs: list[_Line] = []
    sides = {_OURS: (ours,), _BASE: (), _THEIRS: (theirs,), _END: (ours, theirs)}
    last = _END
    for number, line in lines:
        mark = _mark_of(line)
        if mark is None:
            for side in sides[last]:
                side.append((number, line))
        elif mark in _FOLLOWERS[last]:
            last = mark
        else:
            raise KirinError(f"{path.name}, line {number}: a mark of a merge conflict at the wrong place. {_RESTORE}")
    if last != _END:
        raise KirinError(f"{path.name} ends within a merge conflict. {_RESTORE}")
    return ours, theirs


def _mark_of(line: bytes) -> bytes | None:
    """The mark that a line is. Those of a conflict within the base are longer, and history as the base is."""
    mark = line.partition(b" ")[0]
    return mark if mark in _FOLLOWERS else None


def _check_header(path: Path, lines: Sequence[_Line]) -> None:
    try:
        version = orjson.loads(lines[0][1])["kirin_lock"]
    except (IndexError, KeyError, TypeError, orjson.JSONDecodeError):
        raise KirinError(
            f"{path.name} is no lockfile: its first line is not the header. Restore it (`git checkout {path.name}`)"
        ) from None
    if version != _VERSION:
        told = f"{path.name} has version {version}, this program reads version {_VERSION}"
        raise KirinError(f"{told}: update kirin-batch")


def read_record(line: bytes, place: str) -> Record:
    """The record of one line. Raises KirinError that names `place` where the line is none."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise KirinError(f"{place}: not JSON ({error}). {_RESTORE}") from None
    return read_document(document, place)


def read_document(document: Any, place: str) -> Record:  # noqa: ANN401 - any JSON
    """The record of one line that is parsed. Raises KirinError that names `place` where it is none."""
    if not _line_validator().is_valid(document) or "job" not in document:
        raise KirinError(f"{place}: no record of a job. {_RESTORE}")
    return Record.from_json(document)


@cache
def _line_validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(orjson.loads(schema_text("lock")))


def render_lockfile(records: Iterable[Record]) -> bytes:
    """The whole file, sorted by job id."""
    return b"".join(_lines(records))


def _lines(records: Iterable[Record]) -> Iterator[bytes]:
    yield orjson.dumps({"kirin_lock": _VERSION}, option=orjson.OPT_APPEND_NEWLINE)
    for record in sorted(records, key=lambda record: record.job):
        yield orjson.dumps(record.as_json(), option=orjson.OPT_APPEND_NEWLINE)


def save_lockfile(path: Path, records: Mapping[str, Record]) -> None:
    """Write the file in one step; where a link leads to it, the link stays."""
    write_atomic(path.resolve(), _lines(records.values()))
