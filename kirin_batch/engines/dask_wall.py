"""The only module that knows Dask: a connection for the driver, and where a worker stands. Its errors end here.

A coroutine counts against the threads of a Dask worker, two of them perhaps, until it says that it is long-running:
then it holds nothing but memory, and a worker takes hundreds. So each job is one Dask task, which says so at once, and
which Dask has another worker do anew when its own dies.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import time
from typing import Any, Final, TypeVar, cast

from kirin_batch.engines.messages import News, Packed, Parcel
from kirin_batch.engines.workers import LostError, Work
from kirin_batch.errors import GatewayUnreachableError, KirinError, UsageError
from kirin_batch.problems import one_line

try:
    import dask.config
    import distributed
    from distributed.scheduler import KilledWorker
    from distributed.worker_state_machine import SecedeEvent
except ImportError:  # the extra `distributed` is not there
    distributed = None

__all__ = ["DaskCall", "DaskCluster", "DaskPost", "open_cluster", "stand_at"]

_TOPIC = "kirin-batch"  # one for all runs: a scheduler keeps the last thousand events of each topic, and all topics
_ALL = "all"
_LONG_RUNNING = frozenset({"executing", "long-running"})  # states in which a task's result is waited for
_CONNECT_SECONDS = 5.0
_RECONNECT_SECONDS = 60.0  # a scheduler that restarts, on another machine perhaps, is waited for so long
_BACK_SECONDS = _RECONNECT_SECONDS + _CONNECT_SECONDS
_ASK_SECONDS = 60.0  # for a few megabytes
_CLOSE_SECONDS = 1.0
_READY_SECONDS = 0.1
_LOST = "the Dask scheduler was lost, and did not come back: run again when it does"

_Found = TypeVar("_Found")


# --- the driver's side ------------------------------------------------------------------------------------------------


class DaskCall:
    """See Call."""

    __slots__ = ("_future", "changed", "is_ended", "losses", "news")

    def __init__(self, losses: int) -> None:
        self._future: Any = None
        self.changed = asyncio.Event()
        self.news: list[News] = []
        self.is_ended = False
        self.losses = losses

    def begin(self, future: Any) -> None:  # noqa: ANN401 - Dask's
        """Watch what carries it."""
        self._future = future
        loop = asyncio.get_running_loop()

        def end(_future: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._end)

        future.add_done_callback(end)

    def _end(self) -> None:
        self.is_ended = True
        self.changed.set()

    async def result(self) -> Packed[Any]:
        """See Call."""
        try:
            return cast("Packed[Any]", await self._future)
        except KilledWorker as error:
            raise LostError("workers died with it, again and again") from error
        except distributed.CancelledError as error:
            raise LostError("the scheduler has forgotten it") from error
        except OSError as error:  # while the answer was brought
            raise LostError("the connection to the scheduler was lost") from error
        except (ImportError, AttributeError) as error:
            raise _not_the_same(error) from error

    def release(self) -> None:
        """See Call."""
        self._future.release()


class DaskCluster:
    """An existing cluster, as Workers; `open_cluster` makes one. A scheduler that is lost is back in `back_seconds`, or
    never.
    """

    def __init__(self, client: Any, *, back_seconds: float = _BACK_SECONDS) -> None:  # noqa: ANN401 - Dask's
        self._client = client
        self._back_seconds = back_seconds
        self._calls: dict[str, DaskCall] = {}
        self._asking: defaultdict[str, set[asyncio.Timeout]] = defaultdict(set)
        self._gone: set[str] = set()
        self.losses = 0
        self._listen()

    def _listen(self) -> None:
        self._line = self._client.scheduler_comm  # another one when the connection was lost meanwhile
        self._client.subscribe_topic(_TOPIC, self._hear)
        self._client.subscribe_topic(_ALL, self._note)

    def _renew(self) -> None:
        """Listen again after the connection was lost: the scheduler has forgotten who listened. Raises
        GatewayUnreachableError where it did not come back.
        """
        if self._client.status in {"closing", "closed"}:
            raise GatewayUnreachableError(_LOST)
        if self._client.status == "running" and self._client.scheduler_comm is not self._line:
            self.losses += 1
            self._listen()

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        batch = event[1]
        known = [(self._calls[key], data) for key, data in batch.items() if key in self._calls]
        for call, data in known:
            call.news += Packed[list[News]](data).open()
            call.changed.set()

    def _note(self, event: tuple[float, dict[str, Any]]) -> None:
        match event[1]:
            case {"action": "add-worker", "worker": str(worker)}:
                self._gone.discard(worker)  # an address may be taken again
            case {"action": "remove-worker", "worker": str(worker)}:
                self.losses += 1
                self._gone.add(worker)
                for leash in self._asking[worker]:
                    if not leash.expired():
                        leash.reschedule(asyncio.get_running_loop().time())

    def submit(self, work: Work, parcel: Parcel) -> DaskCall:
        """See Workers."""
        self._renew()
        call = self._calls[parcel.key] = DaskCall(self.losses)
        # The first part names the group: one prefix in the dashboard, and work is spread as of many alike.
        key = (f"kirin-batch-{parcel.run}", parcel.key)
        call.begin(self._client.submit(work, parcel, key=key, pure=False))
        return call

    def drop(self, key: str) -> None:
        """See Workers."""
        self._calls.pop(key, None)

    async def ready(self) -> None:
        """See Workers: a scheduler that is lost may come back."""
        try:
            # Longer than Dask itself tries: what of it does so may have died of an answer that it did not expect.
            async with asyncio.timeout(self._back_seconds):
                while self._client.status == "connecting":  # noqa: ASYNC110 - Dask has no event for it
                    await asyncio.sleep(_READY_SECONDS)
        except TimeoutError as error:
            raise GatewayUnreachableError(_LOST) from error
        self._renew()

    async def ask(self, worker: str, function: Callable[..., Awaitable[_Found]], *arguments: object) -> _Found:
        """See Workers. Left alone, Dask would try for half a minute to reach a worker that is gone."""
        try:
            async with asyncio.timeout(0 if worker in self._gone else _ASK_SECONDS) as leash:
                self._asking[worker].add(leash)
                try:
                    found = await self._client.run(function, *arguments, workers=[worker])
                finally:
                    self._asking[worker].remove(leash)
        except (OSError, KeyError) as error:  # a TimeoutError is an OSError
            raise LostError(f"worker {worker} is gone") from error
        return cast("_Found", found[worker])

    async def ask_all(
        self, function: Callable[..., Awaitable[_Found]], *arguments: object, seconds: float
    ) -> dict[str, _Found | BaseException]:
        """See Workers."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                found = await self._client.run(function, *arguments, on_error="return")
                return cast("dict[str, _Found | BaseException]", found)
        return {}


