"""A sandbox as a whole: two sites on loopback, started and stopped together. Knows no parameter and no picture."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from kirin_batch.errors import KirinError
from kirin_batch.sandbox.books import Books
from kirin_batch.sandbox.desk import Desk
from kirin_batch.sandbox.gateway_site import gateway_app
from kirin_batch.sandbox.orders import Order
from kirin_batch.sandbox.results import Results
from kirin_batch.sandbox.results_site import results_app
from kirin_batch.sandbox.settings import SandboxSettings

__all__ = ["Sandbox"]

SHUTDOWN_SECONDS = 0.5


class Sandbox:
    """A gateway that bills nothing: `async with Sandbox(settings) as sandbox:` and ask `sandbox.base_url`.

    `clock` gives seconds that only grow; tasks end by it, so a test that moves it need not wait. `books` tell what was
    asked. A port that cannot be opened is a KirinError.
    """

    def __init__(self, settings: SandboxSettings | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.base_url = ""
        self._settings = settings or SandboxSettings()
        self._clock = clock
        self._results = Results()
        self._desk = Desk(self._settings, clock=clock, results=self._results)
        self._runners: list[web.AppRunner] = []

    @property
    def books(self) -> Books:
        """What was asked so far."""
        return self._desk.books

    @property
    def results_url(self) -> str:
        """The base of all result URLs: another port than the gateway's."""
        return self._results.base_url

    def order_of(self, url: str) -> Order | None:
        """What the result behind one of its own URLs shows, without painting it; None for any other URL."""
        return self._results.order_at(url)

    async def __aenter__(self) -> Self:
        epoch = time.time() - self._clock()
        gateway = gateway_app(self._desk, self._settings, clock=self._clock, epoch=epoch)
        try:
            self._results.base_url = await self._serve(results_app(self._results, self.books, self._settings), port=0)
            self.base_url = await self._serve(gateway, port=self._settings.port)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _serve(self, app: web.Application, *, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        self._runners.append(runner)
        await runner.setup()
        # "localhost" may be two addresses, which port 0 would give two ports.
        host = "127.0.0.1" if self._settings.host == "localhost" else self._settings.host
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise KirinError(
                f"the sandbox cannot listen on {host}, port {port}: {error.strerror or error}; "
                "is the port in use? Port 0 picks a free one"
            ) from error
        address, chosen = runner.addresses[0][:2]
        return f"http://[{address}]:{chosen}" if ":" in address else f"http://{address}:{chosen}"

    async def _stop(self) -> None:
        self._results.close()
        while self._runners:
            await self._runners.pop().cleanup()
