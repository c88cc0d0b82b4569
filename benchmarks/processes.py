"""What processes cost: seconds by the clock and MB of memory at their peak, medians of interleaved rounds."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

__all__ = ["Cost", "Work", "compare", "measure"]

SLOW_SECONDS = 3.0
SLOW_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds by the clock, MB of memory at its peak."""

    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Work:
    """A command in its folder, and what it must say to have done what it is measured for."""

    command: Sequence[str]
    folder: Path
    says: str = ""


def measure(work: Work, environ: Mapping[str, str]) -> Cost:
    """Run a command to its end. Raises RuntimeError where it failed, or did not say what it must."""
    with tempfile.TemporaryFile() as output:
        where = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)]
        program = shutil.which(work.command[0], path=environ["PATH"]) or work.command[0]
        before = Path.cwd()
        os.chdir(work.folder)
        start = perf_counter()
        try:
            pid = os.posix_spawn(program, list(work.command), dict(environ), file_actions=where)
        finally:
            os.chdir(before)
        _, status, usage = os.wait4(pid, 0)
        seconds = perf_counter() - start
        output.seek(0)
        told = output.read().decode(errors="replace")
    if os.waitstatus_to_exitcode(status) or work.says not in told:
        raise RuntimeError(f"{' '.join(work.command)}: {told[-2000:]}")
    return Cost(seconds, usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024))


def compare(works: Mapping[str, Work], environ: Mapping[str, str], *, rounds: int) -> dict[str, Cost]:
    """The medians of rounds in which all take their turn; slow ones take it twice only. A first turn is not counted."""
    first = {name: measure(work, environ) for name, work in works.items()}
    found: dict[str, list[Cost]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            if number < SLOW_ROUNDS or first[name].seconds < SLOW_SECONDS:
                found[name].append(measure(work, environ))
    return {
        name: Cost(median(c.seconds for c in costs), max(c.megabytes for c in costs)) for name, costs in found.items()
    }
