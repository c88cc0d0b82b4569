"""A gateway in memory with its own books: it counts slots, takes an id once, and answers as a script says.

Around it stand the other parts of a run, in memory too: what is recorded, what is downloaded, what is told. All that
happens is noted in one list of `acts`, so that a test can hold the order.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from fake_clock import FakeClock

from kirin_batch.gateway.answers import (
    Answer,
    Busy,
    Done,
    Failed,
    Fetched,
    Missing,
    Refused,
    Result,
    Resumption,
    Running,
    Unknown,
    Writer,
)
from kirin_batch.jobs import Job
from kirin_batch.plan import Plan, PlannedJob
from kirin_batch.records import Output, Record
from kirin_batch.scheduler.engine import LocalEngine
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.life import Pause, TaskLife
from kirin_batch.scheduler.observer import Measures, Observer, Stage
from kirin_batch.scheduler.outcome import Missed, Outcome
from kirin_batch.scheduler.pacing import PollPolicy
from kirin_batch.scheduler.patience import Patience
from kirin_batch.scheduler.scheduler import Limits, Scheduler
from kirin_batch.scheduler.slots import Slots
from kirin_batch.scheduler.surroundings import Rules, Surroundings

__all__ = ["Lost", "Memory", "Script", "ScriptedGateway", "Shelf", "Watcher", "World", "done"]

IMAGE = Result("image", "https://results.example/1.png")


def done(task_id: str = "", *, cost: str | None = "0.028") -> Done:
    """A completed task with one image."""
    return Done(task_id, (IMAGE,), None if cost is None else Decimal(cost))


@dataclass(frozen=True, slots=True)
class Lost:
    """In a script of creates: the task is made, and this is what the client hears."""

    answer: Answer = field(default_factory=lambda: Unknown("reset"))


class Script:
    """Answers, one a call; None, and the end of the script, leave it to the gateway's books."""

    def __init__(self, *answers: Answer | Lost | None) -> None:
        self._answers = deque(answers)

    def __call__(self, _subject: str) -> Answer | Lost | None:
        return self._answers.popleft() if self._answers else None


@dataclass(slots=True)
class _Task:
    task_id: str
    kind: str
    slots: int
    ends_at: float
    end: Done | Failed


@dataclass(slots=True)
class ScriptedGateway:
    """`limits`: slots of the account, where others use it too.

    `on_create` is asked with the external_task_id, `on_query` with what is looked up, `on_end` for a task's end.
    """

    clock: FakeClock
    acts: list[str] = field(default_factory=list)
    task_seconds: float = 10.0
    limits: Mapping[str, int] = field(default_factory=dict)
    on_create: Callable[[str], Answer | Lost | None] = field(default_factory=Script)
    on_query: Callable[[str], Answer | Lost | None] = field(default_factory=Script)
    on_end: Callable[[str], Done | Failed] = lambda _id: done()
    tasks: dict[str, _Task] = field(default_factory=dict)
    most_in_use: dict[str, int] = field(default_factory=dict)
    most_in_all: int = 0
    twice: list[str] = field(default_factory=list)

    async def create(self, model: str, params: Mapping[str, object]) -> Answer:
        external_id = str(params["external_task_id"])
        self.acts.append(f"create {external_id}")
        await asyncio.sleep(0)
        told = self.on_create(external_id)
        if told is not None and not isinstance(told, Lost):
            return told
        answer = self._make(model, external_id, int(str(params.get("n", 1))))
        await asyncio.sleep(0)  # a client that is killed here made a task of which it never heard
        return told.answer if told else answer

    def _make(self, model: str, external_id: str, slots: int) -> Answer:
        if external_id in self.tasks:
            self.twice.append(external_id)
            return Refused("1201", "external_task_id is taken", taken=True)
        kind = "video" if model == "films" else "image"
        at_work = [task for task in self.tasks.values() if not self._has_ended(task)]
        in_use = slots + sum(task.slots for task in at_work if task.kind == kind)
        if in_use > self.limits.get(kind, in_use):
            return Busy(None, "1303", "parallel task over resource pack limit", parallel=True)
        self.most_in_use[kind] = max(in_use, self.most_in_use.get(kind, 0))
        self.most_in_all = max(slots + sum(task.slots for task in at_work), self.most_in_all)
        task_id = f"task-{len(self.tasks) + 1}"
        ends_at = self.clock.seconds + self.task_seconds
        self.tasks[external_id] = _Task(task_id, kind, slots, ends_at, self.on_end(external_id))
        return Running(task_id)

    def _has_ended(self, task: _Task) -> bool:
        return task.ends_at <= self.clock.seconds

    async def query(self, task: str) -> Answer:
        self.acts.append(f"query {task}")
        await asyncio.sleep(0)
        told = self.on_query(task)
        if told is not None:
            return told.answer if isinstance(told, Lost) else told
        for external_id, known in self.tasks.items():
            if task in {external_id, known.task_id}:
                return self._tell(known) if self._has_ended(known) else Running(known.task_id, 0.5)
        return Missing()

    def _tell(self, task: _Task) -> Answer:
        match task.end:
            case Done(results=results, cost=cost, element_id=element_id):
                return Done(task.task_id, results, cost, element_id)
            case Failed(code=code, message=message):
                return Failed(task.task_id, code, message)

    async def download(self, url: str, write: Writer, *, resumption: Resumption | None = None) -> Fetched:
        raise AssertionError(f"the shelf brings results, not the gateway: {url}, {write}, {resumption}")


