"""Files on their way between driver and worker, in pieces: pictures that requests need, and results that nobody keeps.

They lie in a folder of the worker's own, which is gone with it. Knows neither jobs nor how pieces travel.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from kirin_batch.disk import PART_SUFFIX, sha256_of_file
from kirin_batch.errors import KirinError

__all__ = ["PIECE_BYTES", "Depot", "read_piece"]

PIECE_BYTES = 4 * 1024**2
"""As much travels at once: it passes through the scheduler."""


class Depot:
    """The files of one run at one worker, by their content: each comes once, whoever needs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._awaited: dict[str, asyncio.Event] = {}
        self._here: set[str] = set()
        self._faults: dict[str, OSError] = {}

    async def bring(self, sha256: str, ask: Callable[[], None]) -> Path:
        """The file of this content; `ask` is called where nobody who still waits has asked for it.

        Raises KirinError where it cannot be kept here.
        """
        while sha256 not in self._here:
            if fault := self._faults.get(sha256):
                raise KirinError(f"a file that a request needs cannot be kept: {fault}") from fault
            if arrived := self._awaited.get(sha256):
                await arrived.wait()
                continue
            arrived = self._awaited[sha256] = asyncio.Event()
            ask()
            try:
                await arrived.wait()
            finally:  # who is called off has nobody listen to what was asked: the next one asks again
                self._wake(sha256)
        return self._folder / sha256

    def _wake(self, sha256: str) -> None:
        if arrived := self._awaited.pop(sha256, None):
            arrived.set()

    async def take(self, sha256: str, offset: int, data: bytes, *, is_last: bool) -> None:
        """Take a piece that has come; pieces come in order. Whoever waits hears of a disk that refuses it."""
        try:
            await asyncio.to_thread(self._write, sha256, offset, data, is_last=is_last)
        except OSError as error:
            self._faults[sha256] = error
        else:
            if is_last:
                self._here.add(sha256)
        if is_last or sha256 in self._faults:
            self._wake(sha256)

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
