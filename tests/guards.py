"""A guard over the tests: no connection beyond loopback, no write outside their temporary folders.

It is one audit hook, so nothing is patched and no library can step around it by another spelling. Two things are out of
its sight: child processes (an audit hook belongs to one interpreter), and libraries in C that open files on their own
(FFmpeg). It raises where the act happens, and it also remembers: code that swallows the error still fails its test.
"""

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Guard", "GuardError"]

_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_UNNAMED_FILE = getattr(os, "O_TMPFILE", 0)  # leaves nothing behind; a flag of Linux alone
_TOOLS_FOLDERS = frozenset({"__pycache__", ".hypothesis"})  # written by tools while a test runs
_TOOLS_FILES = ".coverage"


class GuardError(AssertionError):
    """A test reached beyond this machine or beyond its own folders; the message says where to."""


class Guard:
    """Watches this process once `watch` is an audit hook, and acts only inside `watching()`."""

    def __init__(self) -> None:
        self._active = False
        self._folders: tuple[str, ...] = ()
        self._offences: list[str] = []

    def install(self) -> None:
        """Make this guard an audit hook of the interpreter, which nothing can undo."""
        sys.addaudithook(self.watch)

    def allow(self, folder: Path) -> None:
        """Let the tests write in this folder and below."""
        self._folders = (*self._folders, os.path.realpath(folder))

    def forget(self) -> list[str]:
        """What was refused since the last call, as sentences; from here on it counts no more."""
        offences, self._offences = self._offences, []
        return offences

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Refuse what is forbidden inside the block; raises GuardError at its end if the block swallowed a refusal."""
        with self._set_active(active=True):
            yield
        if offences := self.forget():
            raise GuardError("; ".join(offences))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let everything pass inside the block: for pytest's own work."""
        with self._set_active(active=False):
            yield

    @contextmanager
    def _set_active(self, *, active: bool) -> Iterator[None]:
        before, self._active = self._active, active
        try:
            yield
        finally:
            self._active = before

    def watch(self, event: str, args: tuple[object, ...]) -> None:
        """The audit hook itself: raises GuardError at an act that is forbidden."""
        if not self._active:
            return
        if (offence_of := _CONNECTIONS.get(event)) is not None:
            self._refuse(offence_of(args))
        elif (paths_of := _WRITES.get(event)) is not None:
            for path in paths_of(args):
                self._check_path(event, path)

    def _check_path(self, event: str, path: str) -> None:
        parts = Path(path).parts
        if path == os.devnull or parts[-1].startswith(_TOOLS_FILES) or not _TOOLS_FOLDERS.isdisjoint(parts):
            return
        if not any(path == folder or path.startswith(folder + os.sep) for folder in self._folders):
            self._refuse(f"a test writes outside its temporary folders: {event} of {path}")

    def _refuse(self, offence: str | None) -> None:
        if offence is not None:
            self._offences.append(offence)
            raise GuardError(offence)


def _offence_of_address(args: tuple[object, ...]) -> str | None:
    match args[1]:
        case (str(host), *_) if not _is_loopback(host):
            return f"a test connects beyond loopback: {host}"
    return None


def _offence_of_name(args: tuple[object, ...]) -> str | None:
    host = args[0].decode(errors="replace") if isinstance(args[0], bytes) else args[0]
    if not isinstance(host, str) or host == "" or _is_address(host) or _is_loopback(host):
        return None
    if host.rstrip(".").endswith(".invalid"):
        # RFC 6761, 6.4: these names never exist. Answered here, a test of a wrong name needs no network.
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return f"a test looks up a name beyond loopback: {host}"


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _opened_path(args: tuple[object, ...]) -> tuple[str, ...]:
    path, mode, flags = args
    is_writing = isinstance(flags, int) and bool(flags & _WRITING_FLAGS)
    is_writing = is_writing or (isinstance(mode, str) and not set(mode).isdisjoint("wax+"))
    is_unnamed = isinstance(flags, int) and _UNNAMED_FILE != 0 and flags & _UNNAMED_FILE == _UNNAMED_FILE
    return _content(path) if is_writing and not is_unnamed else ()


def _content(path: object) -> tuple[str, ...]:
    """The file behind a path, links followed; nothing for an open descriptor, whose opening was seen."""
    return (os.path.realpath(os.fsdecode(path)),) if isinstance(path, str | bytes | os.PathLike) else ()


def _name(path: object, folder_fd: object = -1) -> tuple[str, ...]:
    """The name that an act makes or takes away: the link itself, not what it points to."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ()
    folder, name = os.path.split(os.fsdecode(path).rstrip(os.sep))
    if isinstance(folder_fd, int) and folder_fd >= 0:
        folder = str(Path(f"/proc/self/fd/{folder_fd}", folder))
    return (str(Path(os.path.realpath(folder or os.curdir), name)),)


# The events are those of the table "Audit events" in Python's library reference; a path with a folder's descriptor
# (`dir_fd`) is made whole only where the event tells the descriptor.
_CONNECTIONS: Mapping[str, Callable[[tuple[object, ...]], str | None]] = {
    "socket.connect": _offence_of_address,
    "socket.sendto": _offence_of_address,
    "socket.sendmsg": _offence_of_address,
    "socket.getaddrinfo": _offence_of_name,
    "socket.gethostbyname": _offence_of_name,
    "socket.gethostbyaddr": _offence_of_name,
}
_WRITES: Mapping[str, Callable[[tuple[object, ...]], tuple[str, ...]]] = {
    "open": _opened_path,
    "sqlite3.connect": lambda args: () if args[0] == ":memory:" else _content(args[0]),
    "os.truncate": lambda args: _content(args[0]),
    "os.chmod": lambda args: _name(args[0], args[2]),
    "os.chown": lambda args: _name(args[0], args[3]),
    "os.utime": lambda args: _name(args[0], args[3]),
    "os.mkdir": lambda args: _name(args[0], args[2]),
    "os.rmdir": lambda args: _name(args[0], args[1]),
    "os.remove": lambda args: _name(args[0], args[1]),
    "os.symlink": lambda args: _name(args[1], args[2]),
    "os.link": lambda args: _name(args[1], args[3]),
    "os.rename": lambda args: (*_name(args[0], args[2]), *_name(args[1], args[3])),
}
