"""A few threads for calls that may hang for long, to a store on the network say. Knows nothing of what they call.

They are daemons, unlike those of `concurrent.futures` and of the event loop: an interrupted program ends at once.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["Crew"]

_Found = TypeVar("_Found")


class Crew:
    """Makes calls in the order in which they come, so many at once; threads are made when they are needed."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def call(self, act: Callable[[], _Found]) -> Future[_Found]:
        """Have `act` called; its future can be cancelled until then."""
        future: Future[_Found] = Future()
        self._calls.put((future, act))
        if len(self._threads) < self._at_once:
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        return future

    def close(self) -> None:
        """Begin no further call; those under way end by themselves, and nobody waits for them."""
        self._is_closed = True
        for _ in self._threads:
            self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            future, act = work
            if self._is_closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(act())
            except BaseException as error:  # noqa: BLE001 - whoever asked for the call hears of it
                future.set_exception(error)
