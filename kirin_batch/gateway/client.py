"""The gateway over HTTP: sends creates and queries, and gives every outcome as a value.

The key goes to the base URL and nowhere else: redirects are not followed, downloads have a session of their own.
"""

import asyncio
import io
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from kirin_batch import __version__
from kirin_batch.clock import Clock, SystemClock
from kirin_batch.errors import UsageError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import Answer, Broken, Fetched, Resumption, Unknown, Writer
from kirin_batch.gateway.download import Downloads
from kirin_batch.gateway.pace import Pace
from kirin_batch.gateway.proxy import proxy_for
from kirin_batch.gateway.reply import Reply, presentable, read_reply
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.gateway.wall import BAD_ADDRESS, FAULTS, read_error

__all__ = ["HttpGateway"]

_PATH = "/model/v1/generation"
_ANSWER_BYTES = 16 * 1024**2  # a thousand times more than any real answer
_PIECE_BYTES = 64 * 1024
_CONNECT_SECONDS = 15.0

logger = logging.getLogger("kirin_batch.gateway")


class HttpGateway:
    """The gateway of `GatewaySettings`; make it in a running event loop, as `async with HttpGateway(settings)`.

    Raises UsageError for a base URL that can never be reached, and nothing else.
    """

    def __init__(self, settings: GatewaySettings, *, clock: Clock | None = None) -> None:
        self._base_url = settings.base_url.rstrip("/")
        self._secret = settings.api_key
        self._clock = clock or SystemClock()
        self._pace = Pace(settings.requests_per_second, clock=self._clock)
        # Not the connector's own limit: waiting for that would count as time in which the gateway did not answer.
        self._connections = asyncio.Semaphore(settings.connections)
        self._proxy = proxy_for(self._base_url)
        self._session = _session(settings)
        self._downloads = Downloads(silence_seconds=settings.timeout_seconds, clock=self._clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._session.close()
        finally:
            await self._downloads.__aexit__(kind, error, trace)

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        """Post one task."""
        # On the event loop, though images make it long: it holds the interpreter's lock, so that a thread would free
        # nothing, and takes 0.5 ms a megabyte.
        body = orjson.dumps({"model": model, "input": [{"params": dict(params)}]})
        return await self._ask("POST", _PATH, body=body)

    async def query(self, task: str) -> Answer:
        """Get a task by its id or its external_task_id, either of which is one segment of the path."""
        return await self._ask("GET", f"{_PATH}/task/{quote(task, safe='')}")

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        """Stream a result into `write`, without the key; limits: 4 GiB, an hour, `timeout_seconds` of silence."""
        return await self._downloads.download(url, write, resumption=resumption)

    async def _ask(self, method: str, path: str, *, body: bytes | None = None) -> Answer:
        await self._pace.turn()
        async with self._connections:
            begin = self._clock.monotonic()
            outcome = await self._exchange(method, path, body=body)
        status = outcome.status if isinstance(outcome, Reply) else type(outcome).__name__.lower()
        logger.debug("%s %s %s %.3f s", method, path, status, self._clock.monotonic() - begin)
        answer = read_reply(outcome, now=self._clock.now()) if isinstance(outcome, Reply) else outcome
        return presentable(answer, secret=self._secret)

    async def _exchange(self, method: str, path: str, *, body: bytes | None) -> Reply | Broken | Unknown:
        try:
            return await self._send(method, path, body=body)
        except BAD_ADDRESS as error:
            raise UsageError(f"gateway.base_url (KIRIN_BASE_URL) {self._base_url!r} is no address: {error}") from error
        except FAULTS as error:
            return read_error(error)

    async def _send(self, method: str, path: str, *, body: bytes | None) -> Reply | Unknown:
        reach(FaultPoint.REQUEST_READY)
        async with self._session.request(
            method,
            URL(f"{self._base_url}{path}", encoded=True),
            data=None if body is None else io.BytesIO(body),  # sent in pieces: others go on meanwhile
            headers=self._headers(body),
            allow_redirects=False,
            proxy=self._proxy.url,
            proxy_headers=self._proxy.headers,
        ) as response:
            reach(FaultPoint.ANSWER_BEGUN)
            told = await _read(response.content)
            reach(FaultPoint.ANSWER_READ)
            if told is None:
                return Unknown(f"HTTP {response.status} with more than {_ANSWER_BYTES} bytes")
            told = self._secret.redact_body(told)
            return Reply(response.status, told, response.headers.get("Retry-After"), is_create=method == "POST")

    def _headers(self, body: bytes | None) -> dict[str, str]:
        """The headers of one request. As headers of the session they would reach proxies too, and with them the key."""
        headers = {"Authorization": f"Bearer {self._secret.reveal()}"}
        return headers if body is None else headers | {"Content-Type": "application/json"}


def _session(settings: GatewaySettings) -> aiohttp.ClientSession:
    seconds = settings.timeout_seconds
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={
            "User-Agent": f"kirin-batch/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
        # Connecting has less time, so that a host which is down is told from one which does not answer.
        timeout=aiohttp.ClientTimeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds / 2)),
    )


async def _read(content: aiohttp.StreamReader) -> bytes | None:
    """All of a body; None where there is more than any answer has."""
    body = bytearray()
    while piece := await content.read(_PIECE_BYTES):
        body += piece
        if len(body) > _ANSWER_BYTES:
            return None
    return bytes(body)
