"""What a test waits for, and a device without room: for tests of whole runs and of what they record."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["PATIENCE_SECONDS", "room_of", "wait_until"]

PATIENCE_SECONDS = 10.0


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, which fails the test where it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def room_of(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond this size: a write tears there, and then fails, as on a full device."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