@asynccontextmanager
async def open_cluster(address: str | None) -> AsyncIterator[DaskCluster]:
    """The cluster whose scheduler is at `address`, or whose scheduler file that is; None: Dask's own settings say it.

    TLS and time-outs are as Dask is configured. Raises UsageError where Dask is not installed or no scheduler named,
    GatewayUnreachableError where there is none.
    """
    if distributed is None:
        raise UsageError("--engine dask needs the extra `distributed`: pip install 'kirin-batch[distributed]'")
    told = address or dask.config.get("scheduler-address", None)
    if not told:
        raise UsageError("--engine dask needs --scheduler tcp://HOST:8786, or DASK_SCHEDULER_ADDRESS")
    place = {"scheduler_file": told} if str(told).endswith(".json") else {"address": told}
    client = distributed.Client(**place, asynchronous=True, set_as_default=False, timeout=_RECONNECT_SECONDS)
    try:
        await _connect(client, told)
        yield DaskCluster(client)
    finally:
        with suppress(TimeoutError, OSError, AssertionError):  # the last is what its reconnecting may have died of
            await client.close(timeout=_CLOSE_SECONDS)


async def _connect(client: Any, told: str) -> None:  # noqa: ANN401 - Dask's
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await client
    except TimeoutError as error:
        raise GatewayUnreachableError(f"the Dask scheduler {told} does not answer: is it there?") from error
    except (OSError, ValueError, TypeError) as error:  # of addresses, and of TLS settings that are missing
        raise UsageError(f"--scheduler {told} is no Dask scheduler: {one_line(str(error))}") from error


def _not_the_same(error: BaseException) -> KirinError:
    return UsageError(
        f"workers cannot load kirin-batch as it is here ({one_line(str(error))}): install the same version there"
    )


# --- a worker's side --------------------------------------------------------------------------------------------------


class DaskPost:
    """See Post: a process of Dask's, of which it shares the event loop."""

    def __init__(self, worker: Any) -> None:  # noqa: ANN401 - Dask's
        self._worker = worker
        self.address: Final = str(worker.address)
        self.folder: Final = Path(worker.local_directory)

    def tell(self, news: dict[str, bytes]) -> None:
        """See Post: news and results take the same way."""
        self._worker.log_event(_TOPIC, news)

    def is_wanted(self, run: str, key: str) -> bool:
        """See Post."""
        task = self._worker.state.tasks.get((f"kirin-batch-{run}", key))
        return task is not None and task.state in _LONG_RUNNING

    def is_known(self, run: str, key: str) -> bool:
        """See Post."""
        return (f"kirin-batch-{run}", key) in self._worker.state.tasks

    def later(self, act: Callable[[], Awaitable[None]]) -> None:
        """See Post."""
        self._worker.loop.add_callback(act)


def stand_at(run: str, key: str) -> DaskPost:
    """The post of the worker that runs this, which from now on takes no thread's place for the parcel."""
    worker = distributed.get_worker()
    dask_key = (f"kirin-batch-{run}", key)
    worker.handle_stimulus(SecedeEvent(key=dask_key, compute_duration=0.0, stimulus_id=f"secede-{time()}"))
    return DaskPost(worker)
