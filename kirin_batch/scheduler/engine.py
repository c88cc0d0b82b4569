"""Where lives are lived: the interface between the scheduler, which decides, and what does the work of jobs.

`LocalEngine` lives them in this process. Others have workers elsewhere do it; the scheduler does not know which.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from kirin_batch.clock import Clock
from kirin_batch.gateway.answers import Gateway
from kirin_batch.jobs import Job
from kirin_batch.plan import PlannedJob
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.life import Pause, TaskLife
from kirin_batch.scheduler.observer import Observer
from kirin_batch.scheduler.outcome import Collector, Outcome, Recorder
from kirin_batch.scheduler.patience import Patience
from kirin_batch.scheduler.slots import Turns
from kirin_batch.scheduler.surroundings import BuildParams, Inspect, Rules, Surroundings, TellParams, accept

__all__ = ["Engine", "Life", "LocalEngine"]


class Life(Protocol):
    """One job on its way, from pause to pause; see `TaskLife`."""

    @property
    def age(self) -> float:
        """Seconds since its task was created; 0.0 where none is known."""
        ...

    @property
    def is_creating(self) -> bool:
        """Whether an answer to a create is awaited, which may hold the id of a task."""
        ...

    @property
    def is_in_line(self) -> bool:
        """Whether the gateway had no slot for its task, so that it waits for another turn."""
        ...

    async def step(self) -> Outcome | Pause:
        """Go on to the next pause, or to the end.

        Raises GatewayRefusedError and GatewayUnreachableError, which concern every job, and KirinError for what else
        ends the run.
        """
        ...

    async def withdraw(self) -> None:
        """Take back the intent of a create for which the gateway had no slot."""


class Engine(Protocol):
    """Makes the lives of one run's jobs."""

    @property
    def latencies(self) -> Latencies:
        """What is known of how long tasks take."""
        ...

    def attach(self, turns: Turns, worth_of: Callable[[Job], float]) -> None:
        """Take what the scheduler offers to lives: whom to tell of slots, and what a second late is worth (`pacing`).

        Called once, before anything else.
        """

    def begin(self, job: Job, planned: PlannedJob) -> Life:
        """Make the life of a job; nothing happens before its first step."""
        ...

    async def recall(self) -> None:
        """Have whoever works elsewhere for this run end it soon; the answers of creates under way may still come."""


class LocalEngine:
    """Lives in this process, each step of which is the scheduler's to begin."""

    def __init__(  # noqa: PLR0913 - each is a part of the world that a test replaces
        self,
        *,
        gateway: Gateway,
        ledger: Recorder,
        collector: Collector,
        build_params: BuildParams,
        clock: Clock,
        observer: Observer,
        rules: Rules,
        latencies: Latencies | None = None,
        inspect: Inspect = accept,
        tell_params: TellParams = lambda _job: None,
    ) -> None:
        self._latencies = latencies or Latencies()
        self._make_patience = partial(Patience, gateway, clock, observer)
        self._make_around = partial(
            Surroundings,
            recorder=ledger,
            collector=collector,
            clock=clock,
            observer=observer,
            rules=rules,
            build_params=build_params,
            latencies=self._latencies,
            inspect=inspect,
            tell_params=tell_params,
        )
        self._around: Surroundings | None = None

    @property
    def latencies(self) -> Latencies:
        """See Engine."""
        return self._latencies

    def attach(self, turns: Turns, worth_of: Callable[[Job], float]) -> None:
        """See Engine."""
        self._around = self._make_around(patience=self._make_patience(turns), worth_of=worth_of)

    def begin(self, job: Job, planned: PlannedJob) -> TaskLife:
        """See Engine."""
        if self._around is None:
            raise RuntimeError("an engine is attached to a scheduler before it begins a life")
        return TaskLife(job, planned, self._around)

    async def recall(self) -> None:
        """See Engine: nobody works elsewhere."""
