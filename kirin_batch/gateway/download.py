"""Downloads of results, from other hosts: without the key, without cookies, in pieces. Must not know where they go."""

import asyncio
import logging
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from kirin_batch import __version__
from kirin_batch.clock import Clock
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import (
    Begun,
    Fetched,
    Gone,
    Interrupted,
    Received,
    Rejected,
    Resumption,
    Writer,
)
from kirin_batch.gateway.destinations import Destinations, NearbyError
from kirin_batch.gateway.proxy import Proxy, proxy_for
from kirin_batch.gateway.ranges import Stretch, read_rest, read_whole, rest_headers
from kirin_batch.gateway.wall import BAD_ADDRESS, FAULTS, words_for

__all__ = ["CHUNK_BYTES", "MOST_BYTES", "Downloads"]

CHUNK_BYTES = 256 * 1024
"""The largest piece that is written at once."""

MOST_BYTES = 4 * 1024**3
"""No result is larger: a film of 15 s has some tens of megabytes."""

_LONGEST_SECONDS = 3600.0  # else a server that drips keeps a download for good
_CONNECT_SECONDS = 15.0
_REDIRECTS = 5
_FOLLOWED = frozenset({301, 302, 303, 307, 308})
_OK = frozenset({200, 203})
_PARTIAL = 206
_NO_SUCH_PART = frozenset({400, 412, 416})  # to a request for a part: the whole may be served all the same
_TRANSIENT = frozenset({408, 425, 429})
_SUCCESS, _REDIRECT, _SERVER = 2, 3, 5  # the hundreds of a status

logger = logging.getLogger("kirin_batch.gateway")


class Downloads:
    """A session of its own; how many run at once is the caller's to limit.

    `silence_seconds`: so long may a server say nothing. `gateway_url`: nothing nearer to this machine than that is
    asked for results. Make it in a running event loop, as `async with Downloads(…)`.
    """

    def __init__(self, *, gateway_url: str, silence_seconds: float, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._destinations = Destinations(gateway_url)
        self._proxies: dict[tuple[str, str | None], Proxy] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=self._destinations),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Compressed, a result would be no smaller, and its length not the one that the server tells.
            headers={"User-Agent": f"kirin-batch/{__version__}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(
                total=_LONGEST_SECONDS,
                connect=min(silence_seconds, _CONNECT_SECONDS),
                sock_read=silence_seconds,
            ),
            read_bufsize=CHUNK_BYTES,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._destinations.close()

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        """Stream what is at the URL, or what is missing of it, into `write`.

        What `write` and `restart` raise reaches the caller as it is.
        """
        begin = self._clock.monotonic()
        response = fetched = None
        try:
            response = await self._open(url, resumption.begun if resumption else None)
            fetched = await self._receive(response, write, resumption)
        finally:  # a download that is broken off is logged too
            if logger.isEnabledFor(logging.DEBUG):
                seconds = round(self._clock.monotonic() - begin, 3)
                logger.debug("request", extra={"fields": {**_facts(url, response, fetched), "seconds": seconds}})
        return fetched

    async def _open(self, url: str, begun: Begun | None) -> aiohttp.ClientResponse | Rejected | Interrupted:
        try:
            return await self._follow(_address(url), begun)
        except BAD_ADDRESS as error:
            return Rejected(f"the result's address leads nowhere: {error}")
        except NearbyError as error:
            return Rejected(str(error))
        except FAULTS as error:
            return Interrupted(words_for(error), begun)

    async def _follow(self, address: URL, begun: Begun | None) -> aiohttp.ClientResponse | Rejected:
        """The first answer that is no redirect. The HTTP library's own way would not ask before each step."""
        came_from = None
        for _ in range(_REDIRECTS + 1):
            await self._destinations.check(address, came_from=came_from)
            response = await self._get(address, begun)
            place = response.headers.get("Location")
            if response.status not in _FOLLOWED or place is None:
                return response
            response.release()
            came_from, address = address, _joined(address, place)
        return Rejected(f"more than {_REDIRECTS} redirects")

    async def _get(self, address: URL, begun: Begun | None) -> aiohttp.ClientResponse:
        proxy = await self._proxy_for(address)
        return await self._session.get(
            address,
            headers=rest_headers(begun),
            allow_redirects=False,
            proxy=proxy.url,
            proxy_headers=proxy.headers,
        )

    async def _receive(
        self,
        response: aiohttp.ClientResponse | Rejected | Interrupted,
        write: Writer,
        resumption: Resumption | None,
    ) -> Fetched:
        if not isinstance(response, aiohttp.ClientResponse):
            return response
        async with response:
            reach(FaultPoint.DOWNLOAD_BEGUN)
            judged = _judged(response, self._most_bytes, resumption.begun if resumption else None)
            if not isinstance(judged, Stretch):
                return judged
            if resumption and judged.start == 0 and (restarted := resumption.restart()):
                await restarted
            return await self._stream(response, write, judged)

    async def _proxy_for(self, address: URL) -> Proxy:
        """The proxy for a host, found once: the environment is long, and stays as it is."""
        host = (address.scheme, address.raw_host)
        proxy = self._proxies.get(host)
        if proxy is None:
            # Off the event loop, because asking whether a proxy is bypassed may ask DNS on some systems.
            proxy = self._proxies[host] = await asyncio.to_thread(proxy_for, str(address))
            if proxy.url:
                self._destinations.trust_proxy(proxy.url)
        return proxy

    async def _stream(self, response: aiohttp.ClientResponse, write: Writer, stretch: Stretch) -> Fetched:
        """Write all of it. The HTTP library raises where less comes than Content-Length or the last chunk told."""
        size = stretch.start
        while True:
            try:
                chunk = await response.content.read(CHUNK_BYTES)
            except FAULTS as error:
                return Interrupted(f"after {size} bytes: {words_for(error)}", stretch.begun(size))
            if not chunk:
                return _ended(response, stretch, size)
            size += len(chunk)
            if size > self._most_bytes:
                return _too_large(self._most_bytes)
            if written := write(chunk):
                await written


