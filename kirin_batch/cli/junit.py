"""How a run ended as JUnit's XML: a suite a spec, a case a job. Texts of strangers are escaped and cleaned.

Source: the form that Jenkins, GitLab and the actions of GitHub read, https://github.com/testmoapp/junitxml. It is
written by hand: a module of XML takes longer to import than this document to write.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from kirin_batch.cli.rows_text import error_text
from kirin_batch.commands.rows import JobRow
from kirin_batch.errors import KirinError
from kirin_batch.records import Record, Status

__all__ = ["junit_of_error", "junit_of_run"]

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # and DEL and C1: no texts
_ESCAPED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_OF_PROGRAM = "kirin-batch"  # the suite of what concerns no job alone
_VERDICTS = {
    Status.COMPLETED: "failure",  # where it has an error: its results could not be brought
    Status.FAILED: "failure",
    Status.BLOCKED: "error",
    Status.UNKNOWN: "error",
    Status.IN_FLIGHT: "skipped",
    Status.PENDING: "skipped",
}


def junit_of_run(rows: Sequence[JobRow], *, stopped_by: KirinError | None = None) -> str:
    """The document; a failed job is a failure, a blocked or unknown one an error, and one that is not done is skipped.

    `stopped_by`, what ended the run for all jobs, is an error of the program's own suite.
    """
    suites: dict[str, list[JobRow]] = {}
    for row in rows:
        suites.setdefault(row.job.partition(":")[0], []).append(row)
    lines = [line for spec, jobs in suites.items() for line in _suite(spec, jobs)]
    return _document([*lines, *(_suite_of_error(stopped_by) if stopped_by else ())])


def junit_of_error(error: KirinError) -> str:
    """The document of a run that did not begin."""
    return _document(_suite_of_error(error))


def _document(lines: Iterable[str]) -> str:
    text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *lines, "</testsuites>"])
    return text.encode("ascii", "xmlcharrefreplace").decode()  # the same in whatever encoding stdout has


def _suite(spec: str, rows: Sequence[JobRow]) -> Iterator[str]:
    verdicts = [_verdict(row) for row in rows]
    counts = {
        "tests": len(rows),
        "failures": verdicts.count("failure"),
        "errors": verdicts.count("error"),
        "skipped": verdicts.count("skipped"),
    }
    told = "".join(f' {name}="{number}"' for name, number in counts.items())
    seconds = sum(_seconds(row.record) or 0.0 for row in rows)
    yield f'  <testsuite name="{_escape(spec)}"{told} time="{seconds:.0f}">'
    for row in rows:
        yield from _case(spec, row)
    yield "  </testsuite>"


def _case(spec: str, row: JobRow) -> Iterator[str]:
    seconds = _seconds(row.record)
    time = "" if seconds is None else f' time="{seconds:.0f}"'
    name = row.job.partition(":")[2]
    yield f'    <testcase classname="{_escape(spec)}" name="{_escape(name)}"{time}>'
    if verdict := _verdict(row):
        message = error_text(row.error) if row.error else str(row.status).replace("_", " ")
        code = row.error.code if row.error else ""
        kind = "" if verdict == "skipped" else f' type="{_escape(code or str(row.status))}"'
        yield f'      <{verdict} message="{_escape(message)}"{kind}/>'
    if row.warnings:
        yield f"      <system-out>{_escape('; '.join(map(str, row.warnings)))}</system-out>"
    yield "    </testcase>"


def _suite_of_error(error: KirinError) -> Iterator[str]:
    yield f'  <testsuite name="{_OF_PROGRAM}" tests="1" failures="0" errors="1" skipped="0">'
    yield f'    <testcase classname="{_OF_PROGRAM}" name="run">'
    yield f'      <error message="{_escape(str(error))}" type="{type(error).__name__}"/>'
    yield "    </testcase>"
    yield "  </testsuite>"


def _verdict(row: JobRow) -> str:
    is_done = row.status is Status.COMPLETED and not row.error
    return "" if is_done else _VERDICTS[row.status]


def _seconds(record: Record | None) -> float | None:
    """How long the task took, as far as it was seen; None where it has not ended."""
    if record is None or record.finished_at is None:
        return None
    took = datetime.fromisoformat(record.finished_at) - datetime.fromisoformat(record.created_at)
    return max(0.0, took.total_seconds())


def _escape(text: str) -> str:
    return _NOT_IN_XML.sub("", text).translate(_ESCAPED)
