"""The guard of `guards.py` holds, says why, and lets pass what tests need."""

import asyncio
import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from guards import Guard, GuardError
from hypothesis import given
from hypothesis import strategies as st

_CHECKOUT = Path(__file__).resolve().parent.parent
_OUTSIDE = _CHECKOUT / "written-by-a-test"
_TEST_NET = "192.0.2.1"  # RFC 5737: no machine has this address


def _connect(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        connection.connect((host, 80))


def _send(host: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.sendto(b"hello", (host, 9))


def _send_message(host: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.sendmsg([b"hello"], [], 0, (host, 9))


_CONNECTIONS: dict[str, Callable[[], object]] = {
    "connect": lambda: _connect(socket.AF_INET, _TEST_NET),
    "connect to a wildcard": lambda: _connect(socket.AF_INET, "0.0.0.0"),  # noqa: S104 - refused, not bound
    "connect by IPv6": lambda: _connect(socket.AF_INET6, "2001:db8::1"),
    "connect by asyncio": lambda: asyncio.run(asyncio.open_connection(_TEST_NET, 80)),
    "sendto": lambda: _send(_TEST_NET),
    "sendmsg": lambda: _send_message(_TEST_NET),
    "getaddrinfo": lambda: socket.getaddrinfo("example.com", 443),
    "getaddrinfo of bytes": lambda: socket.getaddrinfo(b"example.com", 443),
    "gethostbyname": lambda: socket.gethostbyname("example.com"),
}


@pytest.mark.parametrize("act", _CONNECTIONS.values(), ids=_CONNECTIONS.keys())
def test_a_connection_beyond_loopback_is_refused(act: Callable[[], object], guard: Guard) -> None:
    with pytest.raises(GuardError, match="beyond loopback"):
        act()
    assert guard.forget()


# None of these acts would do harm if the guard slept: what they would take away does not exist.
_WRITES: dict[str, Callable[[], object]] = {
    "open": lambda: _OUTSIDE.write_text("x"),
    "open to append": lambda: _OUTSIDE.open("a"),
    "os.open": lambda: os.open(_OUTSIDE, os.O_CREAT | os.O_WRONLY),
    "mkdir": _OUTSIDE.mkdir,
    "rmdir": _OUTSIDE.rmdir,
    "unlink": _OUTSIDE.unlink,
    "unlink by descriptor": lambda: os.unlink(_OUTSIDE.name, dir_fd=os.open(_CHECKOUT, os.O_RDONLY)),
    "rename into": lambda: Path("x").rename(_OUTSIDE),
    "rename away": lambda: _OUTSIDE.rename("x"),
    "symlink": lambda: _OUTSIDE.symlink_to("x"),
    "hard link": lambda: _OUTSIDE.hardlink_to("x"),
    "chmod": lambda: _OUTSIDE.chmod(0o644),
    "utime": lambda: os.utime(_OUTSIDE),
    "truncate": lambda: os.truncate(_OUTSIDE, 0),
    "sqlite3": lambda: sqlite3.connect(_OUTSIDE),
    "upwards": lambda: Path("..", "..", "..", _OUTSIDE.name).write_text("x"),
}


@pytest.mark.parametrize("act", _WRITES.values(), ids=_WRITES.keys())
def test_a_write_outside_the_tests_folders_is_refused(act: Callable[[], object], guard: Guard) -> None:
    with pytest.raises(GuardError, match="outside its temporary folders"):
        act()
    assert guard.forget()
    assert not _OUTSIDE.exists()


def test_a_write_through_a_link_is_refused(tmp_path: Path, guard: Guard) -> None:
    link = tmp_path / "link"
    link.symlink_to(_CHECKOUT)
    with pytest.raises(GuardError):
        (link / "x").write_text("x")
    link.unlink()
    assert len(guard.forget()) == 1


def test_a_refusal_that_the_code_swallows_still_fails_the_test(guard: Guard) -> None:
    with pytest.raises(GuardError, match=_TEST_NET), guard.watching(), contextlib.suppress(Exception):
        _send(_TEST_NET)


def test_what_tests_need_passes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    Path("relative").write_text("x")
    Path("relative").replace(tmp_path / "folder" / "moved")
    shutil.rmtree(tmp_path / "folder")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as unnamed:
        unnamed.write(b"x")
        Path(folder, "x").write_text("x")
    Path(os.devnull).write_text("x")
    (_CHECKOUT / "pyproject.toml").read_text()


def test_loopback_passes_by_name_and_by_address() -> None:
    for host in ("127.0.0.1", "localhost"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection((host, server.getsockname()[1])).close()


def test_a_name_below_invalid_does_not_exist_and_is_no_offence(guard: Guard) -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("gateway.invalid", 443)
    assert guard.forget() == []


@given(st.integers())
def test_a_property_runs_under_the_guard(number: int) -> None:
    assert number == int(str(number))


def test_a_child_process_is_out_of_scope(guard: Guard) -> None:
    writes = f"import tempfile; tempfile.TemporaryFile(dir={str(_CHECKOUT)!r}).write(b'x')"
    subprocess.run([sys.executable, "-c", writes], check=True)  # noqa: S603 - our own interpreter
    assert guard.forget() == []


def test_the_environment_is_the_same_on_every_machine(tmp_path: Path) -> None:
    assert Path.cwd() == tmp_path.resolve()
    assert os.environ["COLUMNS"] == "80"
    assert not [name for name in os.environ if name.startswith("KIRIN_") or name in {"CI", "NO_COLOR"}]
