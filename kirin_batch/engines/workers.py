"""Workers as driver and office see them: who carries parcels and news between them, behind two small interfaces.

`dask_wall` is one such carrier.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kirin_batch.engines.messages import News, Packed, Parcel

__all__ = ["Call", "LostError", "Post", "Work", "Workers"]

_Found = TypeVar("_Found")

Work = Callable[[Parcel], Awaitable[Packed[Any]]]
"""What a worker does with a parcel; its result comes back."""


class LostError(Exception):
    """Nobody works at it any more, and nobody will take it up again."""


class Call(Protocol):
    """A parcel on its way. `losses`: how many workers had been lost before it was sent."""

    changed: asyncio.Event
    """Set when there is news, or when it has ended."""
    news: list[News]
    is_ended: bool
    losses: int

    async def result(self) -> Packed[Any]:
        """What came back. Raises LostError, and KirinError where workers cannot even load the program."""
        ...

    def release(self) -> None:
        """Forget the result: nobody will ask for it, or for what belongs to it."""


class Workers(Protocol):
    """The workers of a cluster, for the driver. A parcel whose worker dies is given to another one."""

    losses: int
    """How many workers were lost so far, for whatever reason."""

    def submit(self, work: Work, parcel: Parcel) -> Call:
        """Have some worker do it."""
        ...

    def drop(self, key: str) -> None:
        """Hear no more news of a parcel."""

    async def ready(self) -> None:
        """Wait until parcels can be sent again. Raises GatewayUnreachableError where that does not come."""

    async def ask(self, worker: str, function: Callable[..., Awaitable[_Found]], *arguments: object) -> _Found:
        """Call a function at one worker. Raises LostError where that is gone."""
        ...

    async def ask_all(
        self, function: Callable[..., Awaitable[_Found]], *arguments: object, seconds: float
    ) -> dict[str, _Found | BaseException]:
        """Call a function at every worker; those that do not answer in time are left out."""
        ...


class Post(Protocol):
    """Where a worker stands; its folder is gone with it."""

    @property
    def address(self) -> str:
        """By which the driver asks for it."""
        ...

    @property
    def folder(self) -> Path:
        """For its files."""
        ...

    def tell(self, news: dict[str, bytes]) -> None:
        """Send news to drivers, by parcel; they come before any result that is given after this."""

    def is_wanted(self, run: str, key: str) -> bool:
        """Whether anybody waits for the result of a parcel that this worker works at."""
        ...

    def is_known(self, run: str, key: str) -> bool:
        """Whether the result of a parcel may still be asked for."""
        ...

    def later(self, act: Callable[[], Awaitable[None]]) -> None:
        """Have something done on the worker's event loop."""
