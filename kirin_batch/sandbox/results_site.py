"""The site that results are downloaded from, on a port of its own, as the real ones live on other hosts."""

import re

from aiohttp import hdrs, web

from kirin_batch.sandbox.books import Books
from kirin_batch.sandbox.results import Results, media_type_of
from kirin_batch.sandbox.settings import SandboxSettings

__all__ = ["results_app"]

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def results_app(results: Results, books: Books, settings: SandboxSettings) -> web.Application:
    """The app of the results' port. A request that carries a key is refused, as signed stores do, and counted."""

    async def download(request: web.Request) -> web.Response:
        if hdrs.AUTHORIZATION in request.headers:
            books.downloads_with_key += 1
            return web.Response(status=400, text="Authorization is not allowed here: the address is the permission")
        order = results.order(request.path)
        if order is None:
            return web.Response(status=404, text="no such result")
        books.downloads += 1
        try:
            data = await results.content(request.path)
        except InterruptedError:
            return web.Response(status=503, text="the sandbox is stopping")
        # A token never gets another content, so it tells versions apart; what is asked of another gets the whole.
        tag = f'"{request.match_info["token"]}"'
        is_same = request.headers.get(hdrs.IF_RANGE, tag) == tag
        headers: dict[str, str] = {hdrs.ACCEPT_RANGES: "bytes", hdrs.CONTENT_TYPE: media_type_of(order), hdrs.ETAG: tag}
        return _served(data, headers, request.headers.get(hdrs.RANGE) if is_same else None)

    app = web.Application(middlewares=settings.result_middlewares)
    app.router.add_get("/{token}/{name}", download)
    return app


def _served(data: bytes, headers: dict[str, str], wanted: str | None) -> web.Response:
    """The whole, a part (206), or 416; several ranges at once are answered with the whole, as RFC 9110 allows."""
    match = RANGE.fullmatch(wanted) if wanted else None
    if match is None or match.groups() == ("", ""):
        return web.Response(body=data, headers=headers)
    first, last = _span(match[1], match[2], len(data))
    if first > last:
        return web.Response(status=416, headers={hdrs.CONTENT_RANGE: f"bytes */{len(data)}"})
    headers = headers | {hdrs.CONTENT_RANGE: f"bytes {first}-{last}/{len(data)}"}
    return web.Response(status=206, body=data[first : last + 1], headers=headers)


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(size - int(last), 0), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
