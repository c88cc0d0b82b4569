"""What the live page shows: the newest state of each job, numbered as it came. Belongs to one event loop.

Nothing is queued for anybody: whoever is slow asks for what came after the last number it has seen, and gets the state
as it is then. So a reader costs no memory, and one that comes back is brought up to date.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

__all__ = ["Board", "Event"]

_MOST_ROWS = 100  # of one event


class Event(NamedTuple):
    """Something new: `data` is JSON on one line; `number` is what has been seen with it."""

    name: str
    number: int
    data: bytes


class _Row(NamedTuple):
    number: int
    data: bytes


class Board:
    """Rows by job id, the order of the jobs, measures, and the end. `readers` counts the streams that are open."""

    def __init__(self) -> None:
        self.number = 0
        self.readers = 0
        self._rows: dict[str, _Row] = {}
        self._order: tuple[str, ...] = ()
        self._ordered = 0
        self._measures = _Row(0, b"")
        self._end: bytes | None = None
        self._news = asyncio.Event()
        self._is_read = asyncio.Event()

    @property
    def rows(self) -> list[orjson.Fragment]:
        """All rows as JSON, in the order of the jobs."""
        return [orjson.Fragment(self._rows[job].data) for job in self._order if job in self._rows]

    @property
    def measures(self) -> orjson.Fragment | None:
        """The measures as JSON, if there are any."""
        return orjson.Fragment(self._measures.data) if self._measures.data else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self._end is not None

    def put(self, rows: Iterable[Mapping[str, Any]], *, order: Sequence[str]) -> None:
        """Show these rows, new or changed; jobs that `order` does not have any more are gone."""
        for row in rows:
            self.number += 1
            self._rows[row["job"]] = _Row(self.number, orjson.dumps(row))
        if self._order != (order := tuple(order)):
            self.number += 1
            self._order, self._ordered = order, self.number
            self._rows = {job: self._rows[job] for job in order if job in self._rows}
        self._tell()

    def measure(self, measures: Mapping[str, Any]) -> None:
        """Show these measures, where they are not the same as before."""
        if (data := orjson.dumps(measures)) != self._measures.data:
            self.number += 1
            self._measures = _Row(self.number, data)
            self._tell()

    def warn(self, problem: str) -> None:
        """Show what keeps the board from being brought up to date, until there are measures again."""
        self.measure({"kinds": {}, "spent": None, "problem": problem})

    def end(self) -> None:
        """Say that nothing more will come."""
        self._end = b"{}"
        self._tell()

    def news(self, seen: int) -> Iterator[Event]:
        """What came after number `seen`: not more rows than one event holds; ask again for the rest."""
        rows = sorted(row for row in self._rows.values() if row.number > seen)
        number = rows[_MOST_ROWS - 1].number if len(rows) > _MOST_ROWS else self.number
        is_reordered = self._ordered > seen and number == self.number
        if rows or is_reordered:
            order = b',"order":%b' % orjson.dumps(self._order) if is_reordered else b""
            told = b",".join(row.data for row in rows[:_MOST_ROWS])
            yield Event("jobs", number, b'{"jobs":[%b]%b}' % (told, order))
        if self._measures.number > seen:
            yield Event("measures", number, self._measures.data)
        if self._end is not None and number == self.number:
            yield Event("ended", number, self._end)

    async def wait(self, seen: int) -> None:
        """Wait for something that came after number `seen`, or for the end."""
        while self.number <= seen and self._end is None:
            await self._news.wait()

    async def wait_for_reader(self) -> None:
        """Wait until somebody looks: for nobody nothing need be made."""
        await self._is_read.wait()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a stream, while it is open."""
        self.readers += 1
        self._is_read.set()
        try:
            yield
        finally:
            self.readers -= 1
            if not self.readers:
                self._is_read.clear()

    def _tell(self) -> None:
        before, self._news = self._news, asyncio.Event()
        before.set()
