"""Where results may come from: the internet, and what is no nearer to this machine than the gateway itself is.

Addresses of results, and what they redirect to, come from strangers: none of them may point this program at services of
this machine or its network. A name is judged by the addresses that it is about to be connected to, not by its looks.
"""

import ipaddress
import socket
from enum import IntEnum

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

__all__ = ["Destinations", "NearbyError"]


class NearbyError(Exception):
    """An address leads to this machine or its network, and must not; the message is a reason for people."""


class _Reach(IntEnum):
    """How near an address is."""

    INTERNET = 0
    NETWORK = 1  # private addresses
    MACHINE = 2  # loopback, and what only this machine's link knows, such as metadata of a cloud


class Destinations(AbstractResolver):
    """Judges the addresses of downloads; also the resolver through which names pass on their way to a connection."""

    def __init__(self, gateway_url: str, resolver: AbstractResolver | None = None) -> None:
        self._gateway_host = URL(gateway_url).host or ""
        self._resolver = resolver or aiohttp.ThreadedResolver()
        self._nearest: _Reach | None = None
        self._proxies: set[str] = set()

    def trust_proxy(self, proxy_url: str) -> None:
        """Let a proxy of the user's be anywhere."""
        self._proxies.add(URL(proxy_url).raw_host or "")

    async def check(self, address: URL, *, came_from: URL | None = None) -> None:
        """Raises NearbyError for an address that a download, or the redirect `came_from`, must not lead to."""
        reach = _reach_of(address.host or "")
        if reach is None:
            return  # a name: judged in `resolve`
        is_elsewhere = came_from is not None and address.origin() != came_from.origin()
        if reach > await self._gateway_reach() or (is_elsewhere and reach is _Reach.MACHINE):
            raise NearbyError(_words(address.host or ""))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name that may be connected to. Raises NearbyError where there is none, and OSError."""
        found = await self._resolver.resolve(host, port, family)
        if host in self._proxies:
            return found
        nearest = await self._gateway_reach()
        allowed = [place for place in found if (_reach_of(place["host"]) or _Reach.INTERNET) <= nearest]
        if not allowed:
            raise NearbyError(_words(host))
        return allowed

    async def close(self) -> None:
        """See AbstractResolver."""
        await self._resolver.close()

    async def _gateway_reach(self) -> _Reach:
        """How near the gateway is; looked up only where a download leads nearby, or to a name."""
        if self._nearest is None:
            reach = _reach_of(self._gateway_host)
            self._nearest = await self._reach_of_name(self._gateway_host) if reach is None else reach
        return self._nearest

    async def _reach_of_name(self, host: str) -> _Reach:
        try:
            found = await self._resolver.resolve(host, 0, socket.AF_UNSPEC)
        except OSError:
            return _Reach.INTERNET
        return max((_reach_of(place["host"]) or _Reach.INTERNET for place in found), default=_Reach.INTERNET)


def _reach_of(host: str) -> _Reach | None:
    """How near an address is; None for a name, which may be anywhere."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.rstrip(".").lower()
        return _Reach.MACHINE if name == "localhost" or name.endswith(".localhost") else None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_global:
        return _Reach.INTERNET
    is_of_machine = address.is_loopback or address.is_link_local or address.is_unspecified
    return _Reach.MACHINE if is_of_machine else _Reach.NETWORK


def _words(host: str) -> str:
    return f"the result's address leads to {host}, on this machine or its network, and is not followed"
