"""Workers in memory that answer as a script says, and a driver's engine around them: no cluster, no waiting."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from fake_clock import FakeClock
from job_samples import plan_for
from scripted_gateway import Memory, Watcher

from kirin_batch.engines.knowledge import Knowledge
from kirin_batch.engines.messages import Answer, Errand, News, Packed, Parcel, Terms, pack
from kirin_batch.engines.remote_engine import RemoteEngine
from kirin_batch.engines.workers import LostError, Work
from kirin_batch.jobs import Job
from kirin_batch.records import Record
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.outcome import Outcome
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.scheduler import Limits, Scheduler
from kirin_batch.scheduler.surroundings import Rules, accept

__all__ = ["Driver", "Lost", "Reply", "Replying", "ScriptedWorkers"]

_Found = TypeVar("_Found")
_SECONDS = 10.0  # of real time, which no run here takes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker does with an errand: it tells news, then gives its answer, or none for now.

    `losses`: workers that die meanwhile.
    """

    answer: Answer | None
    news: tuple[News, ...] = ()
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """An errand that nobody works at any more."""


Replying = Callable[[Errand], Reply | Lost]


class _Call:
    def __init__(self, losses: int) -> None:
        self.changed = asyncio.Event()
        self.news: list[News] = []
        self.is_ended = False
        self.losses = losses
        self.reply: Reply | Lost = Lost()
        self.is_released = False

    async def result(self) -> Packed[Any]:
        if isinstance(self.reply, Reply) and self.reply.answer:
            return pack(self.reply.answer)
        raise LostError("workers died with it, again and again")

    def release(self) -> None:
        self.is_released = True

    def end(self, reply: "Reply | Lost") -> None:
        """Let the worker give its answer."""
        self.reply, self.is_ended = reply, isinstance(reply, Lost) or reply.answer is not None
        self.changed.set()


@dataclass(slots=True)
class ScriptedWorkers:
    """`errands` are all that came; `pieces` what workers hold, by path, whose absence means that they are gone."""

    reply: Replying
    acts: list[str] = field(default_factory=list)
    losses: int = 0
    errands: list[Errand] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    pieces: dict[str, bytes] = field(default_factory=dict)

    def submit(self, work: Work, parcel: Parcel) -> _Call:
        del work
        errand: Errand = parcel.errand.open()
        self.acts.append(f"send {errand.planned.external_task_id}")
        self.errands.append(errand)
        call = _Call(self.losses)
        self.calls.append(call)
        reply = self.reply(errand)
        if isinstance(reply, Reply):
            self.losses += reply.losses
            call.news += reply.news
        call.end(reply)
        return call

    def drop(self, key: str) -> None:
        assert key

    async def ready(self) -> None:
        self.acts.append("ready")

    async def ask(self, worker: str, function: Callable[..., Awaitable[_Found]], *arguments: object) -> _Found:
        path, offset = arguments
        if path not in self.pieces:
            raise LostError(f"worker {worker} is gone")
        assert (function.__name__, offset) == ("give_piece", 0)
        return (self.pieces[str(path)], True)  # type: ignore[return-value]  # the one function that is asked for

    async def ask_all(
        self, function: Callable[..., Awaitable[_Found]], *arguments: object, seconds: float
    ) -> dict[str, _Found | BaseException]:
        assert (len(arguments), seconds > 0) == (1, True)
        self.acts.append(function.__name__)
        return {}


TERMS = Terms(
    base_url="http://127.0.0.1:9",
    timeout_seconds=1.0,
    requests_per_second=None,
    result_bytes=1000,
    downloads=4,
    rules=Rules(poll=PollPolicy(), timeouts={"image": 900.0, "video": 3600.0}),
    is_downloading=True,
    is_embedding=False,
    shared=None,
    store=None,
    schemas={},
    latencies=Latencies().dump(),
)


class Driver:
    """A run whose workers are scripted."""

    def __init__(self, root: Path, reply: Replying, records: Iterable[Record] = ()) -> None:
        self.acts: list[str] = []
        self.clock = FakeClock()
        self.memory = Memory(self.acts, {record.job: record for record in records})
        self.watcher = Watcher()
        self.workers = ScriptedWorkers(reply, self.acts)
        self.terms = TERMS
        self.root = root
        self.stop: Callable[[], None] = lambda: None

    def engine(self) -> RemoteEngine:
        parts = Knowledge(
            root=self.root,
            records=self.memory.records,
            recorder=self.memory,
            tell_params=lambda _job: None,
            inspect=accept,
            is_recorded=lambda _path, _sha256: False,
            recorded_before=lambda _job: (),
            may_read=lambda _path: True,
        )
        return RemoteEngine(
            self.workers,
            self.terms,
            parts,
            recorded_at=lambda _job: {},
            clock=self.clock,
            observer=self.watcher,
            latencies=Latencies(),
        )

    def run(self, *jobs: Job, slots: int = 10) -> Mapping[str, Outcome]:
        """Carry out the plan for jobs."""
        plan = plan_for(jobs, *self.memory.records.values())
        limits = Limits(slots={"image": slots})

        async def carry_out() -> Mapping[str, Outcome]:
            async with asyncio.timeout(_SECONDS), self.engine() as engine:
                scheduler = Scheduler(engine, clock=self.clock, observer=self.watcher, limits=limits)
                self.stop = scheduler.stop
                await scheduler.run({job.id: job for job in jobs}, plan)
                return scheduler.outcomes

        return asyncio.run(carry_out())


def in_turn(*replies: Reply | Lost) -> Replying:
    """One reply an errand."""
    left = deque(replies)
    return lambda _errand: left.popleft()


def shared(driver: Driver, folder: Path) -> None:
    """Let the workers of a driver see its project in a folder."""
    driver.terms = replace(driver.terms, shared=str(folder))
