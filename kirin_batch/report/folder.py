"""The gallery on disk: `index.html` with its `thumbnails/` and, where they go along, `results/`; or all of it in a zip.

Only a folder that is empty, or holds a gallery already, is written to, and only files of a gallery are removed from it.
"""

import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kirin_batch.disk import PART_SUFFIX, make_folders, remove_parts, write_atomic
from kirin_batch.errors import KirinError
from kirin_batch.report.page import MARK

__all__ = ["INDEX", "lay_out", "pack", "require_free"]

INDEX = "index.html"
"""The page's name: what a web server shows of a folder."""

_HEAD_BYTES = 2048
_FOLDERS = ("thumbnails", "results")
_OURS = re.compile(r"[0-9a-f]{64}\.[a-z0-9]+")
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same gallery gives the same zip
_MODE = 0o644 << 16


def require_free(folder: Path) -> None:
    """Raises KirinError unless the folder is missing, empty, a gallery, or what a killed `lay_out` left of one."""
    try:
        names = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
        if all(name in _FOLDERS or name.endswith(PART_SUFFIX) for name in names):
            return
        with (folder / INDEX).open("rb") as file:
            is_gallery = MARK in file.read(_HEAD_BYTES)
    except FileNotFoundError:
        is_gallery = False
    except OSError as error:
        raise KirinError(f"{folder} cannot be used: {error.strerror}") from error
    if not is_gallery:
        raise KirinError(f"{folder} holds other files: name a folder that is empty or not there yet")


def lay_out(folder: Path, page: bytes, files: Mapping[str, Path]) -> None:
    """Write the gallery: `files` are sources by name below the folder; those of earlier galleries go.

    The page comes last, so that it never tells of files that are not there. Raises KirinError where the disk refuses.
    """
    try:
        for name in _FOLDERS:
            make_folders(folder / name)
        for name, source in files.items():
            _put(source, folder / name)
        write_atomic(folder / INDEX, page)
        remove_parts(folder)
        for name in _FOLDERS:
            remove_parts(folder / name)
            for file in (folder / name).iterdir():
                if _OURS.fullmatch(file.name) and f"{name}/{file.name}" not in files:
                    file.unlink()
            if not any((folder / name).iterdir()):
                (folder / name).rmdir()
    except OSError as error:
        raise KirinError(f"{error.filename or folder} cannot be written: {error.strerror}") from error


def pack(target: Path, page: bytes, files: Mapping[str, Path]) -> None:
    """Write the gallery as a zip that unpacks into one folder. Raises KirinError where the disk refuses."""
    part = target.with_name(f".{target.name}.{os.getpid()}{PART_SUFFIX}")
    top = target.stem
    try:
        try:
            with zipfile.ZipFile(part, "w") as archive:
                archive.writestr(_entry(f"{top}/{INDEX}"), page, zipfile.ZIP_DEFLATED)
                for name, source in files.items():
                    with source.open("rb") as data, archive.open(_entry(f"{top}/{name}"), "w") as packed:
                        shutil.copyfileobj(data, packed, 1 << 20)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise KirinError(f"{target} cannot be written: {error.strerror}") from error


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.external_attr = _MODE
    return entry


def _put(source: Path, target: Path) -> None:
    # Names are hashes of contents: what has the name and the size is what it should be.
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return
    part = target.with_name(f".{target.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
