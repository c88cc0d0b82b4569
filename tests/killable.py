"""Commands in processes that a test kills: at the n-th moment that matters (`fault_points`), or after some time.

They are forked from a server process that has loaded the program once, so that a call costs milliseconds and a test may
kill hundreds. A kill is SIGKILL by the process itself at that very place: nothing of Python's runs after it.
"""

import functools
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from power_cut import Device

from kirin_batch.cli.main import run_command_line
from kirin_batch.fault_points import FaultPoint, arm

__all__ = ["KILLED", "Call", "Ended", "call", "start"]

KILLED = -signal.SIGKILL
_LONGEST_SECONDS = 60.0
_FORKS = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: its exit code (KILLED after a kill), what it told, and the moments that it came to."""

    code: int
    out: str
    err: str
    reached: tuple[FaultPoint, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A call under way; `wait` for its end, `interrupt` or `kill` it."""

    process: ForkServerProcess
    folder: Path

    def wait(self, seconds: float = _LONGEST_SECONDS) -> Ended:
        """Let it end by itself."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "the call hangs"
        return self._ended()

    def kill(self, after_seconds: float) -> Ended:
        """Kill it after so long, unless it has ended by then."""
        self.process.join(after_seconds)
        if self.process.exitcode is None:
            self.process.kill()
        return self.wait()

    def interrupt(self, after_seconds: float) -> Ended:
        """Interrupt it after so long, as Ctrl-C does, unless it has ended by then."""
        self.process.join(after_seconds)
        if self.process.exitcode is None and self.process.pid:
            os.kill(self.process.pid, signal.SIGINT)
        return self.wait()

    def _ended(self) -> Ended:
        out, err, reached = (_read(self.folder / name) for name in ("out", "err", "reached"))
        assert self.process.exitcode is not None
        return Ended(self.process.exitcode, out, err, tuple(map(FaultPoint, reached.splitlines())))


def call(
    root: Path, *arguments: str, kill_at: int | None = None, device: Device | None = None, **environment: str
) -> Ended:
    """Call a command in the project at `root`; it is killed at the `kill_at`-th moment, counted from 0.

    What it flushes comes to `device` as well.
    """
    with start(root, *arguments, kill_at=kill_at, device=device, **environment) as begun:
        return begun.wait()


@contextmanager
def start(
    root: Path, *arguments: str, kill_at: int | None = None, device: Device | None = None, **environment: str
) -> Iterator[Call]:
    """A call that goes on beside the test; it is killed at the end of the block at the latest."""
    _serve_forks()
    folder = root.parent / f"{root.name}-calls" / str(next(_numbers))
    folder.mkdir(parents=True)
    known = {name: value for name, value in os.environ.items() if name.startswith("KIRIN_")} | environment
    process = _FORKS.Process(target=_live, args=(root, folder, arguments, kill_at, device, known), daemon=True)
    process.start()
    try:
        yield Call(process, folder)
    finally:
        process.kill()
        process.join(_LONGEST_SECONDS)


_numbers = itertools.count()


@functools.cache
def _serve_forks() -> None:
    """Start the server, which lives as long as this process and finds modules as it does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        _FORKS.set_forkserver_preload(["warm_program", __name__])
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _live(
    root: Path,
    folder: Path,
    arguments: tuple[str, ...],
    kill_at: int | None,
    device: Device | None,
    environment: Mapping[str, str],
) -> None:
    """The forked process, from its first line to its end."""
    os.chdir(root)
    for name in [name for name in os.environ if name.startswith("KIRIN_")]:
        del os.environ[name]
    os.environ.update(environment)
    out, err, reached = (os.open(folder / name, os.O_WRONLY | os.O_CREAT) for name in ("out", "err", "reached"))
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8")
    if device:
        device.begin()
        device.watch()
    left = itertools.count(0)

    def note(point: FaultPoint) -> None:
        os.write(reached, f"{point}\n".encode())
        if next(left) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    arm(note)
    code = run_command_line(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
