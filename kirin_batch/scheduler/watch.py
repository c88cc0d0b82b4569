"""A task that runs at the gateway, from one query to the next: when to ask again, and what the answers mean."""

from kirin_batch.gateway.answers import Done, Failed, Missing, Running, Unknown
from kirin_batch.jobs import Job
from kirin_batch.scheduler.pacing import backoff_seconds
from kirin_batch.scheduler.patience import PATIENCE
from kirin_batch.scheduler.surroundings import Surroundings

__all__ = ["Watch"]

_MISSES = 3  # a task that was just created may be missing for a moment


class Watch:
    """The task of one job. `task` is what the gateway last told of it.

    `age`: seconds since the task was created; None: just now. Only a task whose beginning was seen teaches how long
    such tasks take.
    """

    __slots__ = ("_around", "_began", "_failures", "_is_own", "_job", "_misses", "_seen_running", "_since", "task")

    def __init__(self, job: Job, task: Running, around: Surroundings, *, age: float | None) -> None:
        self.task = task
        self._job = job
        self._around = around
        self._since = around.clock.monotonic()
        self._began = self._since if age is None else self._since - age
        self._is_own = age is None
        self._seen_running = 0.0
        self._misses = 0
        self._failures = 0

    @property
    def seconds(self) -> float:
        """How long the task has been watched."""
        return self._around.clock.monotonic() - self._since

    @property
    def age(self) -> float:
        """Seconds since the task was created."""
        return self._around.clock.monotonic() - self._began

    def delay(self) -> float:
        """Seconds until the next look."""
        around = self._around
        jitter = around.patience.jitter()
        if self._failures:
            return backoff_seconds(self._failures, jitter=jitter)
        return around.rules.poll.next_delay(
            self.age,
            around.latencies.of(self._job),
            worth=around.worth_of(self._job),
            jitter=jitter,
            is_first=self._is_own and not self._seen_running and not self._misses,
        )

    async def look(self) -> Running | Done | Failed | Missing | Unknown:
        """Ask once. Missing and Unknown are told when they came often enough to be believed; till then it runs."""
        found = await self._around.patience.glance(self._job, self.task.task_id)
        match found:
            case Running():
                self.task, self._misses, self._failures = found, 0, 0
                self._seen_running = self.age
            case Done() | Failed() if self._is_own:
                self._around.latencies.observe(self._job, earliest=self._seen_running, latest=self.age)
            case Missing():
                self._misses += 1
                return found if self._misses == _MISSES else self.task
            case Unknown():
                self._failures += 1
                return found if self._failures == PATIENCE else self.task
        return found
