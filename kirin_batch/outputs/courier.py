"""Brings what is at a URL into a sink: so many at a time, again where a download breaks off, on where it ended."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from kirin_batch.clock import Clock
from kirin_batch.gateway.answers import Begun, Fetched, Gateway, Interrupted, Received, Resumption
from kirin_batch.outputs.sink import Sink
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Courier"]

_PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each of the tries that bring nothing
_PROGRESS_BYTES = 64 * 1024  # a try that brought so much more begins the pauses anew

_Found = TypeVar("_Found")


class Courier:
    """`downloads`: how many go on at once."""

    def __init__(self, gateway: Gateway, clock: Clock, *, downloads: int) -> None:
        self._gateway = gateway
        self._clock = clock
        self._turns = asyncio.Semaphore(downloads)

    async def bring(self, url: str, sink: Sink, finish: Callable[[], _Found]) -> _Found | Missed:
        """Fill the sink, then have `finish` called, in a thread; or say why that did not come about.

        It tries until nothing more comes; the size limit of a download bounds how often something does. Raises OSError.
        """
        begun, most_bytes, tries, reason = None, 0, 0, ""
        pauses = iter(_PAUSES)
        while (pause := next(pauses, None)) is not None:
            await self._clock.sleep(pause)
            async with self._turns:
                fetched = await self._try(url, sink, begun)
                if isinstance(fetched, Received):
                    return await asyncio.to_thread(finish)  # in its turn, which bounds what is in memory
            if not isinstance(fetched, Interrupted):
                return Missed(fetched.reason, is_gone=True)
            begun, reason, tries = fetched.begun, fetched.reason, tries + 1
            # More than ever was there: what is lost and comes again, and again, is no progress.
            kept_bytes = begun.size_bytes if begun else 0
            if kept_bytes >= most_bytes + _PROGRESS_BYTES:
                pauses = iter(_PAUSES)
            most_bytes = max(most_bytes, kept_bytes)
        return Missed(f"a download broke off {tries} times: {reason}")

    async def _try(self, url: str, sink: Sink, begun: Begun | None) -> Fetched:
        resumption = Resumption(begun, sink.restart) if begun else None
        fetched = await self._gateway.download(url, sink.write, resumption=resumption)
        if isinstance(fetched, Interrupted):
            await sink.pause(is_kept=fetched.begun is not None)
        return fetched
