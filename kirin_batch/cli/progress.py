"""What people see on stderr while a run works: a display that moves on a terminal, elsewhere a line now and then."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import click

from kirin_batch.cli.money import usd
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Observer, Silent, Stage

__all__ = ["open_display"]

_PLAIN_SECONDS = 10.0
_ENDED = frozenset({Stage.COMPLETED, Stage.FAILED, Stage.UNKNOWN, Stage.LEFT})
_TOLD = {Stage.FAILED, Stage.UNKNOWN, Stage.LEFT, Stage.RETRYING}


@contextmanager
def open_display(*, moving: bool, quiet: bool) -> Iterator[Observer]:
    """The observer that suits where stderr goes."""
    if quiet:
        yield Silent()
    elif moving:
        # Measured: importing rich takes 60 ms, which runs without a terminal need not wait for.
        from kirin_batch.cli.progress_live import LiveDisplay  # noqa: PLC0415 - see above

        with LiveDisplay() as display:
            yield display
    else:
        yield _PlainDisplay()


class _PlainDisplay:
    """A line for what went wrong at once, and a line of counts now and then."""

    def __init__(self) -> None:
        self._stages: dict[str, Stage] = {}
        self._working = 0
        self._spent = Decimal(0)
        self._last = time.monotonic()

    def began(self, jobs: int, *, working: int) -> None:
        """See Observer."""
        self._working = working
        if working:
            click.echo(f"{working} of {jobs} jobs have something to do", err=True)

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        self._stages[job.id] = stage
        if stage in _TOLD:
            click.echo(f"{job.id}: {stage}{f': {detail}' if detail else ''}", err=True)
        is_last = stage in _ENDED and sum(s in _ENDED for s in self._stages.values()) == self._working
        if is_last or time.monotonic() - self._last >= _PLAIN_SECONDS:
            self._last = time.monotonic()
            counts = Counter(self._stages.values())
            told = ", ".join(f"{counts[stage]} {stage}" for stage in Stage if counts[stage])
            waiting = self._working - len(self._stages)
            click.echo(f"{told}{f', {waiting} waiting' if waiting else ''}; {usd(self._spent)}", err=True)

    def measured(self, slots: Mapping[str, tuple[int, int]], spent: Decimal) -> None:
        """See Observer."""
        del slots
        self._spent = spent
