"""Exit codes and the errors that end a command.

    KirinError                 exit 1   something that the user can mend
    ├── UsageError             exit 2   the command line asks for something impossible
    ├── GatewayUnreachableError exit 3  not reached for minutes: work is left
    ├── GatewayRefusedError    exit 4   key, permission or balance: nothing will pass
    └── ProjectBusyError       exit 5   another run holds the project

A failed job is data (see `kirin_batch.records`), never an exception; a bug is neither caught nor dressed up.
"""

from enum import IntEnum

__all__ = [
    "ExitCode",
    "GatewayRefusedError",
    "GatewayUnreachableError",
    "KirinError",
    "ProjectBusyError",
    "UsageError",
]


class ExitCode(IntEnum):
    """What a command tells its caller; the numbers are part of the contract with users."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WORK_LEFT = 3
    REFUSED = 4
    BUSY = 5
    INTERRUPTED = 130


class KirinError(Exception):
    """An expected error: its message tells people what is wrong, where, and what to do next."""

    exit_code = ExitCode.FAILED


class UsageError(KirinError):
    """The command line, the environment or kirin.yaml asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


class GatewayRefusedError(KirinError):
    """The gateway refuses this account as a whole: the key, its permission or the balance."""

    exit_code = ExitCode.REFUSED


class ProjectBusyError(KirinError):
    """Another run holds the project."""

    exit_code = ExitCode.BUSY


class GatewayUnreachableError(KirinError):
    """The gateway was not reached for minutes: the same command goes on when it is."""

    exit_code = ExitCode.WORK_LEFT
