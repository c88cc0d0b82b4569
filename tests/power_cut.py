"""What a power cut leaves of a folder, at its worst: what was flushed, as it was then, and nothing else.

A file has the content of its last fsync, a folder the names of its last one: a rename that was not followed by a flush
of its folder never was, a file that was removed is back. A kill proves nothing of this, for the system keeps what it
has been given. Every inode is kept by a link of ours, so that none is used again under another meaning.
"""

import json
import os
import shutil
from pathlib import Path

__all__ = ["Device"]


class Device:
    """The device below `root`, kept in a folder of its own beside it."""

    def __init__(self, root: Path, store: Path) -> None:
        self._root, self._store = root, store

    def begin(self) -> None:
        """All that is in the folder now is on the device."""
        for part in ("content", "links", "names"):
            (self._store / part).mkdir(parents=True, exist_ok=True)
        for folder in (self._root, *(path for path in self._root.rglob("*") if path.is_dir())):
            self._keep_names(folder)
        for path in self._root.rglob("*"):
            if path.is_file():
                self._keep_content(path)

    def watch(self) -> None:
        """From here on each fsync of this process flushes to this device too."""
        fsync = os.fsync

        def flush(descriptor: int) -> None:
            fsync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_relative_to(self._root):
                (self._keep_names if path.is_dir() else self._keep_content)(path)

        setattr(os, "fsync", flush)  # noqa: B010 - in a forked process, which ends soon

    def restore(self) -> None:
        """Make the folder what is on the device."""
        inode = self._root.stat().st_ino
        before = self._root.with_name(f"{self._root.name}-before-the-cut")
        self._root.rename(before)
        self._restore_folder(inode, self._root)
        shutil.rmtree(before)

    def _keep_names(self, folder: Path) -> None:
        names = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(folder)}
        part = self._store / "part"
        part.write_text(json.dumps(names))
        part.replace(self._store / "names" / str(folder.stat().st_ino))

    def _keep_content(self, path: Path) -> None:
        inode = str(path.stat().st_ino)
        link = self._store / "links" / inode
        if not link.exists():
            link.hardlink_to(path)
        part = self._store / "part"
        shutil.copyfile(path, part)
        part.replace(self._store / "content" / inode)

    def _restore_folder(self, inode: int, folder: Path) -> None:
        folder.mkdir()
        names = self._store / "names" / str(inode)
        for name, (child, is_folder) in json.loads(names.read_text()).items() if names.exists() else ():
            content = self._store / "content" / str(child)
            if is_folder:
                self._restore_folder(child, folder / name)
            elif content.exists():
                shutil.copyfile(content, folder / name)
            else:
                (folder / name).touch()  # its name is there, its content never came