def _facts(
    url: str, response: aiohttp.ClientResponse | Rejected | Interrupted | None, fetched: Fetched | None
) -> dict[str, object]:
    """What a log tells of a download; a query holds a signature, and stays out."""
    facts: dict[str, object] = {"method": "GET", "url": url.partition("?")[0]}
    if isinstance(response, aiohttp.ClientResponse):
        facts |= {"url": str(response.url.with_query(None)), "status": response.status}
    match fetched:
        case Received(size_bytes=size):
            return {**facts, "bytes": size}
        case None:
            return {**facts, "fault": "broken off"}
        case _:
            return {**facts, "fault": fetched.reason}


def _address(url: str) -> URL:
    """Take the URL as it is written: a signature may hold for that spelling alone. Raises aiohttp.InvalidURL."""
    try:
        return URL(url, encoded=url.isascii())
    except ValueError as error:
        raise aiohttp.InvalidURL(url) from error


def _joined(address: URL, place: str) -> URL:
    """Where a redirect leads. Raises aiohttp.InvalidURL for what is no http(s) address of a host."""
    try:
        target = address.join(URL(place, encoded=place.isascii()))
    except ValueError as error:
        raise aiohttp.InvalidURL(place) from error
    if target.scheme not in {"http", "https"} or not target.host:
        raise aiohttp.InvalidURL(place.partition("?")[0])
    return target


def _judged(response: aiohttp.ClientResponse, most_bytes: int, begun: Begun | None) -> Stretch | Fetched:
    """What the head of the answer says: an outcome already, or which bytes its body has."""
    status, length = response.status, response.content_length
    if status in _OK:
        return _too_large(most_bytes) if (length or 0) > most_bytes else read_whole(response.headers, length)
    said = f"HTTP {status}"
    if begun and status == _PARTIAL:
        return read_rest(response.headers, length, begun) or Interrupted(f"{said} with another part than asked for")
    if begun and status in _NO_SUCH_PART:
        return Interrupted(f"{said} to a request for the rest")
    family = status // 100
    if status in _TRANSIENT or family in {_SUCCESS, _SERVER}:
        return Interrupted(said, begun)
    return Rejected(f"{said} that leads nowhere") if family == _REDIRECT else Gone(said)


def _ended(response: aiohttp.ClientResponse, stretch: Stretch, size: int) -> Received | Interrupted:
    """The body ended as HTTP wants it. In chunks it may still have another length than the head told of it."""
    if stretch.end not in {None, size}:
        return Interrupted(f"{size} bytes came where {stretch.end} were told")
    if stretch.whole_bytes not in {None, size}:
        return Interrupted(f"{size} bytes came of {stretch.whole_bytes}", stretch.begun(size))
    return Received(size, _content_type(response))


def _too_large(most_bytes: int) -> Rejected:
    return Rejected(f"larger than {most_bytes} bytes")


def _content_type(response: aiohttp.ClientResponse) -> str | None:
    told = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return told or None
