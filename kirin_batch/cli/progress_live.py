"""The display of a run on a terminal."""

from collections import Counter, deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kirin_batch.cli.money import usd
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Stage

__all__ = ["LiveDisplay"]

_EVENTS = 6
_ACTIVE_ROWS = 10
_ENDED = {
    Stage.COMPLETED: ("✓", "green"),
    Stage.FAILED: ("✗", "red"),
    Stage.UNKNOWN: ("?", "red"),
    Stage.LEFT: ("…", "yellow"),
}


class LiveDisplay:
    """A bar a kind, the jobs at work, the last events, slots and money; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._kinds: dict[str, TaskID] = {}
        self._active: dict[str, tuple[Stage, str]] = {}
        self._known: set[str] = set()
        self._events: deque[Text] = deque(maxlen=_EVENTS)
        self._ended: Counter[Stage] = Counter()
        self._slots: Mapping[str, tuple[int, int]] = {}
        self._spent = Decimal(0)
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._draw, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def began(self, jobs: int, *, working: int) -> None:
        """See Observer."""
        self._kinds["jobs"] = self._bars.add_task("jobs", total=working, visible=working > 0)
        self._events.append(Text(f"{working} of {jobs} jobs have something to do", style="dim"))

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        if stage not in _ENDED:
            self._active[job.id] = (stage, detail)
            return
        self._active.pop(job.id, None)
        mark, style = _ENDED[stage]
        self._ended[stage] += 1
        self._bars.advance(self._kinds["jobs"])
        self._events.append(Text.assemble((f"{mark} ", style), job.id, (f"  {detail}" if detail else "", "dim")))

    def measured(self, slots: Mapping[str, tuple[int, int]], spent: Decimal) -> None:
        """See Observer."""
        self._slots, self._spent = slots, spent

    def _draw(self) -> RenderableType:
        rows = Table.grid(padding=(0, 2))
        for job, (stage, detail) in list(self._active.items())[:_ACTIVE_ROWS]:
            rows.add_row(Text(f"  {job}"), Text(str(stage), style="cyan"), Text(detail, style="dim"))
        if len(self._active) > _ACTIVE_ROWS:
            rows.add_row(Text(f"  and {len(self._active) - _ACTIVE_ROWS} more", style="dim"))
        slots = ", ".join(f"{kind} {used}/{limit}" for kind, (used, limit) in self._slots.items())
        facts = Text(f"slots: {slots}   spent: {usd(self._spent)}" if slots else "", style="dim")
        return Group(*self._events, rows, self._bars, facts)
