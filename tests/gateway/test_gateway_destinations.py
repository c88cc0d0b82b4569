"""Results come from the internet, or from no nearer to this machine than the gateway itself is."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from fake_clock import FakeClock
from gateway_wire import answer, serve
from yarl import URL

from kirin_batch.gateway.answers import Fetched, Rejected
from kirin_batch.gateway.destinations import Destinations, NearbyError
from kirin_batch.gateway.download import Downloads

PUBLIC, MACHINE, NETWORK = "https://gateway.test", "http://127.0.0.1:8000", "http://10.0.0.5"

ADDRESSES = {
    "gateway.test": ["93.184.216.34"],
    "studio.test": ["192.168.1.9"],
    "inside.test": ["10.1.2.3"],
    "turned.test": ["127.0.0.1"],
    "both.test": ["127.0.0.1", "93.184.216.35"],
}


class Names(AbstractResolver):
    """A DNS of these names alone."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in ADDRESSES:
            raise OSError("no such name")
        return [
            ResolveResult(hostname=host, host=place, port=port, family=family, proto=0, flags=0)
            for place in ADDRESSES[host]
        ]

    async def close(self) -> None:
        pass


def is_allowed(gateway: str, address: str, *, came_from: str | None = None) -> bool:
    async def scenario() -> None:
        destinations = Destinations(gateway, Names())
        url = URL(address)
        await destinations.check(url, came_from=URL(came_from) if came_from else None)
        if url.raw_host in ADDRESSES:
            await destinations.resolve(url.raw_host)

    try:
        asyncio.run(scenario())
    except NearbyError:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "gateways"),
    [
        ("https://93.184.216.34/x", [PUBLIC, NETWORK, MACHINE, "https://studio.test", "https://gone.test"]),
        ("https://both.test/x", [PUBLIC, NETWORK, MACHINE, "https://studio.test", "https://gone.test"]),
        ("http://10.0.0.9/x", [NETWORK, MACHINE, "https://studio.test"]),
        ("http://[fd00::1]/x", [NETWORK, MACHINE, "https://studio.test"]),
        ("http://100.64.0.1/x", [NETWORK, MACHINE, "https://studio.test"]),
        ("http://inside.test/x", [NETWORK, MACHINE, "https://studio.test"]),
        ("http://127.0.0.1:9000/x", [MACHINE]),
        ("http://localhost:9000/x", [MACHINE]),
        ("http://a.LOCALHOST./x", [MACHINE]),
        ("http://[::1]/x", [MACHINE]),
        ("http://[::ffff:127.0.0.1]/x", [MACHINE]),
        ("http://0.0.0.0/x", [MACHINE]),
        ("http://169.254.169.254/latest", [MACHINE]),
        ("http://turned.test/x", [MACHINE]),
    ],
)
def test_a_result_is_no_nearer_than_the_gateway(address: str, gateways: list[str]) -> None:
    every = [PUBLIC, NETWORK, MACHINE, "https://studio.test", "https://gone.test"]
    assert [gateway for gateway in every if is_allowed(gateway, address)] == gateways


def test_a_redirect_to_this_machine_stays_on_its_port() -> None:
    assert is_allowed(MACHINE, "http://127.0.0.1:9000/b", came_from="http://127.0.0.1:9000/a")
    assert not is_allowed(MACHINE, "http://127.0.0.1:9001/b", came_from="http://127.0.0.1:9000/a")
    assert not is_allowed(MACHINE, "https://127.0.0.1:9000/b", came_from="http://127.0.0.1:9000/a")
    assert is_allowed(NETWORK, "http://10.0.0.7/b", came_from="http://10.0.0.6/a")


def test_of_a_name_only_the_addresses_that_are_allowed_are_connected_to() -> None:
    found = asyncio.run(Destinations(PUBLIC, Names()).resolve("both.test"))
    assert [place["host"] for place in found] == ["93.184.216.35"]


def test_a_proxy_of_the_user_may_be_anywhere() -> None:
    async def scenario() -> list[ResolveResult]:
        destinations = Destinations(PUBLIC, Names())
        destinations.trust_proxy("http://user:secret@turned.test:3128")
        return await destinations.resolve("turned.test")

    assert [place["host"] for place in asyncio.run(scenario())] == ["127.0.0.1"]


def test_a_download_from_this_machine_is_refused_where_the_gateway_is_elsewhere() -> None:
    async def scenario() -> tuple[Fetched, int]:
        downloads = Downloads(gateway_url="https://93.184.216.34", silence_seconds=5.0, clock=FakeClock())
        async with serve(answer(200, b"film")) as wire, downloads:
            return await downloads.download(wire.url, bytearray().extend), len(wire.requests)

    told = "the result's address leads to 127.0.0.1, on this machine or its network, and is not followed"
    assert asyncio.run(scenario()) == (Rejected(told), 0)
