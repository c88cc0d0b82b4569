"""A real Dask scheduler and real workers, each a process of its own on loopback, and a gateway that counts slots."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from circumstances import wait_until
from studio import CHECKOUT, KEY, served_picture

from kirin_batch.sandbox import Sandbox, SandboxSettings

__all__ = ["Machines", "counting_gateway", "open_machines"]

_QUIET = ("--no-dashboard", "--host", "127.0.0.1")
_SECONDS = 10.0


@dataclass(slots=True)
class Machines:
    """A scheduler and its workers, which have the key of `studio` and keep what they have below `folder`.

    `security`: Dask's settings of TLS, as variables; without any they talk TCP.
    """

    folder: Path
    security: Mapping[str, str] = field(default_factory=dict)
    scheduler: "subprocess.Popen[bytes] | None" = None
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"{self.protocol}://127.0.0.1:{self.port}"

    @property
    def protocol(self) -> str:
        return "tls" if self.security else "tcp"

    @property
    def logs(self) -> str:
        return "".join(log.read_text() for log in sorted(self.folder.glob("*.log")))

    def start_scheduler(self) -> None:
        """Start it, or another one in its place."""
        log = self.folder / "scheduler.log"
        self.scheduler = self._start("scheduler", log, *_QUIET, "--port", str(self.port), "--protocol", self.protocol)
        wait_until(lambda: "Scheduler at:" in log.read_text())
        line = next(line for line in log.read_text().splitlines() if "Scheduler at:" in line)
        self.port = int(line.rpartition(":")[2])

    def start_worker(self, **environment: str) -> "subprocess.Popen[bytes]":
        """Start one with a single thread, as small as workers come; an empty text unsets what it has else."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        known = {"KIRIN_API_KEY": KEY, "PYTHONPATH": str(CHECKOUT), **environment}
        place = self.folder / f"scratch-{len(self.workers)}"
        plain = (self.address, *_QUIET, "--no-nanny", "--nthreads", "1", "--local-directory", str(place))
        self.workers.append(self._start("worker", log, *plain, **known))
        return self.workers[-1]

    def wait_for_workers(self) -> None:
        """Wait until all that were started are known to the scheduler."""
        logs = [self.folder / f"worker-{number}.log" for number in range(len(self.workers))]
        wait_until(lambda: all("Registered to" in log.read_text() for log in logs))

    def restart(self) -> None:
        """Kill the scheduler and start another one at its place, with new workers: the old ones end with it."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait(_SECONDS)
        self.start_scheduler()
        old = len(self.workers)
        for _ in range(old):
            self.start_worker()
        self.wait_for_workers()

    def _start(self, kind: str, log: Path, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KIRIN_", "DASK_"))}
        known = {**kept, "DASK_CONFIG": str(self.folder / "config"), **self.security, **environment}
        with log.open("wb") as file:
            return subprocess.Popen(  # noqa: S603 - Dask's own program
                [sys.executable, "-m", "distributed.cli.dask_" + kind, *arguments],
                env={name: value for name, value in known.items() if value},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def close(self) -> None:
        """End all of them, the workers in good order."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            with suppress(subprocess.TimeoutExpired):
                worker.wait(_SECONDS)
            worker.kill()
            worker.wait(_SECONDS)
        if self.scheduler:
            self.scheduler.kill()
            self.scheduler.wait(_SECONDS)


@contextmanager
def open_machines(folder: Path, *, workers: int = 2, security: Mapping[str, str] | None = None) -> Iterator[Machines]:
    """A cluster for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    machines = Machines(folder, security or {})
    try:
        machines.start_scheduler()
        for _ in range(workers):
            machines.start_worker()
        machines.wait_for_workers()
        yield machines
    finally:
        machines.close()


@contextmanager
def counting_gateway(*, image_slots: int, speed: float) -> Iterator[Sandbox]:
    """A sandbox whose tasks take their time, `speed` times as fast as life, and hold their slots meanwhile."""
    opened: list[Sandbox] = []
    started, ended = threading.Event(), threading.Event()

    @web.middleware
    async def plain(request: web.Request, handler: Handler) -> web.StreamResponse:
        del handler
        return web.Response(body=served_picture(request.path))

    async def serve() -> None:
        settings = SandboxSettings(speed=speed, limits={"image": image_slots}, result_middlewares=(plain,))
        async with Sandbox(settings) as sandbox:
            opened.append(sandbox)
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(_SECONDS)
        yield opened[0]
    finally:
        ended.set()
        thread.join(_SECONDS)
