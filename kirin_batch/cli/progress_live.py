"""The display of a run on a terminal: what ended last, the jobs at work, counts by kind, a bar, money and time.

Lines are cut, never wrapped, and a job keeps its line while it works, so that nothing jumps. A thread draws; the event
loop alone measures, because a run changes beneath it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kirin_batch.cli.money import usd
from kirin_batch.cli.progress_text import beginning, kind_lines, money_line, time_left
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Measures, Stage

__all__ = ["LiveDisplay", "shorten"]

_EVENTS = 6
_ACTIVE_ROWS = 10
_OTHER_LINES = 5  # the bar, the facts, "and 3 more", the cursor's line, one to spare
_LOOK_SECONDS = 0.25  # between two looks at where the run stands
_STAGE_COLUMNS = max(len(stage) for stage in Stage)
_DETAIL_COLUMNS = 4  # "100%"
_GAP = 2
_MARKS = {
    Stage.COMPLETED: ("✓", "green"),
    Stage.FAILED: ("✗", "red"),
    Stage.UNKNOWN: ("?", "red"),
    Stage.LEFT: ("…", "yellow"),
    Stage.RETRYING: ("↻", "yellow"),
}
_ENDED = frozenset(_MARKS) - {Stage.RETRYING}


class LiveDisplay:
    """An observer that draws; a context manager, which leaves the terminal as it was."""

    def __init__(self, *, color: bool = True, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, no_color=None if color else True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._jobs = self._bar.add_task("jobs", total=0, visible=False)
        self._active: dict[str, tuple[Stage, str]] = {}
        self._widest = 0
        self._events: deque[Text] = deque(maxlen=_EVENTS)
        self._measures: Measures | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._live = Live(console=self._console, refresh_per_second=8, get_renderable=self._draw, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._next_look:
            self._next_look.cancel()
        self._live.stop()

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer."""
        if self._next_look:
            self._next_look.cancel()  # of an earlier part of the run
        self._bar.update(self._jobs, total=working, visible=working > 0)
        self._events.append(Text(beginning(jobs, working), style="dim"))
        self._look(asyncio.get_running_loop(), measure)

    def _look(self, loop: asyncio.AbstractEventLoop, measure: Callable[[], Measures]) -> None:
        self._measures = measure()
        kinds = self._measures.kinds.values()
        self._bar.update(self._jobs, completed=sum(kind.completed + kind.failed for kind in kinds))
        self._next_look = loop.call_later(_LOOK_SECONDS, self._look, loop, measure)

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        self._widest = max(self._widest, len(job.id))
        if stage in _MARKS:
            self._events.append(self._event(job, stage, detail))
        if stage in _ENDED:
            self._active.pop(job.id, None)
        else:
            self._active[job.id] = (stage, detail)

    def _event(self, job: Job, stage: Stage, detail: str) -> Text:
        mark, style = _MARKS[stage]
        told = usd(Decimal(detail)) if stage is Stage.COMPLETED and detail else detail
        name = shorten(job.id, max(20, self._console.width - len(told) - 2 * _GAP))
        return Text.assemble((f"{mark} ", style), name, (f"  {told}" if told else "", "dim"))

    def _draw(self) -> RenderableType:
        measures, events = self._measures, tuple(self._events)  # as they are now: others change them meanwhile
        kinds = list(kind_lines(measures, columns=self._console.width)) if measures else []
        facts = self._facts(measures) if measures else []
        lines = [Text(line) for line in kinds], [Text(line, style="dim") for line in facts]
        for line in (*events, *lines[0], *lines[1]):
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*events, self._rows(len(kinds) + len(facts)), *lines[0], self._bar, *lines[1])

    def _rows(self, lines_below: int) -> RenderableType:
        room = max(1, min(_ACTIVE_ROWS, self._console.height - _EVENTS - _OTHER_LINES - lines_below))
        active = list(self._active.items())
        columns = max(12, self._console.width - _STAGE_COLUMNS - _DETAIL_COLUMNS - 3 * _GAP)
        rows = Table.grid(padding=(0, _GAP, 0, 0))
        rows.add_column(no_wrap=True, min_width=min(columns, self._widest) + _GAP)
        rows.add_column(no_wrap=True, min_width=_STAGE_COLUMNS)
        rows.add_column(no_wrap=True, overflow="ellipsis")
        for job, (stage, detail) in active[:room]:
            name = f"{'':{_GAP}}{shorten(job, columns)}"
            rows.add_row(Text(name), Text(str(stage), style="cyan"), Text(detail, style="dim"))
        if len(active) > room:
            rows.add_row(Text(f"{'':{_GAP}}and {len(active) - room} more", style="dim"))
        return rows

    def _facts(self, measures: Measures) -> list[str]:
        """Money and time: in one line where it has room for them."""
        facts = [money_line(measures)]
        if measures.seconds_left is not None:
            facts.append(time_left(measures.seconds_left))
        line = "   ".join(facts)
        return [line] if len(line) <= self._console.width else facts


def shorten(text: str, columns: int) -> str:
    """`text` in at most so many columns, cut in the middle: both ends of an id tell jobs apart."""
    if len(text) <= columns:
        return text
    head = (columns - 1) // 2
    return f"{text[:head]}…{text[len(text) - (columns - 1 - head) :]}"
