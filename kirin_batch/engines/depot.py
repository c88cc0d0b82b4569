"""Files on their way between driver and worker, in pieces: pictures that requests need, and results that nobody keeps.

They lie in a folder of the worker's own, which is gone with it. Knows neither jobs nor how pieces travel.
"""

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.errors import KirinError

__all__ = ["PIECE_BYTES", "Depot", "read_piece"]

PIECE_BYTES = 4 * 1024**2
"""As much travels at once: it passes through the scheduler."""

_AGAIN_SECONDS = 10.0  # without a piece of it, a file is asked for again


@dataclass(slots=True)
class _Awaited:
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    heard_at: float = -math.inf  # when it was asked for, or a piece of it came


class Depot:
    """The files of one run at one worker, by their content: each comes once, whoever needs it."""

    def __init__(self, folder: Path, *, again_seconds: float = _AGAIN_SECONDS) -> None:
        self._folder = folder
        self._again_seconds = again_seconds
        self._awaited: dict[str, _Awaited] = {}
        self._faults: dict[str, OSError] = {}

    async def bring(self, sha256: str, ask: Callable[[], None]) -> Path:
        """The file of this content; `ask` is called where nobody has asked for it yet, and where nothing came of that:
        who asked may be one to whom nobody listens any more. Raises KirinError where it cannot be kept here.
        """
        awaited, loop = self._awaited.setdefault(sha256, _Awaited()), asyncio.get_running_loop()
        while not awaited.arrived.is_set():
            if loop.time() - awaited.heard_at >= self._again_seconds:
                awaited.heard_at = loop.time()
                ask()
            # Not all at the same time, so that it is not always the same one who asks again.
            wait_seconds = self._again_seconds * random.uniform(0.5, 1.5)  # noqa: S311 - keeps no secret
            with suppress(TimeoutError):
                await asyncio.wait_for(awaited.arrived.wait(), wait_seconds)
        if fault := self._faults.get(sha256):
            raise KirinError(f"a file that a request needs cannot be kept: {fault}") from fault
        return self._folder / sha256

    async def take(self, sha256: str, offset: int, data: bytes, *, is_last: bool) -> None:
        """Take a piece that has come; pieces come in order. Whoever waits hears of a disk that refuses it."""
        awaited = self._awaited.setdefault(sha256, _Awaited())
        awaited.heard_at = asyncio.get_running_loop().time()
        try:
            await asyncio.to_thread(self._write, sha256, offset, data, is_last=is_last)
        except OSError as error:
            self._faults[sha256] = error
        if is_last or sha256 in self._faults:
            awaited.arrived.set()

    def _write(self, sha256: str, offset: int, data: bytes, *, is_last: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f".{sha256}{PART_SUFFIX}"
        with part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
        if is_last:
            if sha256_of_file(part) != sha256:  # the builder of requests says so, as of any file that has changed
                part.write_bytes(b"")
            part.replace(self._folder / sha256)


def read_piece(path: Path, offset: int) -> tuple[bytes, bool]:
    """The piece of a file from `offset` on, and whether it is the last one. Raises OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(PIECE_BYTES)
        return data, not file.peek(1)
