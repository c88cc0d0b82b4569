"""What files show, each looked at once: previews by content hash below `.kirin/thumbnails`, a bounded cache.

An index tells a file's hash by its size and time of change, so that a second gallery reads no result. The cache may be
removed at any time; one that cannot be read is made anew.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from kirin_batch.disk import PART_SUFFIX, make_folders, sha256_of_file
from kirin_batch.report.pictures import draw, media_of, quiet_about_large_pictures

__all__ = ["Look", "Previews"]

_VERSION = 1
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one file. `media` is `image`, `video` or "" for what no browser is to be sent to.

    `thumbnail`: there is a preview. `size` and `changed_ns` are of the file when it was looked at.
    """

    sha256: str
    size: int
    changed_ns: int
    media: str = ""
    ext: str = ""
    width: int = 0
    height: int = 0
    seconds: float | None = None
    thumbnail: bool = False


class Previews:
    """Looks at files and keeps what it saw in `folder`, up to `most_bytes`. `made` and `reused` count previews."""

    def __init__(self, folder: Path, *, most_bytes: int = 512 * 1024 * 1024) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._index = _load_index(folder / "index.json")
        self.made = 0
        self.reused = 0

    def thumbnail(self, sha256: str) -> Path:
        """Where the preview of that content is, if there is one."""
        return self._folder / f"{sha256}.webp"

    def look_at(self, paths: Iterable[Path]) -> dict[Path, Look]:
        """What each file shows; files that are not there, or cannot be read, are left out.

        Raises OSError where the cache cannot be written.
        """
        make_folders(self._folder)
        with quiet_about_large_pictures(), ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            found = pool.map(self._recognised, dict.fromkeys(paths))
            looks = {path: look for path, look in found if look}
            shown = {look.sha256: path for path, look in looks.items() if look.media}
            drawn = dict(zip(shown, pool.map(lambda path: self._drawn(path, looks[path]), shown.values()), strict=True))
        looks = {path: _with_preview(look, drawn.get(look.sha256)) for path, look in looks.items()}
        self._save(looks)
        return looks

    def _recognised(self, path: Path) -> tuple[Path, Look | None]:
        try:
            state = path.stat()
            if not stat.S_ISREG(state.st_mode):
                return path, None
            known = self._index.get(str(path))
            if known and (known.size, known.changed_ns) == (state.st_size, state.st_mtime_ns):
                return path, known
            look = Look(sha256_of_file(path), state.st_size, state.st_mtime_ns)
        except OSError:
            return path, None
        media = media_of(path)
        return path, replace(look, media=media.type, ext=path.suffix.lower()) if media else look

    def _drawn(self, path: Path, look: Look) -> Look:
        target = self.thumbnail(look.sha256)
        if look.thumbnail and target.exists():
            self.reused += 1
            return look
        if (drawn := draw(path)) is None:
            return replace(look, thumbnail=False)
        _write(target, drawn.webp)
        self.made += 1
        return replace(look, width=drawn.width, height=drawn.height, seconds=drawn.seconds, thumbnail=True)

    def _save(self, looks: Mapping[Path, Look]) -> None:
        """Keep the index; where previews take too much room, only those of these looks."""
        kept = {str(path): look for path, look in looks.items()}
        if self._takes_too_much():
            contents = {look.sha256 for look in looks.values()}
            for file in self._folder.glob("*.webp"):
                if file.stem not in contents:
                    file.unlink(missing_ok=True)
        else:
            kept = {**self._index, **kept}
        document = {"version": _VERSION, "files": {path: asdict(look) for path, look in kept.items()}}
        _write(self._folder / "index.json", orjson.dumps(document))

    def _takes_too_much(self) -> bool:
        size = sum(file.stat().st_size for file in self._folder.glob("*.webp"))
        return size > self._most_bytes or len(self._index) > _MOST_FILES


def _with_preview(look: Look, drawn: Look | None) -> Look:
    if drawn is None or not look.media:
        return look
    shown = replace(look, width=drawn.width, height=drawn.height, seconds=drawn.seconds)
    return replace(shown, thumbnail=drawn.thumbnail)


def _write(path: Path, data: bytes) -> None:
    # Whole or absent, without a flush: what a power cut takes from a cache is made anew.
    part = path.with_name(f".{path.name}.{os.getpid()}{PART_SUFFIX}")
    part.write_bytes(data)
    part.replace(path)


def _load_index(path: Path) -> dict[str, Look]:
    try:
        document: Any = orjson.loads(path.read_bytes())
        if document["version"] != _VERSION:
            return {}
        return {name: Look(**look) for name, look in document["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
