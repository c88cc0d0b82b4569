"""The display of a run on a terminal: what ended last, the jobs at work, a bar, slots and money.

Lines are cut, never wrapped, and a job keeps its line while it works, so that nothing jumps.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kirin_batch.cli.money import usd
from kirin_batch.cli.progress import beginning
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Stage

__all__ = ["LiveDisplay", "shorten"]

_EVENTS = 6
_ACTIVE_ROWS = 10
_OTHER_LINES = 5  # the bar, the facts, "and 3 more", the cursor's line, one to spare
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
        self._known: set[str] = set()
        self._working = 0
        self._widest = 0
        self._events: deque[Text] = deque(maxlen=_EVENTS)
        self._slots: Mapping[str, tuple[int, int]] = {}
        self._spent = Decimal(0)
        self._live = Live(console=self._console, refresh_per_second=8, get_renderable=self._draw, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def began(self, jobs: int, *, working: int) -> None:
        """See Observer."""
        self._working = working
        self._bar.update(self._jobs, total=working, visible=working > 0)
        self._events.append(Text(beginning(jobs, working), style="dim"))

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        self._known.add(job.id)
        self._widest = max(self._widest, len(job.id))
        if stage in _MARKS:
            self._events.append(self._event(job, stage, detail))
        if stage in _ENDED:
            self._active.pop(job.id, None)
            self._bar.advance(self._jobs)
        else:
            self._active[job.id] = (stage, detail)

    def measured(self, slots: Mapping[str, tuple[int, int]], spent: Decimal) -> None:
        """See Observer."""
        self._slots, self._spent = slots, spent

    def _event(self, job: Job, stage: Stage, detail: str) -> Text:
        mark, style = _MARKS[stage]
        told = usd(Decimal(detail)) if stage is Stage.COMPLETED and detail else detail
        name = shorten(job.id, max(20, self._console.width - len(told) - 2 * _GAP))
        return Text.assemble((f"{mark} ", style), name, (f"  {told}" if told else "", "dim"))

    def _draw(self) -> RenderableType:
        for event in self._events:
            event.no_wrap, event.overflow = True, "ellipsis"
        facts = Text("   ".join(self._facts()), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(*self._events, self._rows(), self._bar, facts)

    def _rows(self) -> RenderableType:
        room = max(1, min(_ACTIVE_ROWS, self._console.height - _EVENTS - _OTHER_LINES))
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

    def _facts(self) -> Iterator[str]:
        if self._slots:
            yield "slots: " + ", ".join(f"{kind} {used}/{limit}" for kind, (used, limit) in self._slots.items())
            yield f"spent: {usd(self._spent)}"
        if waiting := self._working - len(self._known):
            yield f"waiting: {waiting}"


def shorten(text: str, columns: int) -> str:
    """`text` in at most so many columns, cut in the middle: both ends of an id tell jobs apart."""
    if len(text) <= columns:
        return text
    head = (columns - 1) // 2
    return f"{text[:head]}…{text[len(text) - (columns - 1 - head) :]}"
