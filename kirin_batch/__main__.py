"""`python -m kirin_batch` and the console script `kirin-batch`.

Where nothing has changed since the same command had nothing to do, it gets the same answer at once: see `recall`.
"""

import gc
import io
import os
import sys
import time

from kirin_batch.caches import begun_at
from kirin_batch.recall import Call, recall

__all__ = ["main", "run_program"]

_MANY = 20_000  # objects made and kept since the last collection, before the next
_YOUNG, _OLDER = 20, 50


def main() -> None:
    """Run the command line of this process; its exit code is the process's."""
    # Measured: what a project of thousands of jobs makes is kept, and to look through it again and again for cycles
    # takes an eighth of the time of a plan.
    gc.set_threshold(_MANY, _YOUNG, _OLDER)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not of UTF-8 shows what it cannot write
    sys.exit(run_program(sys.argv[1:], begun_ns=time.time_ns()))


def run_program(words: list[str], *, begun_ns: int) -> int:
    """Answer a command line, and give its exit code. `begun_ns`: when it was asked, in nanoseconds of the epoch."""
    call = Call.of(words, begun_ns)
    told = recall(call) if call else None
    if told is not None:
        return _tell(*told)
    # Measured: the command line and what its commands need take 60 to 250 ms to import, many times all of the above.
    from kirin_batch.cli.main import run_command_line  # noqa: PLC0415 - see above

    token = begun_at.set(None if "--no-cache" in words else begun_ns)
    try:
        if call is None:
            return run_command_line(words)
        from kirin_batch.cli.repeatable import run_repeatable  # noqa: PLC0415 - as above

        return run_repeatable(call, run_command_line)
    finally:
        begun_at.reset(token)


def _tell(out: str, err: str) -> int:
    try:
        sys.stderr.write(err)
        sys.stdout.write(out)
        sys.stdout.flush()
    except BrokenPipeError:  # as `| head` does; Python would tell of it when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    main()
