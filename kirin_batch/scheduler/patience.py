"""Asks the gateway until it answers: waits out what is busy or broken, so that a life sees only answers that tell.

A busy answer never uses up an attempt, and a request that never reached the gateway is safe to repeat; what may have
reached it is told to the caller, who alone knows how to settle it. A create that finds no slot is told too: its job
waits in line, not here.
"""

from collections.abc import Awaitable, Callable
from random import Random

from kirin_batch.clock import Clock
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError
from kirin_batch.gateway.answers import (
    Answer,
    Broken,
    Busy,
    Denied,
    Done,
    Failed,
    Gateway,
    Missing,
    Refused,
    Running,
    Unknown,
)
from kirin_batch.jobs import Job
from kirin_batch.scheduler.observer import Observer, Stage
from kirin_batch.scheduler.pacing import backoff_seconds
from kirin_batch.scheduler.slots import Turns

__all__ = ["PATIENCE", "Patience", "Task"]

PATIENCE = 8
"""Answers in a row that were none before giving up: about four minutes."""

_LONG_SECONDS = 60.0

Task = Running | Done | Failed
"""An answer that shows the task."""


class Patience:
    """The gateway, asked with patience."""

    def __init__(self, gateway: Gateway, clock: Clock, observer: Observer, turns: Turns) -> None:
        self._gateway = gateway
        self._clock = clock
        self._observer = observer
        self._turns = turns
        self._random = Random()  # noqa: S311 - spreads waiting times, keeps no secret

    async def create(self, job: Job, params: dict[str, object]) -> Task | Missing | Refused | Unknown | Busy:
        """Send a create; after Unknown it may have reached the gateway.

        Raises GatewayRefusedError and GatewayUnreachableError.
        """
        since = self._turns.round(job.kind)
        answer = await self._repeat(job, lambda: self._gateway.create(job.model, params))
        match answer:
            case Running() | Done() | Failed():
                self._turns.accept(job.kind)
            case Busy(retry_after=retry_after, message=message):
                self._turns.refuse(job.kind, since=since, jitter=self.jitter(), retry_after=retry_after)
                self._observer.stepped(job, Stage.WAITING, _with_wait(message, retry_after))
        return answer

    async def glance(self, job: Job, task_id: str) -> Task | Missing | Unknown:
        """The task of the gateway's own id, asked for once; Unknown where the answer is unclear. Raises as `create`."""
        answer = await self._ask(job, lambda: self._gateway.query(task_id))
        return Unknown(_told(answer)) if isinstance(answer, Refused) else answer

    async def find(self, job: Job, task_id: str) -> Task | Missing | Unknown:
        """The task of the gateway's own id; Unknown where the answers stay unclear. Raises as `create`."""
        answer = await self._query(job, task_id, is_unclear=(Unknown, Refused))
        return Unknown(_told(answer)) if isinstance(answer, Refused) else answer

    async def look_up(self, job: Job, external_id: str) -> Task | Missing | Unknown:
        """The task of an external_task_id, as `find`."""
        answer = await self._query(job, external_id, is_unclear=(Unknown,))
        return Missing() if isinstance(answer, Refused) else answer  # an id of a form that is not looked up here

    async def _query(
        self, job: Job, id_: str, *, is_unclear: tuple[type[Unknown] | type[Refused], ...]
    ) -> Task | Missing | Refused | Unknown:
        failures = 0
        while True:
            answer = await self._ask(job, lambda: self._gateway.query(id_))
            failures += 1
            if not isinstance(answer, is_unclear) or failures == PATIENCE:
                return answer
            await self._wait(job, backoff_seconds(failures, jitter=self.jitter()), _told(answer))

    async def settle(self, job: Job, external_id: str, delays: tuple[float, ...]) -> Task | Missing | Unknown:
        """`look_up`, again after each of `delays` (seconds) while the task is missing: it may appear late."""
        found: Task | Missing | Unknown = Missing()
        for delay in delays:
            await self._clock.sleep(delay)
            found = await self.look_up(job, external_id)
            if not isinstance(found, Missing):
                break
        return found

    def jitter(self) -> float:
        """A number from 0 to 1 that spreads what would happen at once."""
        return self._random.random()

    async def _ask(self, job: Job, ask: Callable[[], Awaitable[Answer]]) -> Task | Missing | Refused | Unknown:
        busy = 0
        while isinstance(answer := await self._repeat(job, ask), Busy):
            busy += 1
            delay = max(answer.retry_after or 0.0, backoff_seconds(busy, jitter=self.jitter()))
            await self._wait(job, delay, _with_wait(answer.message, answer.retry_after))
        return answer

    async def _repeat(
        self, job: Job, ask: Callable[[], Awaitable[Answer]]
    ) -> Task | Missing | Refused | Unknown | Busy:
        """Ask until the gateway is reached."""
        for broken in range(1, PATIENCE + 1):
            answer = await ask()
            match answer:
                case Denied():
                    raise GatewayRefusedError(answer.message)
                case Broken(reason=reason):
                    if broken < PATIENCE:
                        await self._wait(job, backoff_seconds(broken, jitter=self.jitter()), reason)
                case _:
                    return answer
        raise GatewayUnreachableError(f"the gateway cannot be reached: {reason}")

    async def _wait(self, job: Job, seconds: float, reason: str) -> None:
        self._observer.stepped(job, Stage.WAITING, reason)
        await self._clock.sleep(seconds)


def _with_wait(message: str, seconds: float | None) -> str:
    """A long wait that the gateway asks for is told, as nothing else happens meanwhile."""
    return message if seconds is None or seconds < _LONG_SECONDS else f"{message}; again in {seconds / 60:.0f} min"


def _told(answer: Unknown | Refused) -> str:
    return answer.reason if isinstance(answer, Unknown) else f"{answer.message} ({answer.code})"