@dataclass(slots=True)
class Memory:
    """The recorder: `records` are what is on disk; `turns` is how often others go first before a line is there."""

    acts: list[str] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    turns: int = 2
    error: Exception | None = None

    async def record(self, record: Record) -> None:
        await self._write()
        self.records[record.job] = record
        self.acts.append(f"record {record.status} {record.task_id}")
        await asyncio.sleep(0)  # a run that is killed here has it on disk all the same

    async def forget(self, job: str) -> None:
        await self._write()
        self.records.pop(job)
        self.acts.append("forget")

    async def _write(self) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.error:
            raise self.error


@dataclass(slots=True)
class Shelf:
    """The collector: every result gets a path, unless `missed` says why not."""

    acts: list[str] = field(default_factory=list)
    missed: Missed | None = None

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...] | Missed:
        await asyncio.sleep(0)
        self.acts.append("collect")
        return self.missed or tuple(Output(result.url, result.type, f"outputs/{job.id}.png") for result in results)


@dataclass(slots=True)
class Watcher:
    """The observer: remembers all it is told, and where the run stood at each step."""

    stages: list[tuple[str, Stage, str]] = field(default_factory=list)
    measures: list[Measures] = field(default_factory=list)
    measure: Callable[[], Measures] | None = None

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        assert jobs >= working
        self.measure = measure

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        self.stages.append((job.id, stage, detail))
        if self.measure:
            self.measures.append(self.measure())

    @property
    def slots(self) -> list[Mapping[str, tuple[int, int]]]:
        """Slots in use and allowed, by kind: at each step, and now."""
        measures = [*self.measures, *([self.measure()] if self.measure else [])]
        return [
            {kind: (of_kind.slots_in_use, of_kind.slot_limit) for kind, of_kind in each.kinds.items()}
            for each in measures
        ]


class World:
    """All that a life or a scheduler has around it; a second one over the same gateway and memory is a later run."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.acts: list[str] = []
        self.clock = FakeClock()
        self.gateway = ScriptedGateway(self.clock, self.acts)
        self.memory = Memory(self.acts, {record.job: record for record in records})
        self.shelf = Shelf(self.acts)
        self.watcher = Watcher()
        self.cannot_build = ""
        self.rules = Rules(poll=PollPolicy(), timeouts={"image": 900.0, "video": 3600.0})
        self.slots = Slots({"image": 10, "video": 5}, self.clock)

    async def build(self, job: Job, external_id: str) -> dict[str, Any] | str:
        return self.cannot_build or {**job.params, "external_task_id": external_id}

    async def live(self, job: Job, planned: PlannedJob) -> Outcome:
        """Carry one job to its outcome; its slots are not counted."""
        around = Surroundings(
            patience=Patience(self.gateway, self.clock, self.watcher, self.slots),
            recorder=self.memory,
            collector=self.shelf,
            clock=self.clock,
            observer=self.watcher,
            rules=self.rules,
            build_params=self.build,
            latencies=Latencies(),
            worth_of=lambda _job: 0.0,
        )
        life = TaskLife(job, planned, around)
        while isinstance(found := await life.step(), Pause):
            self.acts.append(f"pause for {found.need.name.lower()}")
            await self.clock.sleep(max(found.seconds, self.slots.opens_at(job.kind) - self.clock.seconds))
        return found

    def scheduler(self, limits: Limits | None = None, *, observer: Observer | None = None) -> Scheduler:
        """A scheduler of this world's parts; `observer` in place of its watcher."""
        observer = observer or self.watcher
        engine = LocalEngine(
            gateway=self.gateway,
            ledger=self.memory,
            collector=self.shelf,
            build_params=self.build,
            clock=self.clock,
            observer=observer,
            rules=self.rules,
        )
        limits = limits or Limits(slots={"image": 10, "video": 5})
        return Scheduler(engine, clock=self.clock, observer=observer, limits=limits)

    def run(self, jobs: Iterable[Job], plan: Plan, limits: Limits | None = None) -> Mapping[str, Outcome]:
        """Carry out a plan, in a loop of its own."""
        scheduler = self.scheduler(limits)
        asyncio.run(scheduler.run({job.id: job for job in jobs}, plan))
        return scheduler.outcomes

    def later(self) -> "World":
        """The world of the next run: what is at the gateway and on disk is the same."""
        later = World(self.memory.records.values())
        later.clock.seconds, later.rules = self.clock.seconds, self.rules
        later.gateway = replace(self.gateway, clock=later.clock, acts=later.acts)
        return later

    @property
    def created(self) -> list[str]:
        """The ids of all creates that were sent."""
        return [act.removeprefix("create ") for act in self.acts if act.startswith("create ")]
