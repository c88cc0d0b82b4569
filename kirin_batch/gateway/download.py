"""Downloads of results, from other hosts: without the key, without cookies, in pieces. Must not know where they go."""

import asyncio
import logging
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from kirin_batch import __version__
from kirin_batch.clock import Clock
from kirin_batch.gateway.answers import Fetched, Gone, Interrupted, Received, Rejected, Writer
from kirin_batch.gateway.proxy import proxy_for
from kirin_batch.gateway.wall import BAD_ADDRESS, FAULTS, words_for

__all__ = ["CHUNK_BYTES", "MOST_BYTES", "Downloads"]

CHUNK_BYTES = 256 * 1024
"""The largest piece that is written at once."""

MOST_BYTES = 4 * 1024**3
"""No result is larger: a film of 15 s has some tens of megabytes."""

_LONGEST_SECONDS = 3600.0  # else a server that drips keeps a download for good
_CONNECT_SECONDS = 15.0
_REDIRECTS = 5
_OK = frozenset({200, 203})
_TRANSIENT = frozenset({408, 425, 429})
_SUCCESS, _REDIRECT, _SERVER = 2, 3, 5  # the hundreds of a status

logger = logging.getLogger("kirin_batch.gateway")


class Downloads:
    """A session of its own; how many run at once is the caller's to limit.

    `silence_seconds`: so long may a server say nothing. Make it in a running event loop, as `async with Downloads(…)`.
    """

    def __init__(self, *, silence_seconds: float, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Compressed, a result would be no smaller, and its length not the one that the server tells.
            headers={"User-Agent": f"kirin-batch/{__version__}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(
                total=_LONGEST_SECONDS,
                connect=min(silence_seconds, _CONNECT_SECONDS),
                sock_read=silence_seconds,
            ),
            read_bufsize=CHUNK_BYTES,
            requote_redirect_url=False,  # see `_address`
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def download(self, url: str, write: Writer) -> Fetched:
        """Stream what is at the URL into `write`; what `write` raises reaches the caller as it is."""
        begin = self._clock.monotonic()
        try:
            response = await self._open(url)
        except BAD_ADDRESS as error:
            return Rejected(f"the result's address leads nowhere: {error}")
        except aiohttp.TooManyRedirects:
            return Rejected(f"more than {_REDIRECTS} redirects")
        except FAULTS as error:
            return Interrupted(words_for(error))
        async with response:
            fetched = _judged(response, self._most_bytes) or await self._stream(response, write)
        seconds = self._clock.monotonic() - begin
        logger.debug("GET %s%s %d %.3f s", response.url.host, response.url.raw_path, response.status, seconds)
        return fetched

    async def _open(self, url: str) -> aiohttp.ClientResponse:
        address = _address(url)
        # Off the event loop, because asking whether a proxy is bypassed may ask DNS on some systems.
        proxy = await asyncio.to_thread(proxy_for, url)
        return await self._session.get(address, max_redirects=_REDIRECTS, proxy=proxy.url, proxy_headers=proxy.headers)

    async def _stream(self, response: aiohttp.ClientResponse, write: Writer) -> Fetched:
        """Write all of it. The HTTP library raises where less comes than Content-Length or the last chunk told."""
        received = 0
        while True:
            try:
                chunk = await response.content.read(CHUNK_BYTES)
            except FAULTS as error:
                return Interrupted(f"after {received} bytes: {words_for(error)}")
            if not chunk:
                return Received(received, _content_type(response))
            received += len(chunk)
            if received > self._most_bytes:
                return _too_large(self._most_bytes)
            if written := write(chunk):
                await written


def _address(url: str) -> URL:
    """Take the URL as it is written: a signature may hold for that spelling alone. Raises aiohttp.InvalidURL."""
    try:
        return URL(url, encoded=url.isascii())
    except ValueError as error:
        raise aiohttp.InvalidURL(url) from error


def _judged(response: aiohttp.ClientResponse, most_bytes: int) -> Fetched | None:
    """What the head of the answer says already; None where the body is worth reading."""
    if response.status in _OK:
        return _too_large(most_bytes) if (response.content_length or 0) > most_bytes else None
    said = f"HTTP {response.status}"
    family = response.status // 100
    if response.status in _TRANSIENT or family in {_SUCCESS, _SERVER}:
        return Interrupted(said)
    return Rejected(f"{said} that leads nowhere") if family == _REDIRECT else Gone(said)


def _too_large(most_bytes: int) -> Rejected:
    return Rejected(f"larger than {most_bytes} bytes")


def _content_type(response: aiohttp.ClientResponse) -> str | None:
    told = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return told or None
