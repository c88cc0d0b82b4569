"""The gateway over HTTP: sends creates and queries, and gives every outcome as a value.

The key goes to the base URL and nowhere else: redirects are not followed, downloads have a session of their own.
"""

import asyncio
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from kirin_batch import __version__
from kirin_batch.clock import Clock, SystemClock
from kirin_batch.errors import UsageError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import Answer, Broken, Busy, Fetched, Refused, Resumption, Unknown, Writer
from kirin_batch.gateway.body import StreamedBody, json_body
from kirin_batch.gateway.download import Downloads
from kirin_batch.gateway.pace import Pace
from kirin_batch.gateway.proxy import proxy_for
from kirin_batch.gateway.reply import Reply, presentable, read_reply
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.gateway.wall import BAD_ADDRESS, FAULTS, read_error

__all__ = ["HEADERS", "PATH", "HttpGateway"]

PATH = "/model/v1/generation"
"""Where tasks are created, below the base URL."""

HEADERS: Mapping[str, str] = {
    "User-Agent": f"kirin-batch/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
"""What every request to the gateway says, beside the key."""

_ANSWER_BYTES = 16 * 1024**2  # a thousand times more than any real answer
_PIECE_BYTES = 64 * 1024
_CONNECT_SECONDS = 15.0
_SLOWEST_BYTES_PER_SECOND = 50_000  # of an upload that is waited for
_DNS_SECONDS = 300  # a name is asked for once in so long, not once a connection

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
        # Before the connector's own limit: waiting for that would count as time in which the gateway did not answer.
        self._connections = asyncio.Semaphore(settings.connections)
        seconds = settings.timeout_seconds
        # Connecting has less time, so that a host which is down is told from one which does not answer.
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds / 2))
        self._proxy = proxy_for(self._base_url)
        self._session = _session(settings)
        self._downloads = Downloads(
            gateway_url=self._base_url,
            silence_seconds=settings.timeout_seconds,
            clock=self._clock,
            most_bytes=settings.result_bytes,
        )

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
        """Post one task. Where `params` hold an EncodedFile, the Base64 of the file is sent.

        Refused where such a file is not the one that was checked: the request was broken off, and made no task.
        """
        return await self._ask("POST", PATH, content={"model": model, "input": [{"params": dict(params)}]})

    async def query(self, task: str) -> Answer:
        """Get a task by its id or its external_task_id, either of which is one segment of the path."""
        return await self._ask("GET", f"{PATH}/task/{quote(task, safe='')}")

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        """Stream a result into `write`, without the key; limits: its size, an hour, `timeout_seconds` of silence."""
        return await self._downloads.download(url, write, resumption=resumption)

    async def _ask(self, method: str, path: str, *, content: object = None) -> Answer:
        body = None if content is None else json_body(content)
        async with self._connections:
            await self._pace.turn()  # last: who then waited for a connection would not leave when its turn is
            begin, outcome = self._clock.monotonic(), None
            try:
                outcome = await self._exchange(method, path, body=body)
            finally:  # a request that is broken off is logged too
                if logger.isEnabledFor(logging.DEBUG):
                    self._log(method, path, body, outcome, seconds=self._clock.monotonic() - begin)
        answer = read_reply(outcome, now=self._clock.now()) if isinstance(outcome, Reply) else outcome
        if isinstance(answer, Busy) and answer.retry_after and not answer.parallel:
            self._pace.hold(answer.retry_after)  # too fast: that is said to all of this account's requests
        return presentable(answer, secret=self._secret)

    def _log(
        self,
        method: str,
        path: str,
        body: bytes | StreamedBody | None,
        outcome: Reply | Refused | Broken | Unknown | None,
        *,
        seconds: float,
    ) -> None:
        told = outcome if isinstance(outcome, Reply | None) else presentable(outcome, secret=self._secret)
        facts = {"method": method, "path": path, **_facts(told), "bytes_sent": _size(body)}
        logger.debug("request", extra={"fields": {**facts, "seconds": round(seconds, 3)}})

    async def _exchange(
        self, method: str, path: str, *, body: bytes | StreamedBody | None
    ) -> Reply | Refused | Broken | Unknown:
        try:
            return await self._send(method, path, body=body)
        except BAD_ADDRESS as error:
            raise UsageError(f"gateway.base_url (KIRIN_BASE_URL) {self._base_url!r} is no address: {error}") from error
        except FAULTS as error:
            if isinstance(body, StreamedBody) and body.fault:
                # Half a request makes no task, and it would be no better the next time.
                return Refused("", body.fault, is_unsent=True)
            return read_error(error)

    async def _send(self, method: str, path: str, *, body: bytes | StreamedBody | None) -> Reply | Unknown:
        reach(FaultPoint.REQUEST_READY)
        async with self._session.request(
            method,
            URL(f"{self._base_url}{path}", encoded=True),
            data=body,
            headers=self._headers(body),
            timeout=self._timeout_for(body),
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

    def _timeout_for(self, body: bytes | StreamedBody | None) -> aiohttp.ClientTimeout:
        """An upload has time beside that for the answer: `gateway.timeout` is of a gateway that says nothing."""
        if not isinstance(body, StreamedBody):
            return self._timeout
        total = (self._timeout.total or 0.0) + body.size_bytes / _SLOWEST_BYTES_PER_SECOND
        return aiohttp.ClientTimeout(total=total, connect=self._timeout.connect)

    def _headers(self, body: bytes | StreamedBody | None) -> dict[str, str]:
        """The headers of one request. As headers of the session they would reach proxies too, and with them the key."""
        headers = {"Authorization": f"Bearer {self._secret.reveal()}"}
        if body is None:
            return headers
        return headers | {"Content-Type": "application/json", "Content-Length": str(_size(body))}


def _size(body: bytes | StreamedBody | None) -> int:
    return body.size_bytes if isinstance(body, StreamedBody) else len(body or b"")


def _facts(outcome: Reply | Answer | None) -> dict[str, object]:
    """What a log tells of an outcome; a body may repeat prompts, and stays out."""
    match outcome:
        case Reply(status=status, body=body):
            return {"status": status, "bytes_received": len(body)}
        case Broken(reason=fault) | Unknown(reason=fault) | Refused(message=fault):
            return {"fault": fault}
        case _:
            return {"fault": "broken off"}


def _session(settings: GatewaySettings) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.connections, ttl_dns_cache=_DNS_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=HEADERS,
    )


async def _read(content: aiohttp.StreamReader) -> bytes | None:
    """All of a body; None where there is more than any answer has."""
    body = bytearray()
    while not content.at_eof():
        body += await content.read(_PIECE_BYTES)
        if len(body) > _ANSWER_BYTES:
            return None
    return bytes(body)
