"""The stream of events: a quiet one is kept open, and there are only so many readers at once."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from live_server import serving
from studio import open_studio

from kirin_batch.ui.board import Board
from kirin_batch.ui.stream import send_news

MOST_READERS = 32


def test_a_quiet_stream_says_that_it_is_still_there() -> None:
    async def listen() -> bytes:
        board, app = Board(), web.Application()

        async def events(request: web.Request) -> web.StreamResponse:
            return await send_news(request, board, quiet_seconds=0.02)

        app.router.add_get("/", events)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with ClientSession() as session, session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/") as answer:
                return await answer.content.readexactly(28)
        finally:
            await runner.cleanup()

    assert asyncio.run(asyncio.wait_for(listen(), 20)) == b": still here\n\n: still here\n\n"


def test_one_reader_too_many_is_told_so_and_the_page_is_served_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_studio(tmp_path, monkeypatch, capsys) as studio, ExitStack() as readers:
        studio.prompts(one="a fox")
        with serving(studio) as served:
            for _ in range(MOST_READERS):
                assert readers.enter_context(served.reading()).answer.status == 200
            refused = served.ask("events")
            assert (refused.status, refused.body) == (503, b"too many pages are open\n")
            assert served.ask().status == 200
