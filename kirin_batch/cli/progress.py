"""What people see on stderr while a run works: a display that moves on a terminal, elsewhere a line now and then."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.shared import Shared
from kirin_batch.clock import Clock, SystemClock
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Observer, Silent, Stage

__all__ = ["beginning", "open_display", "stage_words"]

_PLAIN_SECONDS = 10.0
_TOLD = frozenset({Stage.FAILED, Stage.UNKNOWN, Stage.LEFT, Stage.RETRYING})


@contextmanager
def open_display(shared: Shared, *, clock: Clock | None = None) -> Iterator[Observer]:
    """The observer that suits the options and where stderr goes."""
    if shared.quiet:
        yield Silent()
    elif shared.has_progress:
        # Measured: importing rich takes 60 ms, which runs without a terminal need not wait for.
        from kirin_batch.cli.progress_live import LiveDisplay  # noqa: PLC0415 - see above

        with LiveDisplay(color=shared.may_color) as display:
            yield display
    else:
        yield _PlainDisplay(clock or SystemClock(), tells_all=shared.verbose)


def beginning(jobs: int, working: int) -> str:
    """How a run begins, in words."""
    return f"{working} of {jobs} {'job has' if jobs == 1 else 'jobs have'} something to do"


def stage_words(stage: Stage) -> str:
    """A stage in words for people: what is left may be in flight, or not begun."""
    return "left for the next run" if stage is Stage.LEFT else str(stage)


class _PlainDisplay:
    """A line for what went wrong at once, and a line of counts now and then."""

    def __init__(self, clock: Clock, *, tells_all: bool) -> None:
        self._clock = clock
        self._told = _TOLD | {Stage.COMPLETED} if tells_all else _TOLD
        self._stages: dict[str, Stage] = {}
        self._working = 0
        self._spent = Decimal(0)
        self._last = clock.monotonic()

    def began(self, jobs: int, *, working: int) -> None:
        """See Observer."""
        self._working = working
        if working:
            click.echo(beginning(jobs, working), err=True)

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        if stage in self._told:
            click.echo(f"{job.id}: {stage_words(stage)}{f': {detail}' if detail else ''}", err=True)
        self._stages[job.id] = stage
        if self._clock.monotonic() - self._last >= _PLAIN_SECONDS:
            self._last = self._clock.monotonic()
            click.echo(self._counts(), err=True)

    def measured(self, slots: Mapping[str, tuple[int, int]], spent: Decimal) -> None:
        """See Observer."""
        del slots
        self._spent = spent

    def _counts(self) -> str:
        counts = Counter(self._stages.values())
        told = [f"{counts[stage]} {stage_words(stage)}" for stage in Stage if counts[stage]]
        waiting = self._working - len(self._stages)
        return f"{', '.join([*told, *([f'{waiting} waiting'] if waiting else [])])}; {usd(self._spent)}"
