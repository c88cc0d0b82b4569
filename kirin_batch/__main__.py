"""`python -m kirin_batch` and the console script `kirin-batch`."""

import sys

from kirin_batch.cli.main import run_command_line

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process; its exit code is the process's."""
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
