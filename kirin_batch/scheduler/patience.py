"""Asks the gateway until it answers: waits out what is busy or broken, so that a life sees only answers that tell.

A busy answer never uses up an attempt, and a request that never reached the gateway is safe to repeat; what may have
reached it is told to the caller, who alone knows how to settle it.
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
from kirin_batch.scheduler.slots import Slots

__all__ = ["PATIENCE", "Patience", "Task"]

PATIENCE = 8
"""Answers in a row that were none before giving up: about four minutes."""

Task = Running | Done | Failed
"""An answer that shows the task."""


class Patience:
    """The gateway, asked with patience."""

    def __init__(self, gateway: Gateway, clock: Clock, observer: Observer, slots: Slots) -> None:
        self._gateway = gateway
        self._clock = clock
        self._observer = observer
        self._slots = slots
        self._random = Random()  # noqa: S311 - spreads waiting times, keeps no secret

    async def create(self, job: Job, params: dict[str, object]) -> Task | Missing | Refused | Unknown:
        """Send a create; after Unknown it may have reached the gateway.

        Raises GatewayRefusedError and GatewayUnreachableError.
        """
        return await self._ask(job, lambda: self._gateway.create(job.model, params))

    async def find(self, job: Job, task_id: str) -> Task | Missing | Unknown:
        """The task of the gateway's own id; Unknown where the answers stay unclear. Raises as `create`."""
        answer = await self._query(job, task_id, is_unclear=(Unknown, Refused))
        return Unknown(f"{answer.message} ({answer.code})") if isinstance(answer, Refused) else answer

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
            told = answer.reason if isinstance(answer, Unknown) else answer.message
            await self._wait(job, backoff_seconds(failures, jitter=self._random.random()), told)

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
        busy = broken = 0
        while True:
            answer = await ask()
            match answer:
                case Denied():
                    raise GatewayRefusedError(answer.message)
                case Busy():
                    busy += 1
                    if answer.parallel:
                        self._slots.shrink(job.kind)
                    delay = max(answer.retry_after or 0.0, backoff_seconds(busy, jitter=self._random.random()))
                    await self._wait(job, delay, answer.message)
                case Broken():
                    broken += 1
                    if broken == PATIENCE:
                        raise GatewayUnreachableError(f"the gateway cannot be reached: {answer.reason}")
                    await self._wait(job, backoff_seconds(broken, jitter=self._random.random()), answer.reason)
                case _:
                    return answer

    async def _wait(self, job: Job, seconds: float, reason: str) -> None:
        self._observer.stepped(job, Stage.WAITING, reason)
        await self._clock.sleep(seconds)
