"""The results of all tasks by their unguessable addresses, painted when first asked for and kept for a while."""

import asyncio
import secrets
import threading
import weakref
from collections import OrderedDict
from urllib.parse import urlsplit

from kirin_batch.sandbox.orders import FilmOrder, Order

__all__ = ["Results", "media_type_of"]

MOST_CACHED_BYTES = 256 * 1024 * 1024
PAINTERS = 2


class Results:
    """Orders by path (`/TOKEN/result.EXT`), and their bytes. `base_url` is set once the site is up."""

    def __init__(self, *, most_cached_bytes: int = MOST_CACHED_BYTES) -> None:
        self.base_url = ""
        self._orders: dict[str, Order] = {}
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._most_cached_bytes = most_cached_bytes
        self._painters = asyncio.Semaphore(PAINTERS)
        self._gates: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._stop = threading.Event()

    def add(self, order: Order) -> str:
        """Take an order and give its URL."""
        path = f"/{secrets.token_urlsafe(24)}/result{_ending(order)}"
        self._orders[path] = order
        return self.base_url + path

    def order_at(self, url: str) -> Order | None:
        """The order behind a URL that this sandbox gave out."""
        if not url.startswith(f"{self.base_url}/"):
            return None
        return self._orders.get(urlsplit(url).path)

    def order(self, path: str) -> Order | None:
        """The order at a path of the site."""
        return self._orders.get(path)

    async def content(self, path: str) -> bytes:
        """The bytes of an existing result. They are the same whenever they are painted, so ranges fit together."""
        gate = self._gates.setdefault(path, asyncio.Lock())
        async with gate:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
            async with self._painters:
                data = await asyncio.to_thread(_paint, self._orders[path], self._stop)
            self._keep(path, data)
            return data

    def close(self) -> None:
        """Make painters stop soon: a film in work would otherwise hold up the end of the process."""
        self._stop.set()

    def _keep(self, path: str, data: bytes) -> None:
        self._cache[path] = data
        while len(self._cache) > 1 and sum(map(len, self._cache.values())) > self._most_cached_bytes:
            self._cache.popitem(last=False)


def media_type_of(order: Order) -> str:
    """The Content-Type of a result."""
    return "video/mp4" if isinstance(order, FilmOrder) else f"image/{order.encoding}"


def _ending(order: Order) -> str:
    if isinstance(order, FilmOrder):
        return ".mp4"
    return ".jpg" if order.encoding == "jpeg" else ".png"


def _paint(order: Order, stop: threading.Event) -> bytes:
    # Pillow and PyAV cost 15 and 45 ms of start-up where files are warm, and PyAV is an extra that may be missing.
    if isinstance(order, FilmOrder):
        from kirin_batch.sandbox.films import encode_film  # noqa: PLC0415 - measured start-up cost, see above

        return encode_film(order, stop=stop)
    from kirin_batch.sandbox.pictures import encode_picture  # noqa: PLC0415 - measured start-up cost, see above

    return encode_picture(order)
