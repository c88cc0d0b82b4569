"""A benchmark's server in a process of its own, so that what it costs is not counted among what is measured."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["served_by"]


@contextmanager
def served_by(script: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Run `script --serve`, which tells its base URL in its first line and serves until its stdin is closed."""
    with subprocess.Popen(  # noqa: S603 - the benchmark itself
        [sys.executable, script, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(environment),
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)
