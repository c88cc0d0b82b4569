"""A file that stands in params for its Base64 text, which is made piece by piece when a request is sent.

Its content is held against the SHA-256 that was checked once more while it is read: another content never gets whole.
"""

import hashlib
import os
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

__all__ = ["EncodedFile", "FileChangedError"]

_PIECE_BYTES = 96 * 1024  # a multiple of 3: Base64 of pieces is then the Base64 of the whole


class FileChangedError(Exception):
    """The file is not the one that was checked, or cannot be read; the message is for people."""


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """An absolute path, and the content that is to be sent from there: its SHA-256 and its size."""

    path: Path
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, path: Path, sha256: str) -> Self:
        """The file at `path`, read once to see that it is the one that was checked. Raises FileChangedError."""
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                size_bytes = file.tell()
        except OSError as error:
            raise _unreadable(path, error) from None
        if found != sha256:
            raise _changed(path)
        return cls(path, sha256, size_bytes)

    @property
    def encoded_bytes(self) -> int:
        """The length of the Base64."""
        return (self.size_bytes + 2) // 3 * 4

    def read(self) -> bytes:
        """The whole content, to look at: it may be another than the one that is to be sent. Raises FileChangedError."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def pieces(self) -> Iterator[Callable[[], bytes]]:
        """What reads and encodes the next piece, call after call, in whatever thread.

        Each opens the file for itself, so that nothing is left open wherever this ends. A call raises FileChangedError
        where the file is not the one that was checked: the last one at the latest, and it gives nothing then.
        """
        seen = hashlib.sha256()
        return (partial(self._encode, begin, seen) for begin in range(0, self.size_bytes, _PIECE_BYTES))

    def _encode(self, begin: int, seen: "hashlib._Hash") -> bytes:
        try:
            with self.path.open("rb") as file:
                is_as_long = os.fstat(file.fileno()).st_size == self.size_bytes
                file.seek(begin)
                data = file.read(_PIECE_BYTES)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        seen.update(data)
        is_last = begin + _PIECE_BYTES >= self.size_bytes
        if not is_as_long or (is_last and seen.hexdigest() != self.sha256):
            raise _changed(self.path)
        return b2a_base64(data, newline=False)


def _unreadable(path: Path, error: OSError) -> FileChangedError:
    return FileChangedError(f"{path} cannot be read: {error.strerror}")


def _changed(path: Path) -> FileChangedError:
    return FileChangedError(f"{path} has changed since it was checked: run again")
