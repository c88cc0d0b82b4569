"""Runs a command whose answer may be said again: listens to what it says, and keeps that if the command leaves word.

`commands.remembering` is where a command leaves word; a command that failed, or said what is for one terminal alone,
is not kept.
"""

import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO, cast

import click

from kirin_batch.recall import Call, asked_call, save

__all__ = ["no_cache_option", "run_repeatable"]

no_cache_option = click.option(
    "--no-cache", is_flag=True, expose_value=False, help="Look at everything anew, and keep nothing of it."
)
"""`--no-cache`: with it, a command line is none that may be answered from what was kept (see `recall.Call`)."""

_ESCAPE = "\x1b"  # begins colours, and the moves of displays
_MOST_NOTES = 100_000  # characters: the display of a run that works for hours writes without end
_NOTHING_SEEN = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z]|\s)*")  # as a display that had nothing to show leaves it


def run_repeatable(call: Call, run: Callable[[Sequence[str]], int]) -> int:
    """Run the command of a call with `run`, and give its exit code."""
    out, err = _Heard(sys.stdout), _Heard(sys.stderr, most=_MOST_NOTES)
    token = asked_call.set(call)
    try:
        with _listening(out, err):
            code = run(call.words)
    finally:
        asked_call.reset(token)
    said, noted = out.said(), err.said()
    if code == 0 and call.rests_on and said is not None and noted is not None:
        call.rests_on.out, call.rests_on.err = said, noted
        with suppress(OSError, ValueError):  # a cache is never needed
            save(call, call.rests_on)
    return code


class _Heard:
    """A stream that passes on what is written, and remembers it, but for more than `most` characters."""

    def __init__(self, stream: TextIO, *, most: float = math.inf) -> None:
        self._stream = stream
        self._texts: list[str] = []
        self._left = most
        self._is_whole = True

    def said(self) -> str | None:
        """What was written, where that can be written again: text, which looks the same everywhere."""
        text = "".join(self._texts)
        if _ESCAPE not in text:
            return text if self._is_whole else None
        return "" if self._is_whole and _NOTHING_SEEN.fullmatch(text) else None

    def write(self, text: str) -> int:
        """As the stream does."""
        written = self._stream.write(text)
        self._left -= len(text)
        if self._left < 0:
            self._is_whole = False
            self._texts.clear()
        elif self._is_whole:
            self._texts.append(text)
        return written

    def __getattr__(self, name: str) -> object:
        self._is_whole = self._is_whole and name not in {"buffer", "writelines", "detach", "reconfigure"}
        return getattr(self._stream, name)


@contextmanager
def _listening(out: _Heard, err: _Heard) -> Iterator[None]:
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
