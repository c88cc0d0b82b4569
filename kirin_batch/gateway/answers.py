"""The gateway as others see it: three acts, and all that they can end in as plain values to `match` on, a closed set.

Texts come from strangers: they are cleaned (one line, no control characters, no key, at most 500 characters) before
they get here. Must not know HTTP: what imports this never loads the HTTP library.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

__all__ = [
    "Answer",
    "Begun",
    "Broken",
    "Busy",
    "Denied",
    "Done",
    "Failed",
    "Fetched",
    "Gateway",
    "Gone",
    "Interrupted",
    "Missing",
    "Received",
    "Refused",
    "Rejected",
    "Restart",
    "Result",
    "Resumption",
    "Running",
    "Unknown",
    "Writer",
]


@dataclass(frozen=True, slots=True)
class Result:
    """One image or film of a task; its URL is http or https, lives on another host and dies within days."""

    type: Literal["image", "video"]
    url: str


@dataclass(frozen=True, slots=True)
class Running:
    """The task exists and has not ended; `progress` is 0.0 to 1.0, or None where the gateway does not say."""

    task_id: str
    progress: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The task is completed; `cost` in USD, `element_id` a 64-bit integer where the task made a subject.

    `results` may be empty: a subject has none, and a URL that is neither http nor https is left out.
    """

    task_id: str
    results: tuple[Result, ...] = ()
    cost: Decimal | None = None
    element_id: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The task ended as failed; `code` is a string whose leading zeros count, empty where there is none."""

    task_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Missing:
    """404: a query found no such task. After a create: there is nothing at that address, so the base URL is wrong."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No such request will ever pass, others may.

    `names_id`: it is the external_task_id that does not pass; `taken`: the message says that it is in use already.
    `is_unsent`: it was broken off here, before all of it was sent, so that it surely made no task.
    """

    code: str
    message: str
    taken: bool = False
    names_id: bool = False
    is_unsent: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """The account as a whole is refused (key, permission, balance); `message` tells people what to do."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Not now, and no task was made: wait `retry_after` seconds where given, at least 1 s, and back off.

    `parallel`: all slots of the account are taken; else the requests came too fast.
    """

    retry_after: float | None
    code: str
    message: str
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The request surely never reached the gateway (name, connection, TLS): safe to repeat."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer that tells anything; after a create nobody knows whether the task exists."""

    reason: str


Answer: TypeAlias = Running | Done | Failed | Missing | Refused | Denied | Busy | Broken | Unknown
"""What a create or a query can end with."""


Writer: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Takes the next bytes of a download, in order; what it raises ends the download and reaches the caller as it is."""

Restart: TypeAlias = Callable[[], Awaitable[None] | None]
"""Drops all that was written: what the writer gets next is the result's first bytes."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What of a result is written: its first bytes, at least one, of the version that `tag` names.

    `tag` is the server's strong entity tag, or the date of its last change; `whole_bytes` the result's size where told.
    """

    size_bytes: int
    tag: str
    whole_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Resumption:
    """Asks for what is missing. `restart` is called where the server has another version, or gives no parts."""

    begun: Begun
    restart: Restart


@dataclass(frozen=True, slots=True)
class Received:
    """The whole result is written: its size, and the server's Content-Type without its parameters."""

    size_bytes: int
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The URL is dead (expired, deleted or forbidden); a query for the task may give a fresh one."""

    reason: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The download broke off or never began; the same URL may work later.

    `begun` is what it can go on from; None: what was written is of no use.
    """

    reason: str
    begun: Begun | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing to repeat: not an http(s) address, too large, or led nowhere. What was written is incomplete."""

    reason: str


Fetched: TypeAlias = Received | Gone | Interrupted | Rejected
"""What a download can end with."""


class Gateway(Protocol):
    """Creates, queries and downloads; no fault of the network is an exception here."""

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        """Ask for one task; `params` are the API page's parameters, `external_task_id` among them."""
        ...

    async def query(self, task: str) -> Answer:
        """Ask for a task by its id or its external_task_id; free, and needs no slot."""
        ...

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        """Stream a result, or what is missing of it, into `write`, without the key: results live on other hosts."""
        ...
