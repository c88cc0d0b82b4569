"""What a worker has for all jobs of one run: one gateway with its connections, what was learned, a folder for files.

It opens with the first job of a run that comes to the worker, and closes when the driver says so, or when for a minute
nobody wanted anything: a driver that was killed says nothing.
"""

import asyncio
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

from kirin_batch.clock import SystemClock
from kirin_batch.disk import sha256_of_file
from kirin_batch.engines.depot import Depot
from kirin_batch.engines.desk import Desk
from kirin_batch.engines.messages import Answer, Errand, News, Observed, Terms
from kirin_batch.engines.workers import Post
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.credentials import read_api_key
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog
from kirin_batch.outputs.collector import Downloader, Lister
from kirin_batch.outputs.postflight import Postflight
from kirin_batch.outputs.store import Store, StoreError, key_of
from kirin_batch.records import Output
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.lookups import Lookups

__all__ = ["Office"]

_LOOK_SECONDS = 0.5
_NEWS_SECONDS = 0.02  # news waits so long for other news to go with
_IDLE_SECONDS = 60.0
_CLOSE_SECONDS = 1.0


class Office:
    """The part of a run that is at one worker; make it on the worker's event loop. Raises as `read_api_key`."""

    def __init__(self, run: str, terms: Terms, post: Post) -> None:
        self.terms = terms
        self.address = post.address
        self.clock = SystemClock()
        self.is_recalled = False
        self.is_closed = False
        self.reading = asyncio.Lock()  # as RequestBuilder: threads at work hold the event loop up
        self._run = run
        self._post = post
        self._folder = post.folder / f"kirin-batch-{run}"
        self.root = Path(terms.shared) if terms.shared else self._folder
        self.depot = Depot(self._folder / "files")
        self.catalog = self._load_catalog()
        self.store = Store(terms.store) if terms.store and not terms.shared else None
        self.inspect = Postflight(self.root, self.catalog).inspect
        self.lookups = Lookups()
        self.latencies = _TellingLatencies(lambda job, observed: self.tell(self._keys[job.id], observed))
        self.latencies.learn(terms.latencies)
        self.gateway = HttpGateway(
            GatewaySettings(
                terms.base_url,
                read_api_key(terms.base_url),
                timeout_seconds=terms.timeout_seconds,
                requests_per_second=terms.requests_per_second,
                result_bytes=terms.result_bytes,
            )
        )
        self.collector, self.gone = self._make_collector()
        self._desks: dict[str, Desk] = {}
        self._keys: dict[str, str] = {}  # by job
        self._leashes: dict[str, asyncio.Timeout] = {}
        self._recorded: dict[str, frozenset[str | None]] = {}
        self._held: set[str] = set()
        self._news: dict[str, list[News]] = {}
        self._last_used = self.clock.monotonic()
        self._look_again()

    def _load_catalog(self) -> Catalog:
        if not self.terms.schemas:
            return Catalog.load()
        folder = self._folder / "schemas"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.terms.schemas.items():
            (folder / name).write_text(text, encoding="utf-8")
        return Catalog.load([folder])

    def _make_collector(self) -> tuple[Downloader | Lister, set[str]]:
        if not self.terms.is_downloading:
            return Lister(), set()
        downloader = Downloader(
            self.root,
            self.gateway,
            self.clock,
            downloads=self.terms.downloads,
            is_recorded=lambda path, sha256: sha256 in self._recorded.get(path, frozenset()),
            recorded_before=lambda job: self._desk_of(job).errand.recorded_before,
            note_of=lambda job: self._desk_of(job).note(),
        )
        return downloader, downloader.gone

    def _desk_of(self, job: Job) -> Desk:
        return self._desks[self._keys[job.id]]

    async def employ(self, key: str, errand: Errand) -> Answer:
        """Work at a job until the driver is to decide, or nobody wants it any more."""
        desk = self._desks[key] = Desk(self, key, errand)
        self._keys[errand.job.id] = key
        self._recorded.update(errand.recorded)
        try:
            async with asyncio.timeout(None) as leash:
                self._leashes[key] = leash
                if self.is_recalled:
                    return desk.answer(None)
                return await desk.work()
        except TimeoutError:
            if not leash.expired():
                raise
            return desk.answer(None)
        finally:
            del self._desks[key], self._leashes[key]
            if self._keys.get(errand.job.id) == key:
                del self._keys[errand.job.id]
            self._last_used = self.clock.monotonic()
            self._send_news()  # all of it, before the answer

    def recall(self) -> None:
        """End all work here, but for creates whose answers are awaited."""
        self.is_recalled = True
        for key, desk in self._desks.items():
            if not desk.is_creating:
                self._pull(key)

    def _pull(self, key: str) -> None:
        leash = self._leashes[key]
        if not leash.expired():
            leash.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """End all work at once, and leave nothing here."""
        if self.is_closed:
            return
        self.is_recalled = self.is_closed = True
        for key in self._leashes:
            self._pull(key)
        deadline = self.clock.monotonic() + _CLOSE_SECONDS
        while self._desks and self.clock.monotonic() < deadline:
            await self.clock.sleep(_NEWS_SECONDS)
        await self.gateway.__aexit__(None, None, None)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _look_again(self) -> None:
        asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Drop what nobody wants any more: the driver cancelled it, or is gone."""
        if self.is_closed:
            return
        for key in self._leashes:
            if not self._post.is_wanted(self._run, key):
                self._pull(key)
        for key in [key for key in self._held if not self._post.is_known(self._run, key)]:
            self.drop_results(key)
        is_idle = not self._desks and not self._held and self.clock.monotonic() - self._last_used > _IDLE_SECONDS
        if is_idle:
            self._post.later(self.close)
        self._look_again()

    # News.

    def tell(self, key: str, news: News) -> None:
        """Tell the driver, together with what others tell in the same moment."""
        if not self._news:
            asyncio.get_running_loop().call_later(_NEWS_SECONDS, self._send_news)
        self._news.setdefault(key, []).append(news)

    def _send_news(self) -> None:
        if self._news:
            batch, self._news = self._news, {}
            self._post.tell({key: pickle.dumps(news, protocol=5) for key, news in batch.items()})

    # Files.

    def hold_results(self, key: str) -> None:
        """Keep the results of a parcel until it is forgotten: the driver brings them."""
        self._held.add(key)

    def drop_results(self, key: str) -> None:
        """Remove the results of a parcel; they lie in a folder of its name."""
        self._held.discard(key)
        shutil.rmtree(self._folder / key, ignore_errors=True)

    async def from_store(self, output: Output) -> Path | None:
        """A result as the store has it; None where it has none such."""
        place = self._folder / "files" / f"{output.sha256}-stored"
        return place if await asyncio.to_thread(self._fetch, output, place) else None

    def _fetch(self, output: Output, place: Path) -> bool:
        if place.exists() or self.store is None:
            return place.exists()
        part = place.with_name(f"{place.name}-{id(output)}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if not self.store.get(str(key_of(output)), part) or sha256_of_file(part) != output.sha256:
                return False
            part.replace(place)
        except (StoreError, OSError):
            return False
        finally:
            part.unlink(missing_ok=True)
        return True


class _TellingLatencies(Latencies):
    """What the lives here have learned; each new thing is told."""

    def __init__(self, tell: Callable[[Job, Observed], None]) -> None:
        super().__init__()
        self._tell = tell

    def observe(self, job: Job, *, earliest: float, latest: float) -> None:
        super().observe(job, earliest=earliest, latest=latest)
        self._tell(job, Observed(earliest, latest))
