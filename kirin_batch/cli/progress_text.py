"""Where a run stands, in words for people: of all kinds in one line, or a line for each kind. Knows no terminal."""

import math
from collections.abc import Iterator
from itertools import accumulate

from kirin_batch.cli.money import usd
from kirin_batch.scheduler.observer import KindMeasures, Measures, Stage

__all__ = ["beginning", "kind_lines", "money_line", "plain_line", "stage_words", "time_left"]

_MINUTE, _HOUR = 60, 3600
_EXACT_HOURS = 10  # above which minutes tell nothing
_ROUGH_MINUTES = 10
_USUAL_MOST = 99  # of the jobs in flight, or that failed
_TELLING = ("done", "failed", "in flight", "slots", "waiting")  # what a narrow terminal shows first


def beginning(jobs: int, working: int) -> str:
    """How a run begins, in words."""
    return f"{working} of {jobs} {'job has' if jobs == 1 else 'jobs have'} something to do"


def stage_words(stage: Stage) -> str:
    """A stage in words for people: what is left may be in flight, or not begun."""
    return "left for the next run" if stage is Stage.LEFT else str(stage)


def plain_line(measures: Measures) -> str:
    """All in one line: `12/251 done, 10 in flight, 228 waiting, 1 failed; $0.34 spent; about 4 min left`."""
    kinds = measures.kinds.values()
    done, in_flight = sum(kind.completed for kind in kinds), sum(kind.in_flight for kind in kinds)
    waiting, failed = sum(kind.waiting for kind in kinds), sum(kind.failed for kind in kinds)
    others = ((in_flight, "in flight"), (waiting, "waiting"), (failed, "failed"))
    counts = [
        f"{done}/{done + in_flight + waiting + failed} done",
        *(f"{count} {word}" for count, word in others if count),
    ]
    reserved = f", {usd(measures.reserved)} reserved" if measures.reserved else ""
    left = f"; {time_left(measures.seconds_left)}" if measures.seconds_left is not None else ""
    return f"{', '.join(counts)}; {usd(measures.spent)} spent{reserved}{left}"


def kind_lines(measures: Measures, *, columns: int) -> Iterator[str]:
    """A line for each kind that has jobs, in columns that keep their places as the numbers grow.

    Where `columns` are too few for all of it, whole parts are left out: rather that than half a word.
    """
    kinds = {name: kind for name, kind in measures.kinds.items() if _total(kind)}
    if not kinds:
        return
    digits = _digits(*map(_total, kinds.values()))  # few jobs are in flight, and fewer fail: they need less
    busy = min(digits, _digits(_USUAL_MOST, *(kind.in_flight for kind in kinds.values())))
    lost = min(digits, _digits(_USUAL_MOST, *(kind.failed for kind in kinds.values())))
    slot_digits = _digits(*(max(kind.slots_in_use, kind.slot_limit) for kind in kinds.values()))
    names = max(map(len, kinds))
    for name, kind in kinds.items():
        parts = {
            "done": f"  {kind.completed:{digits}} done",
            "in flight": f"  {kind.in_flight:{busy}} in flight",
            "waiting": f"  {kind.waiting:{digits}} waiting",
            "failed": f"  {kind.failed:{lost}} failed",
            "slots": f"   slots {kind.slots_in_use:{slot_digits}}/{kind.slot_limit:<{slot_digits}}",
        }
        yield f"{name:{names}}{''.join(_fitting(parts, columns - names))}".rstrip()


def _fitting(parts: dict[str, str], columns: int) -> Iterator[str]:
    lengths = accumulate(len(parts[name]) for name in _TELLING)
    shown = {name for name, length in zip(_TELLING, lengths, strict=True) if length <= columns}
    return (part for name, part in parts.items() if name in shown)


def _digits(*numbers: int) -> int:
    return len(str(max(numbers)))


def _total(kind: KindMeasures) -> int:
    return kind.completed + kind.in_flight + kind.waiting + kind.failed


def money_line(measures: Measures) -> str:
    """`spent $0.34, reserved $0.28`."""
    reserved = f", reserved {usd(measures.reserved)}" if measures.reserved else ""
    return f"spent {usd(measures.spent)}{reserved}"


def time_left(seconds: float) -> str:
    """A guess, in words that do not promise more than it can: `about 4 min left`."""
    if seconds < _MINUTE:
        return "under a minute left"
    minutes = math.ceil(seconds / _MINUTE)
    if minutes < _HOUR / _MINUTE:
        return f"about {minutes} min left"
    if seconds >= _EXACT_HOURS * _HOUR:
        return f"about {round(seconds / _HOUR)} h left"
    hours, rest = divmod(round(minutes / _ROUGH_MINUTES) * _ROUGH_MINUTES, 60)
    return f"about {hours} h {rest} min left" if rest else f"about {hours} h left"
