"""The display of a run, which makes way for a question and comes back; the log is told all the while."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from kirin_batch.cli.progress import open_display
from kirin_batch.cli.run_log import RunLog
from kirin_batch.cli.shared import Shared
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Measures, Observer, Silent, Stage

__all__ = ["Screen"]


class Screen:
    """An observer that shows what it is told on the display of the moment; a context manager, which has one.

    `beside` is told the same, whatever is shown.
    """

    def __init__(self, shared: Shared, *, beside: Observer | None = None) -> None:
        self._shared = shared
        self._beside = beside or Silent()
        self._shown = ExitStack()
        self._display: Observer = Silent()
        self._log = RunLog()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._log.ended()

    def open(self) -> None:
        """Put up a new display."""
        self._display = self._shown.enter_context(open_display(self._shared))

    def close(self) -> None:
        """Take the display away: the terminal is as it was."""
        self._display = Silent()
        self._shown.close()

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer."""
        self._log.began(jobs, working=working, measure=measure)
        self._beside.began(jobs, working=working, measure=measure)
        self._display.began(jobs, working=working, measure=measure)

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        self._log.stepped(job, stage, detail)
        self._beside.stepped(job, stage, detail)
        self._display.stepped(job, stage, detail)
