"""What Ctrl-C does while a command works: the first one ends it in good order, the second one at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from kirin_batch.errors import ExitCode

__all__ = ["interrupts"]


@contextmanager
def interrupts(end_display: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """The first INT or TERM stops the run in good order; the next one ends the process, which loses nothing either."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        end_display()  # now: a second interrupt would leave the terminal without its cursor
        click.echo("interrupted: what is in flight is left for the next run", err=True)
        for signal_number in signals:
            loop.add_signal_handler(signal_number, os._exit, ExitCode.INTERRUPTED)
        stop()

    for signal_number in signals:
        loop.add_signal_handler(signal_number, interrupt)
    try:
        yield
    finally:
        for signal_number in signals:
            loop.remove_signal_handler(signal_number)
