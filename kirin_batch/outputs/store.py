"""A store: results by their content, in a folder or a bucket, as `sha256/ab/abcdef….png` below its address.

Nothing half stands under a result's name: a folder gets a file that is flushed and renamed, a bucket takes an object
whole or not at all. Knows no jobs. All calls block, and may do so for long: make them in a `Crew`.
"""

import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from kirin_batch.disk import PART_SUFFIX, flush_folder, make_folders
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.problems import one_line
from kirin_batch.records import Output

__all__ = ["Store", "StoreError", "in_groups", "key_of"]

_LISTED_FROM = 2  # keys of one group: to list their folder takes about one request, to ask for each takes one or two
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "file": {},
    "s3": {
        # Else a store that is out of reach is told after minutes.
        "config_kwargs": {"connect_timeout": 5, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 2}},
        "use_listings_cache": False,  # other machines put things there, too
    },
}


class StoreError(KirinError):
    """The store did not do what was asked: out of reach, no permission, damaged."""


def key_of(output: Output) -> str | None:
    """Where a store keeps a result, below its address; None for one that was never on disk."""
    if output.path is None or output.sha256 is None:
        return None
    return f"sha256/{output.sha256[:2]}/{output.sha256}{PurePosixPath(output.path).suffix}"


def in_groups(keys: Iterable[str]) -> list[list[str]]:
    """Keys that share a folder together, so that `Store.find` can list it."""
    groups = defaultdict(list)
    for key in keys:
        groups[key.rpartition("/")[0]].append(key)
    return list(groups.values())


class Store:
    """The store at `url`, `file:///FOLDER` or `s3://BUCKET/PREFIX`, with the credentials of the environment.

    Raises UsageError where what the address needs is not installed; all else that goes wrong is a StoreError.
    """

    def __init__(self, url: str) -> None:
        scheme, _, place = url.partition("://")
        self._url = url
        self._is_folder = scheme == "file"
        self._root = place.rstrip("/")
        with self._wall():
            try:
                self._files = fsspec.filesystem(scheme, skip_instance_cache=True, **_OPTIONS[scheme])
            except ImportError as error:
                raise UsageError(f"store: {url} needs {scheme}fs: pip install 'kirin-batch[{scheme}]'") from error

    def find(self, keys: Collection[str]) -> dict[str, int]:
        """Which of the keys, all of one group, the store holds, with the bytes that each takes."""
        with self._wall():
            sizes = {found["name"].rpartition("/")[2]: found["size"] for found in self._list(keys)}
            return {key: sizes[name] for key in keys if (name := key.rpartition("/")[2]) in sizes}

    def _list(self, keys: Collection[str]) -> list[dict[str, Any]]:
        """What the store tells of keys of one group, and of others beside them."""
        places = [self._place(key) for key in keys]
        try:
            if len(places) < _LISTED_FROM:
                return [self._files.info(place) for place in places]
            listed: list[dict[str, Any]] = self._files.ls(places[0].rpartition("/")[0], detail=True)
        except FileNotFoundError:
            return []
        return listed

    def put(self, file: Path, key: str, *, replaces: bool = False) -> None:
        """Keep the content of a file; one that is there already is only written again where that `replaces` it."""
        with self._wall():
            if self._is_folder:
                target = Path(self._place(key))
                if replaces or not target.exists():
                    _put_whole(file, target)
            else:
                self._files.put_file(str(file), self._place(key))

    def get(self, key: str, file: Path) -> bool:
        """Write what is kept to a file, which is not flushed; False where the store does not have it."""
        with self._wall():
            if self._is_folder and Path(self._place(key)).is_dir():  # else a folder is made of it
                raise StoreError(f"the store {self._url} holds a folder as {key}")
            try:
                self._files.get_file(self._place(key), str(file))
            except FileNotFoundError:
                return False
            return True

    def _place(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def _wall(self) -> Iterator[None]:
        try:
            yield
        except KirinError:
            raise
        except Exception as error:  # the wall: each backend raises what its own libraries do
            told = one_line(str(error)) or type(error).__name__
            raise StoreError(f"the store {self._url} failed: {told}") from error


def _put_whole(file: Path, target: Path) -> None:
    make_folders(target.parent)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PART_SUFFIX}")  # other machines may put it too
    try:
        with file.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    flush_folder(target.parent)
