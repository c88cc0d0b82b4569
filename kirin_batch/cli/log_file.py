"""The program's log: one JSON object a line in the file that `--log-file` names, and its warnings for people.

Code that logs gives an event's name and its facts as `extra={"fields": {...}}`; whatever comes without is a note.
"""

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import click

__all__ = ["open_log"]

_QUERY = re.compile(r"(?P<scheme>https?://)(?:[^\s/?#@]*@)?(?P<place>[^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE)


def open_log(file: Path | None) -> None:
    """Send the program's log to the end of a file, if there is to be one, and its warnings to people.

    Raises click.BadParameter for a file that cannot be written.
    """
    logger = logging.getLogger("kirin_batch")
    logger.propagate = False
    logger.setLevel(logging.NOTSET if file is None else logging.DEBUG)  # without a file nothing is made for it
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(_Notes())
    if file is None:
        return
    try:
        logger.addHandler(_JsonLines(file))
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be written: {error.strerror}", param_hint="--log-file") from None


class _Notes(logging.Handler):
    """Shows people what the program's log warns of: on stderr, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        note = f"note: {record.getMessage()}"
        if note not in self._told:
            self._told.add(note)
            click.echo(note, err=True)


class _JsonLines(logging.FileHandler):
    """Appends a line for each record. A disk that refuses ends the log, not the run."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, encoding="ascii")
        self.setFormatter(_JsonLine())
        self._file = file

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - as logging.Handler
        logging.getLogger("kirin_batch").removeHandler(self)
        click.echo(f"note: {self._file} cannot be written any more: the log ends here", err=True)


class _JsonLine(logging.Formatter):
    """A record as one line of ASCII: no text in it can break the line or reach a terminal as a control."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "fields", None)
        event = "note" if facts is None else record.msg
        told = {"message": record.getMessage(), "source": record.name} if facts is None else facts
        line = {"time": _timestamp(record.created), "level": record.levelname.lower(), "event": event, **told}
        return json.dumps({name: _without_query(fact) for name, fact in line.items()}, default=str)


def _timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _without_query(fact: object) -> object:
    """A text without what URLs in it keep secret: signatures stand in queries, passwords before hosts."""
    return _QUERY.sub(r"\g<scheme>\g<place>", fact) if isinstance(fact, str) and "://" in fact else fact
