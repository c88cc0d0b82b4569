"""Starting and stopping: hosts, ports, settings, and what a start must not load."""

import asyncio
import math
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kirin_batch
from kirin_batch.errors import KirinError
from kirin_batch.sandbox import Sandbox, SandboxSettings


async def base_url_on(host: str) -> str:
    async with Sandbox(SandboxSettings(host=host)) as sandbox:
        return sandbox.base_url


@pytest.mark.parametrize(
    ("host", "start"),
    [("127.0.0.1", "http://127.0.0.1:"), ("localhost", "http://127.0.0.1:")],
)
def test_it_listens_on_loopback(host: str, start: str) -> None:
    assert asyncio.run(base_url_on(host)).startswith(start)


@pytest.mark.skipif(not socket.has_ipv6, reason="the machine has no IPv6")
def test_it_listens_on_the_loopback_of_ipv6() -> None:
    try:
        assert asyncio.run(base_url_on("::1")).startswith("http://[::1]:")
    except KirinError:
        pytest.skip("the machine has no address ::1")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", "localhost.example"])  # noqa: S104 - each of them is refused
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(KirinError, match="where others could reach it"):
        SandboxSettings(host=host)


def test_all_of_loopback_is_taken() -> None:
    for host in ("127.0.0.2", "127.255.255.254", "::1"):  # not every system has these addresses to listen on
        assert SandboxSettings(host=host).host == host


def test_other_hosts_are_taken_where_they_are_asked_for() -> None:
    assert SandboxSettings(host="192.0.2.1", allow_remote=True).host == "192.0.2.1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": 0}, "speed"),
        ({"speed": -1.0}, "speed"),
        ({"speed": math.nan}, "speed"),
        ({"port": -1}, "port"),
        ({"port": 65536}, "port"),
        ({"limits": {"sound": 1}}, "no slots of kind 'sound'"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(KirinError, match=message):
        SandboxSettings(**changes)


def test_a_kind_without_a_limit_has_its_default() -> None:
    settings = SandboxSettings(limits={"video": 1})
    assert (settings.slots("image"), settings.slots("video")) == (10, 1)


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    async def scenario() -> None:
        async with Sandbox() as first:
            port = int(first.base_url.rpartition(":")[2])
            with pytest.raises(KirinError, match=f"port {port}.*Port 0 picks a free one"):
                await Sandbox(SandboxSettings(port=port)).__aenter__()

    asyncio.run(scenario())


def test_after_the_end_its_ports_are_free() -> None:
    async def scenario() -> None:
        async with Sandbox() as sandbox:
            urls = sandbox.base_url, sandbox.results_url
        for url in urls:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))

    asyncio.run(scenario())


def test_the_sandbox_loads_no_imaging_library_before_it_paints() -> None:
    code = "import sys, kirin_batch.sandbox; print([name for name in ('PIL', 'av') if name in sys.modules])"
    checkout = Path(kirin_batch.__file__).parents[1]
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=checkout)  # noqa: S603 - this very Python, with our own code
    assert told.stdout.strip() == "[]"
