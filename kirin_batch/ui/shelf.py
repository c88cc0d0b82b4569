"""Which files the live page may ask for: those that it was told of, by content hash, and nothing that a path names."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kirin_batch.outputs.media import HEAD_BYTES, recognise
from kirin_batch.report.previews import Look

__all__ = ["Shelf"]

_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}


class Shelf:
    """Files by the name that the page has for them, `results/HASH.png` or `thumbnails/HASH.webp`."""

    def __init__(self, thumbnails: Path) -> None:
        self._thumbnails = thumbnails
        self._files: dict[str, tuple[Path, Look]] = {}

    def address(self, path: Path, look: Look) -> str:
        """Put a result there, and say where the page finds it."""
        name = f"results/{look.sha256}{path.suffix.lower()}"
        self._files[name] = path, look
        return name

    def show(self, looks: Iterable[Look]) -> None:
        """Put the previews of these there."""
        for look in looks:
            if look.thumbnail:
                name = f"thumbnails/{look.sha256}.webp"
                self._files.setdefault(name, (self._thumbnails / f"{look.sha256}.webp", look))

    def find(self, name: str) -> tuple[Path, str] | None:
        """A file and its media type, which its bytes tell; None for all that the page was not told of.

        A result that changed since it was looked at is not what its name says.
        """
        if (found := self._files.get(name)) is None:
            return None
        path, look = found
        try:
            state = path.stat()
            is_same = (state.st_size, state.st_mtime_ns) == (look.size, look.changed_ns)
            if name.startswith("results/") and not is_same:
                return None
            with path.open("rb") as file:
                media = recognise(file.read(HEAD_BYTES))
        except OSError:
            return None
        return (path, _TYPES[media.ext]) if media else None
