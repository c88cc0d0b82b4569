"""The life of one job's task, from nothing or from where an earlier run left it, to an outcome.

The order of steps is the promise that nothing is paid twice and nothing paid is lost:

1. The id is looked up: another machine, or a run that died, may have sent it. Found means adopted.
2. The intent is recorded, then the create is sent. Whatever comes back that is no clear answer is settled by looking
   the id up again; still missing, the same request goes out under the same id, which the gateway takes at most once.
3. The task's id is recorded before anything else is done with it.
4. Results are recorded when they are complete on disk.

Each `await` may be the last one (a kill, an interrupt): what is recorded by then is enough to go on.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any

from kirin_batch.clock import age_of, timestamp
from kirin_batch.error_codes import is_content_refusal, is_transient
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError
from kirin_batch.gateway.answers import Busy, Done, Failed, Missing, Refused, Result, Running, Unknown
from kirin_batch.identity import external_task_id
from kirin_batch.jobs import Job
from kirin_batch.plan import Action, PlannedJob
from kirin_batch.records import Output, Record, Status, TaskError
from kirin_batch.scheduler.intent import TaskName
from kirin_batch.scheduler.observer import Stage
from kirin_batch.scheduler.outcome import Missed, Outcome
from kirin_batch.scheduler.pacing import backoff_seconds
from kirin_batch.scheduler.patience import Task
from kirin_batch.scheduler.surroundings import Surroundings
from kirin_batch.scheduler.watch import Watch

__all__ = ["Need", "Pause", "TaskLife", "recorded_results"]

_SETTLE_SECONDS = (1.0, 2.0, 4.0)  # after a lost create, its task may be found only seconds later
_BLINK_SECONDS = 1e-6  # less is what adding up seconds leaves over
_ROUNDS = 3  # creates whose answers got lost, each looked up in vain


class Need(Enum):
    """What a life that pauses goes on with."""

    QUERY = "its task is to be asked for"
    SLOTS = "its task is to be created"
    REFUSED_SLOTS = "its task is to be created, and the gateway had no slot left for it"
    DOWNLOAD = "its task has ended, and its results are to be brought"
    NEWS = "others work for it, and tell"
    LATE_NEWS = "its task has ended, and others who bring its results tell"


@dataclass(frozen=True, slots=True)
class Pause:
    """A life waits, for so many seconds at least; whoever carries it calls `step` again when it has what it needs."""

    need: Need
    seconds: float = 0.0


class _Phase(Enum):
    """What the next step of a life does."""

    OBTAIN = "find its task, or create it"
    CREATE = "create it"
    WATCH = "ask for it"
    COLLECT = "bring its results"


class TaskLife:
    """One job on its way, from pause to pause. `is_creating` while an answer to a create is awaited.

    A job whose task is unknown is looked for, and never sent. `may_exist`: another may have sent it a moment ago.
    """

    __slots__ = (
        "_around",
        "_before",
        "_done",
        "_is_adopted",
        "_is_unknown",
        "_job",
        "_lost_creates",
        "_may_exist",
        "_phase",
        "_record",
        "_task",
        "_watch",
        "is_creating",
    )  # fmt: skip - many lives wait at once

    def __init__(self, job: Job, planned: PlannedJob, around: Surroundings, *, may_exist: bool = False) -> None:
        self._job = job
        self._around = around
        self._task = TaskName(job, planned.external_task_id, planned.attempt, around.rules.sandbox)
        self._record = planned.record
        self._is_unknown = planned.action is Action.UNKNOWN
        self._is_adopted = False
        # After a create that nobody answered: what looks missing may appear.
        self._may_exist = may_exist or (self._task.names(self._record) and self._record.task_id is None)
        self._phase = _Phase.OBTAIN
        self._before: Record | None = None
        self._lost_creates = 0
        self._watch: Watch | None = None
        self._done: Done | None = None
        self.is_creating = False

    @property
    def age(self) -> float:
        """Seconds since its task was created; 0.0 where none is watched."""
        return self._watch.age if self._watch else 0.0

    @property
    def is_in_line(self) -> bool:
        """Whether the gateway had no slot for its task, so that it waits for another turn."""
        return self._phase is _Phase.CREATE and not self.is_creating and self._watch is None

    @property
    def is_unsent(self) -> bool:
        """Whether it is in line and surely nothing came of its creates: `withdraw` takes its intent back."""
        return self.is_in_line and not self._lost_creates

    @property
    def task(self) -> TaskName:
        """The task of the present attempt."""
        return self._task

    async def step(self) -> Outcome | Pause:
        """Go on to the next pause, or to the end.

        Raises GatewayRefusedError and GatewayUnreachableError, which concern every job, and KirinError for a disk that
        refuses.
        """
        found = await self._go_on()
        while True:
            match found:
                case Outcome() | Pause():
                    return found
                case Running():
                    return self._pause_to_watch(found)
                case Done():
                    self._done, self._phase = found, _Phase.COLLECT
                    return Pause(Need.DOWNLOAD)
                case Failed():
                    return await self._end_or_retry(found)
                case Missing():  # it vanished: look it up by its external id, and send it again under that
                    found = await self._obtain()

    async def _go_on(self) -> Task | Missing | Outcome | Pause:
        if self._phase is _Phase.WATCH and self._watch:
            return await self._look(self._watch)
        if self._phase is _Phase.COLLECT and self._done:
            return replace(await self._finish(self._done), is_adopted=self._is_adopted)
        return await (self._create() if self._phase is _Phase.CREATE else self._obtain())

    def _pause_to_watch(self, task: Running) -> Pause | Outcome:
        watch = self._watch = self._watch or Watch(self._job, task, self._around, age=self._age())
        left_seconds = self._around.rules.timeouts[self._job.kind] - watch.seconds
        if left_seconds < _BLINK_SECONDS:
            return self._left(f"still running after {watch.seconds:.0f} s")
        self._phase = _Phase.WATCH
        self._tell(Stage.RUNNING, "" if task.progress is None else f"{task.progress:.0%}")
        return Pause(Need.QUERY, min(watch.delay(), left_seconds))

    def _age(self) -> float | None:
        """Seconds since the task was created, by its record; None where the answer to its create has just come."""
        is_new = self._phase is _Phase.CREATE and not self._lost_creates
        return None if is_new or self._record is None else age_of(self._record.created_at, self._around.clock)

    async def _end_or_retry(self, failed: Failed) -> Outcome | Pause:
        outcome = await self._fail(failed.code, failed.message)
        if not self._may_retry(failed.code):
            return replace(outcome, is_adopted=self._is_adopted)
        pause = Pause(Need.SLOTS, backoff_seconds(self._task.attempt, jitter=self._around.patience.jitter()))
        self._begin_next_attempt()
        return pause

    async def _obtain(self) -> Task | Outcome | Pause:
        """The task, found or created, its id recorded."""
        if (lost := self._record) and lost.status is Status.UNKNOWN and self._task.is_of_request(lost):
            looked_for = await self._look_for(lost)
            if looked_for is not None:
                return looked_for
        known = self._record if self._task.names(self._record) else None
        if known and known.status is Status.COMPLETED:
            return await self._obtain_results(known)
        if known and known.task_id:
            found = await self._around.patience.find(self._job, known.task_id)
            if not isinstance(found, Missing):
                return self._left(found.reason) if isinstance(found, Unknown) else found
        found = await self._around.patience.look_up(self._job, self._task.external_id)
        if isinstance(found, Missing):
            return await self._create()
        if not isinstance(found, Unknown):
            self._around.lookups.note(self._task.external_id, is_found=True)
        self._is_adopted = known is None
        return await self._adopt(found)

    async def _look_for(self, lost: Record) -> Task | Outcome | None:
        """A task that nobody could find may have appeared since: then it is taken up, whatever else was to be done.

        None where it is still missing and the user wants it sent again.
        """
        found: Task | Missing | Unknown = Missing()
        if lost.task_id:
            found = await self._around.patience.find(self._job, lost.task_id)
        if isinstance(found, Missing):
            found = await self._around.patience.look_up(self._job, lost.external_task_id)
        match found:
            case Missing():
                return Outcome(Status.UNKNOWN, lost.error) if self._is_unknown else None
            case Unknown(reason=reason):
                return Outcome(Status.UNKNOWN, TaskError("", reason))
            case _:
                self._name_task(lost.external_task_id, lost.attempt)
                return await self._adopt(found)

    async def _obtain_results(self, known: Record) -> Task | Outcome:
        """A completed task with fresh URLs, else as it was recorded; it is never sent again."""
        found = await self._around.patience.look_up(self._job, known.task_id or self._task.external_id)
        if isinstance(found, Unknown):
            return self._left(found.reason)
        return found if isinstance(found, Done) and found.results else _as_recorded(known)

    async def _adopt(self, found: Task | Unknown) -> Task | Outcome:
        if isinstance(found, Unknown):
            return self._left(found.reason)
        record = self._current()
        if record.task_id not in {None, found.task_id}:  # at another gateway, say: it was paid for all the same
            record = replace(record, earlier=(*record.earlier, replace(record, earlier=())))
        await self._keep(replace(record, task_id=found.task_id))
        self._tell(Stage.RUNNING)
        return found

    async def _create(self) -> Task | Outcome | Pause:
        if not self._around.rules.may_create:
            return await self._give_up("it is not at the gateway, and nothing may be created")
        if refusal := self._around.refusals.get(self._job.digest):
            return await self._give_up(refusal.message, code=refusal.code)
        params = await self._around.build_params(self._job, self._task.external_id)
        if isinstance(params, str):
            return await self._give_up(params)
        if self._phase is not _Phase.CREATE:
            self._before, self._phase = self._record, _Phase.CREATE
            await self._keep(self._current())
        self.is_creating = True
        try:
            return await self._send(params)
        finally:
            self.is_creating = False

    async def _give_up(self, reason: str, *, code: str = "") -> Outcome:
        if self._phase is _Phase.CREATE and not self._lost_creates:
            await self._take_back()
        self._tell(Stage.FAILED, reason)
        return Outcome(Status.FAILED, TaskError(code, reason))

    async def _send(self, params: dict[str, Any]) -> Task | Outcome | Pause:
        while self._lost_creates < _ROUNDS:
            self._tell(Stage.CREATING)
            answer = await self._ask_to_create(params)
            match answer:
                case Busy():
                    return Pause(Need.REFUSED_SLOTS)
                case Refused(is_unsent=True):
                    return await self._give_up(answer.message)
                case Refused():
                    return await self._settle_refusal(answer)
                case Unknown():
                    found = await self._settle_lost(answer)
                    if not isinstance(found, Missing):
                        return await self._adopt(found)
                case _:
                    return await self._adopt(answer)
        return self._left("the answers to its create got lost")

    async def _ask_to_create(self, params: dict[str, Any]) -> Task | Refused | Unknown | Busy:
        try:
            answer = await self._around.patience.create(self._job, params)
            if isinstance(answer, Missing):
                raise GatewayRefusedError("the gateway has no such endpoint (404): check gateway.base_url")  # noqa: TRY301 - taken back as any refusal
        except (GatewayRefusedError, GatewayUnreachableError):
            if not self._lost_creates:
                await self._take_back()
            raise
        return answer

    async def _settle_lost(self, answer: Unknown) -> Task | Missing | Unknown:
        self._lost_creates += 1
        self._may_exist = True
        self._tell(Stage.WAITING, answer.reason)
        return await self._around.patience.settle(self._job, self._task.external_id, _SETTLE_SECONDS)

    async def withdraw(self) -> None:
        """Take back the intent of a create for which the gateway had no slot: nothing came of it, and nothing will."""
        if self.is_unsent:
            await self._take_back()

    async def _take_back(self) -> None:
        """An intent that surely came to nothing leaves the job as it was."""
        self._phase = _Phase.OBTAIN
        if self._before:
            await self._keep(self._before)
        else:
            await self._around.recorder.forget(self._job.id)

    async def _settle_refusal(self, refused: Refused) -> Task | Outcome:
        """A refusal may be of an id that an earlier create, whose answer got lost, has taken: then its task is ours."""
        # Of an id that is derived, there is nothing else to refuse.
        is_taken = refused.taken or (refused.names_id and not self._job.fixed_task_id)
        # Content that is refused now was not taken before.
        is_unclear = is_taken or (self._may_exist and not is_content_refusal(refused.code))
        delays = _SETTLE_SECONDS if is_unclear else (0.0,)
        found = await self._around.patience.settle(self._job, self._task.external_id, delays)
        if not isinstance(found, Missing):
            return await self._adopt(found)
        if not is_taken:
            return await self._fail(refused.code, refused.message)
        if self._current().task_id:
            return self._left(f"its task is not found, and its external_task_id is taken: {refused.message}")
        error = TaskError(refused.code, f"its external_task_id is taken, yet no task is found: {refused.message}")
        await self._keep(replace(self._current(), status=Status.UNKNOWN, error=error))
        self._tell(Stage.UNKNOWN, error.message)
        return Outcome(Status.UNKNOWN, error)

    async def _look(self, watch: Watch) -> Task | Missing | Outcome:
        before, found = watch.task, await watch.look()
        is_there = found is not before and isinstance(found, Running | Done)
        if is_there and self._around.lookups.is_due(watch.seconds):
            await self._look_up()
        if isinstance(found, Missing):
            self._watch, self._phase = None, _Phase.OBTAIN
        return self._left(found.reason) if isinstance(found, Unknown) else found

    async def _look_up(self) -> None:
        """See whether the task, which exists, is found by the id that another machine would look for."""
        found = await self._around.patience.look_up(self._job, self._task.external_id)
        if not isinstance(found, Unknown):
            self._around.lookups.note(self._task.external_id, is_found=not isinstance(found, Missing))

    async def _finish(self, done: Done) -> Outcome:
        if complaint := self._complain(done):
            return await self._fail("", complaint, cost=done.cost)
        self._tell(Stage.DOWNLOADING)
        outputs = await self._around.collector.collect(self._job, done.results)
        if isinstance(outputs, Missed):
            return await self._miss(done, outputs)
        return await self._complete(done, outputs)

    async def _miss(self, done: Done, missed: Missed) -> Outcome:
        """Results that did not come: another run may bring them, unless they are gone. Then only the record is left."""
        was_completed = self._record is not None and self._record.status is Status.COMPLETED
        if was_completed or not missed.is_gone:
            return self._left(missed.reason)
        listed = tuple(Output(url=result.url, type=result.type) for result in done.results)
        outcome = await self._complete(done, listed)
        return replace(outcome, error=TaskError("", f"{missed.reason}; another `take:` makes it again"))

    async def _complete(self, done: Done, outputs: tuple[Output, ...]) -> Outcome:
        record = self._current()
        finished = replace(
            record,
            status=Status.COMPLETED,
            cost=record.cost if done.cost is None else f"{done.cost:f}",
            element_id=done.element_id,
            outputs=outputs,
            error=None,
            finished_at=record.finished_at or timestamp(self._around.clock),
        )
        finished = await self._around.inspect(self._job, finished)
        await self._keep(finished)
        self._tell(Stage.COMPLETED, finished.cost or "")
        return Outcome(Status.COMPLETED, cost=done.cost)

    def _complain(self, done: Done) -> str:
        if self._job.result_type == "text":
            return "the task completed without an element_id" if done.element_id is None else ""
        return "" if done.results else "the task completed without results"

    async def _fail(self, code: str, message: str, *, cost: Decimal | None = None) -> Outcome:
        error = TaskError(code, message)
        if is_content_refusal(code):
            self._around.refusals[self._job.digest] = error
        failed = replace(self._current(), status=Status.FAILED, error=error, finished_at=timestamp(self._around.clock))
        await self._keep(replace(failed, cost=None if cost is None else f"{cost:f}"))
        self._tell(
            Stage.RETRYING if self._may_retry(code) else Stage.FAILED, f"{message} ({code})" if code else message
        )
        return Outcome(Status.FAILED, error, cost)

    def _may_retry(self, code: str) -> bool:
        rules = self._around.rules
        has_attempts = self._task.attempt <= rules.retries and not self._job.fixed_task_id
        return is_transient(code) and has_attempts and rules.may_create

    def _begin_next_attempt(self) -> None:
        """A failed task keeps its id for ever; a further attempt has a new one."""
        self._phase, self._watch, self._lost_creates = _Phase.OBTAIN, None, 0
        attempt, namespace = self._task.attempt + 1, self._around.rules.namespace
        self._name_task(external_task_id(namespace, self._job.id, self._job.digest, attempt), attempt)

    def _name_task(self, external_id: str, attempt: int) -> None:
        self._task = replace(self._task, external_id=external_id, attempt=attempt)

    def _left(self, reason: str) -> Outcome:
        self._tell(Stage.LEFT, reason)
        is_kept = self._record is not None and self._record.status is Status.COMPLETED
        return Outcome(Status.COMPLETED if is_kept else Status.IN_FLIGHT, TaskError("", reason))

    def _current(self) -> Record:
        """The record of the present attempt, in flight."""
        now, tell_params = timestamp(self._around.clock), self._around.tell_params
        return self._task.in_flight(self._record, now=now, tell_params=tell_params)

    async def _keep(self, record: Record) -> None:
        self._record = record
        await self._around.recorder.record(record)

    def _tell(self, stage: Stage, detail: str = "") -> None:
        self._around.observer.stepped(self._job, stage, detail)


def _as_recorded(record: Record) -> Done:
    """A completed task that the gateway has forgotten, as it was recorded: its URLs may still live."""
    return Done(record.task_id or "", recorded_results(record), None, record.element_id)


def recorded_results(record: Record) -> tuple[Result, ...]:
    """The results of a task as they were recorded: what the gateway has forgotten may still be served where it was."""
    return tuple(Result("video" if output.type == "video" else "image", output.url) for output in record.outputs)
