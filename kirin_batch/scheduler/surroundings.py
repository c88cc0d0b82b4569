"""What a job's life has around it: the parts of a run that all lives share, and the rules they follow."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kirin_batch.clock import Clock
from kirin_batch.jobs import Job
from kirin_batch.records import Record, TaskError
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.lookups import Lookups
from kirin_batch.scheduler.observer import Observer
from kirin_batch.scheduler.outcome import Collector, Recorder
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.patience import Patience

__all__ = ["BuildParams", "Inspect", "Rules", "Surroundings", "TellParams", "accept"]

BuildParams = Callable[[Job, str], Awaitable[dict[str, Any] | str]]
"""Makes the params of a job's request under an external_task_id, or says why it cannot."""


TellParams = Callable[[Job], Mapping[str, Any] | None]
"""The params of a job as its record may tell them to others."""

Inspect = Callable[[Job, Record], Awaitable[Record]]
"""Holds the results of a completed task against what was asked for; its record with what is to be said of them."""


async def accept(job: Job, record: Record) -> Record:
    """Take results as they come."""
    del job
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What kirin.yaml and the command line decide. `timeouts`: seconds to wait for a task, by kind.

    `may_create`: whether tasks may be made at all.
    """

    poll: PollPolicy
    timeouts: Mapping[str, float]
    retries: int = 1
    namespace: str = ""
    sandbox: bool = False
    may_create: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`worth_of` tells what a second is worth, in slots, by which a job's end is seen late (see `pacing`).

    `latencies` are what tasks took so far.

    `refusals`, by digest: requests whose content was refused in this run. The next life of the same is spared asking.
    """

    patience: Patience
    recorder: Recorder
    collector: Collector
    clock: Clock
    observer: Observer
    rules: Rules
    build_params: BuildParams
    latencies: Latencies
    worth_of: Callable[[Job], float]
    inspect: Inspect = accept
    tell_params: TellParams = lambda _job: None
    refusals: dict[str, TaskError] = field(default_factory=dict)
    lookups: Lookups = field(default_factory=Lookups)
