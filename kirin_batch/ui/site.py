"""The server of the live page: on 127.0.0.1 alone, behind a token in the address, for its own page and no other.

A page of another site may reach any port of loopback, under a name of its own too: so each request must carry the
token and name this host, is never told what another origin may read, and changes nothing.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from hmac import compare_digest
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.typedefs import Handler, Middleware

from kirin_batch.errors import KirinError
from kirin_batch.report.page import page_policy, render_page
from kirin_batch.ui.board import Board
from kirin_batch.ui.shelf import Shelf
from kirin_batch.ui.stream import send_news

__all__ = ["Site"]

_HOST = "127.0.0.1"
_SHUTDOWN_SECONDS = 0.5
_MOST_READERS = 32
_TOKEN_BYTES = 24
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_FILE_POLICY = "default-src 'none'; sandbox"


class Site:
    """Serves `board` and the files on `shelf`: `async with Site(…) as site:` and open `site.url`.

    `about` is what the page's document tells besides its jobs. Port 0 picks a free one; one that cannot be opened is a
    KirinError.
    """

    def __init__(self, board: Board, shelf: Shelf, *, about: Callable[[], Mapping[str, Any]], port: int = 0) -> None:
        self.url = ""
        self._board = board
        self._shelf = shelf
        self._about = about
        self._port = port
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._hosts: frozenset[str] = frozenset()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, _HOST, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise KirinError(
                f"the live page cannot be served on {_HOST}, port {self._port}: {error.strerror or error}; "
                "is the port in use? Port 0 picks a free one"
            ) from error
        port = self._runner.addresses[0][1]
        self._hosts = frozenset(f"{name}:{port}" for name in (_HOST, "localhost"))
        self.url = f"http://{_HOST}:{port}/{self._token}/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard()])
        app.on_response_prepare.append(_add_headers)
        app.router.add_get("/{token}/", self._page, allow_head=False)
        app.router.add_get("/{token}/events", self._events, allow_head=False)
        app.router.add_get(
            r"/{token}/{name:(results|thumbnails)/[0-9a-f]{64}\.[a-z0-9]+}", self._file, allow_head=False
        )
        return app

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.headers.getall(hdrs.HOST, []) not in [[host] for host in self._hosts]:
                raise web.HTTPForbidden(text="this page is served to its own address alone\n")
            token = request.path.lstrip("/").partition("/")[0]
            if not compare_digest(token.encode(errors="replace"), self._token.encode()):
                raise web.HTTPNotFound
            return await handler(request)

        return guard

    async def _page(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - as every handler of aiohttp
        board = self._board
        live = {"since": board.number, "measures": board.measures}
        document = {**self._about(), "jobs": board.rows, "live": live}
        html = await asyncio.to_thread(render_page, document, is_live=True)
        policy = f"{page_policy(is_live=True)}; frame-ancestors 'none'"
        headers = {"Content-Security-Policy": policy}
        return web.Response(body=html, content_type="text/html", charset="utf-8", headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._board.readers >= _MOST_READERS:
            raise web.HTTPServiceUnavailable(text="too many pages are open\n")
        return await send_news(request, self._board)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = await asyncio.to_thread(self._shelf.find, request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        path, media_type = found
        return _PlainFile(path, media_type)


class _PlainFile(web.FileResponse):
    """The file itself: aiohttp would rather send a `.gz` that lies beside it."""

    def __init__(self, path: Path, media_type: str) -> None:
        super().__init__(path, headers={hdrs.CONTENT_TYPE: media_type, "Content-Security-Policy": _FILE_POLICY})

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers = request.headers.copy()
        headers.popall(hdrs.ACCEPT_ENCODING, None)
        return await super().prepare(request.clone(headers=headers))


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001 - aiohttp's signature
    response.headers.update(_HEADERS)
