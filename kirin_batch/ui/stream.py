"""Server-sent events: what is new on the board, to one reader at its own speed."""

import asyncio
from contextlib import suppress

from aiohttp import web

from kirin_batch.ui.board import Board, Event

__all__ = ["send_news"]

_QUIET_SECONDS = 15.0
_LONGEST_NUMBER = 15  # digits


async def send_news(request: web.Request, board: Board, *, quiet_seconds: float = _QUIET_SECONDS) -> web.StreamResponse:
    """Send what came after the number that the reader has seen, and what comes, until the end or until it goes.

    Where nothing comes for `quiet_seconds`, a comment keeps the connection open.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    with board.reading(), suppress(ConnectionError):  # a page that is closed is no fault
        await response.prepare(request)
        await _send(response, board, _seen(request), quiet_seconds)
    return response


async def _send(response: web.StreamResponse, board: Board, seen: int, quiet_seconds: float) -> None:
    while True:
        # `write` waits while the reader is slow; what comes meanwhile is read off the board afterwards.
        for event in tuple(board.news(seen)):
            await response.write(_frame(event))
            seen = event.number
            if event.name == "ended":
                return
        try:
            async with asyncio.timeout(quiet_seconds):
                await board.wait(seen)
        except TimeoutError:
            await response.write(b": still here\n\n")


def _frame(event: Event) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.number, event.name.encode(), event.data)


def _seen(request: web.Request) -> int:
    """The number that a browser which comes back has seen, else that of the page."""
    text = request.headers.get("Last-Event-ID") or request.query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0
