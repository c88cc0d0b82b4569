"""kirin.lock: JSON Lines, a header, then a record per job sorted by id, so that diffs are small and merges are lines.

What cannot be read is an error that names the line, never an empty lockfile: that would pay for everything again.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import jsonschema_rs
import orjson

from kirin_batch.disk import write_atomic
from kirin_batch.errors import KirinError
from kirin_batch.models import schema_text
from kirin_batch.records import Record

__all__ = ["load_lockfile", "read_record", "render_lockfile", "save_lockfile"]

_VERSION = 1
_CONFLICT_MARKS = (b"<<<<<<< ", b"=======", b">>>>>>> ", b"||||||| ")


def load_lockfile(path: Path) -> dict[str, Record]:
    """The records by job id; none where there is no file. Raises KirinError for a file that cannot be trusted."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KirinError(f"{path} cannot be read: {error.strerror}. It says what was paid for") from error
    lines = data.splitlines()
    if any(line.startswith(_CONFLICT_MARKS) for line in lines):
        raise KirinError(f"{path.name} holds the marks of a merge conflict: keep both sides' lines, sorted, then go on")
    _check_header(path, lines)
    records: dict[str, Record] = {}
    for number, line in enumerate(lines[1:], 2):
        record = read_record(line, f"{path.name}, line {number}")
        if record.job in records:
            raise KirinError(f"{path.name}, line {number}: the job {record.job} stands there twice")
        records[record.job] = record
    return records


def _check_header(path: Path, lines: list[bytes]) -> None:
    try:
        version = orjson.loads(lines[0])["kirin_lock"]
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
        raise KirinError(f"{place}: not JSON ({error}). Restore the file, it says what was paid for") from None
    if not _line_validator().is_valid(document) or "job" not in document:
        raise KirinError(f"{place}: no record of a job. Restore the file, it says what was paid for")
    return Record.from_json(document)


@cache
def _line_validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(orjson.loads(schema_text("lock")))


def render_lockfile(records: Iterable[Record]) -> bytes:
    """The whole file, sorted by job id."""
    lines = [orjson.dumps(record.as_json()) for record in sorted(records, key=lambda record: record.job)]
    return b"\n".join([orjson.dumps({"kirin_lock": _VERSION}), *lines, b""])


def save_lockfile(path: Path, records: Mapping[str, Record]) -> None:
    """Write the file in one step."""
    write_atomic(path, render_lockfile(records.values()))
