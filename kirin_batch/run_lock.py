"""The lock that one run holds over its project: gone with its process, and it says who has it."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import filelock

from kirin_batch.disk import write_atomic
from kirin_batch.errors import KirinError, ProjectBusyError

__all__ = ["hold_run_lock"]


@contextmanager
def hold_run_lock(folder: Path) -> Iterator[None]:
    """Hold the project's run lock in `folder`, an advisory lock of the system's that dies with its process.

    Raises ProjectBusyError, which names the holder, where another process has it, and KirinError where `folder` takes
    no lock or no word of who holds it.
    """
    lock = filelock.FileLock(folder / "run.lock", blocking=False)
    holder = folder / "run.json"
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ProjectBusyError(f"another run holds this project: {_describe(holder)}") from None
    except OSError as error:
        raise KirinError(f"{folder} takes no run lock: {error.strerror}") from error
    try:
        _introduce(holder)
        yield
    finally:
        with suppress(OSError):  # what another put there is not ours to remove
            holder.unlink()
        lock.release()


def _introduce(holder: Path) -> None:
    start = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    command = " ".join(["kirin-batch", *sys.argv[1:]])
    facts = {"pid": os.getpid(), "host": socket.gethostname(), "start": start, "command": command}
    try:
        write_atomic(holder, json.dumps(facts).encode())
    except OSError as error:
        raise KirinError(f"{holder} cannot be written: {error.strerror}. Nothing was sent") from error


def _describe(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_bytes())
        return f"`{facts['command']}`, process {facts['pid']} on {facts['host']}, since {facts['start']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process has just begun or ended, try again"
