"""What people see on stderr while a run works: a display that moves on a terminal, elsewhere a line now and then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from kirin_batch.cli.progress_text import beginning, plain_line, stage_words
from kirin_batch.cli.shared import Shared
from kirin_batch.clock import Clock, SystemClock
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Measures, Observer, Silent, Stage

__all__ = ["open_display"]

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


class _PlainDisplay:
    """A line for what went wrong at once, for each reason to wait once, and a line of counts now and then."""

    def __init__(self, clock: Clock, *, tells_all: bool) -> None:
        self._clock = clock
        self._told = _TOLD | {Stage.COMPLETED} if tells_all else _TOLD
        self._measure: Callable[[], Measures] | None = None
        self._last = clock.monotonic()
        self._waits: set[str] = set()

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer."""
        self._measure = measure
        if working:
            click.echo(beginning(jobs, working), err=True)

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        is_new_wait = stage is Stage.WAITING and detail not in self._waits
        if is_new_wait:
            self._waits.add(detail)
        if stage in self._told or is_new_wait:
            click.echo(f"{job.id}: {stage_words(stage)}{f': {detail}' if detail else ''}", err=True)
        if self._measure and self._clock.monotonic() - self._last >= _PLAIN_SECONDS:
            self._last = self._clock.monotonic()
            click.echo(plain_line(self._measure()), err=True)
