"""The life of a job whose work a worker does, as the driver sees it: what is on disk, and who has its slots.

The intent is on disk before the errand leaves. A worker that dies has it done again by another one, which finds by the
job's external_task_id what the first one made. So an intent is only taken back where no worker was lost meanwhile.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from kirin_batch.clock import age_of, timestamp
from kirin_batch.engines.messages import Answer, Ended, Heard, Kept, News, Observed, Taken, Told, Wanted
from kirin_batch.engines.receiver import at_home
from kirin_batch.engines.workers import Call, LostError
from kirin_batch.error_codes import is_content_refusal
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError, UsageError
from kirin_batch.jobs import Job
from kirin_batch.plan import Action, PlannedJob
from kirin_batch.records import Status, TaskError
from kirin_batch.scheduler.intent import TaskName
from kirin_batch.scheduler.life import Need, Pause
from kirin_batch.scheduler.observer import Stage
from kirin_batch.scheduler.outcome import Missed, Outcome

if TYPE_CHECKING:
    from kirin_batch.engines.remote_engine import RemoteEngine

__all__ = ["RemoteLife"]

_MOST_LOSSES = 8  # errands of one attempt that were lost; each may have outlived some workers


class RemoteLife:
    """One job, from pause to pause; see `scheduler.engine.Life`."""

    __slots__ = (
        "_before",
        "_call",
        "_created_at",
        "_engine",
        "_has_intent",
        "_holding",
        "_is_in_line",
        "_is_unsent",
        "_job",
        "_key",
        "_losses",
        "_may_be_made",
        "_planned",
        "_results",
        "_round",
        "_was_sent",
    )

    def __init__(self, job: Job, planned: PlannedJob, engine: "RemoteEngine") -> None:
        self._job = job
        self._engine = engine
        self._planned = planned
        self._before = planned.record
        self._has_intent = False
        self._is_in_line = False
        self._is_unsent = False
        self._was_sent = False
        self._call: Call | None = None
        self._key = ""
        self._losses = 0
        self._may_be_made = False  # by a worker that was lost
        self._round = 0
        self._created_at: float | None = None
        self._results: Answer | None = None
        self._holding: Call | None = None

    @property
    def age(self) -> float:
        """Seconds since its task was heard of; 0.0 before."""
        return 0.0 if self._created_at is None else self._engine.clock.monotonic() - self._created_at

    @property
    def is_creating(self) -> bool:
        """Whether a worker is at it and no task is known."""
        return self._call is not None and self._created_at is None

    @property
    def is_in_line(self) -> bool:
        """See Life."""
        return self._is_in_line

    async def step(self) -> Outcome | Pause:
        """See Life."""
        if self._results:
            return await self._bring(self._results)
        if self._call is None:
            await self._send()
            return Pause(Need.NEWS)
        return await self._follow(self._call)

    async def withdraw(self) -> None:
        """See Life."""
        if self._is_in_line and self._is_unsent:
            await self._take_back()

    async def _send(self) -> None:
        engine = self._engine
        task = TaskName(
            self._job, self._planned.external_task_id, self._planned.attempt, sandbox=engine.terms.rules.sandbox
        )
        if not self._has_intent and self._may_be_created(task):
            intent = task.in_flight(
                self._planned.record, now=timestamp(engine.clock), tell_params=engine.parts.tell_params
            )
            await engine.parts.recorder.record(intent)
            self._has_intent = True
        self._is_in_line = False
        if task.names(self._planned.record) and self._planned.record.task_id:
            self._created_at = engine.clock.monotonic() - age_of(self._planned.record.created_at, engine.clock)
        self._round = engine.turns.round(self._job.kind)
        self._key, self._call = engine.send(self._job, self._planned)

    def _may_be_created(self, task: TaskName) -> bool:
        """Whether the worker may come to send a create of which nothing is on disk yet."""
        record = self._planned.record
        is_known = task.names(record) and (record.task_id is not None or record.status is Status.COMPLETED)
        return self._engine.terms.rules.may_create and self._planned.action is not Action.UNKNOWN and not is_known

    async def _follow(self, call: Call) -> Outcome | Pause:
        """Hear what the worker tells, until the task has ended, or the worker is done."""
        while True:
            await call.changed.wait()
            call.changed.clear()
            is_late = False
            while call.news:
                is_late |= isinstance(call.news[0], Ended)
                await self._hear(call.news.pop(0))
            if call.is_ended:
                return await self._conclude(call)
            if is_late:
                return Pause(Need.LATE_NEWS)

    async def _hear(self, news: News) -> None:
        engine = self._engine
        match news:
            case Told(stage, detail):
                engine.observer.stepped(self._job, stage, detail)
            case Kept(record) if record.task_id is None:
                self._was_sent = True
            case Kept(record):
                self._created_at = self._created_at or engine.clock.monotonic()
                self._planned = replace(self._planned, record=record)
                await engine.parts.recorder.record(record)
            case Taken():
                engine.turns.accept(self._job.kind)
            case Observed(earliest, latest):
                engine.latencies.observe(self._job, earliest=earliest, latest=latest)
            case Heard(external_id, is_found):
                engine.lookups.note(external_id, is_found=is_found)
            case Wanted(sha256, worker):
                await engine.serve(sha256, worker)
            case Ended():
                pass

    async def _conclude(self, call: Call) -> Outcome | Pause:
        engine = self._engine
        self._may_be_made |= engine.workers.losses > call.losses
        try:
            answer: Answer = (await call.result()).open()
        except LostError as error:
            return await self._send_again(str(error))
        finally:
            engine.workers.drop(self._key)
            self._call = None
        if answer.held:
            self._holding = call  # the worker keeps results as long as somebody holds on to its answer
        else:
            call.release()
        if answer.trouble:
            await self._settle(answer)
            raise _raised(answer.trouble.kind, answer.trouble.message)
        match answer.found:
            case Outcome() as outcome:
                is_adopted = outcome.is_adopted and not self._may_be_made and not self._was_sent
                return await self._end(answer, replace(outcome, is_adopted=is_adopted))
            case Pause(need=Need.REFUSED_SLOTS) as pause:
                self._is_in_line, self._is_unsent = True, answer.is_unsent and not self._may_be_made
                jitter = engine.jitter()
                engine.turns.refuse(self._job.kind, since=self._round, jitter=jitter, retry_after=answer.retry_after)
                return pause
            case Pause() as pause:
                await self._settle(answer)
                self._begin_next_attempt(answer)
                return pause
        await self._settle(answer)
        return Pause(Need.NEWS)  # it was recalled: the run ends

    async def _send_again(self, reason: str) -> Outcome | Pause:
        """Whatever became of the errand: the next worker looks for the task first."""
        self._losses += 1
        self._may_be_made, self._created_at = True, None
        if self._losses > _MOST_LOSSES:
            return self._left(reason)
        self._engine.observer.stepped(self._job, Stage.WAITING, reason)
        await self._engine.workers.ready()
        return Pause(Need.NEWS)

    async def _settle(self, answer: Answer) -> None:
        """Record where the worker left the job; an intent that came to nothing is taken back."""
        record = answer.record
        is_back = record is None or record == self._before
        if answer.has_recorded and record is not None and not is_back:
            await self._engine.parts.recorder.record(record)
        elif self._has_intent and self._planned.record is self._before and not self._may_be_made:
            await self._take_back()

    async def _take_back(self) -> None:
        self._has_intent = False
        if self._before:
            await self._engine.parts.recorder.record(self._before)
        else:
            await self._engine.parts.recorder.forget(self._job.id)

    def _begin_next_attempt(self, answer: Answer) -> None:
        self._planned = replace(
            self._planned, attempt=answer.attempt, external_task_id=answer.external_id, record=answer.record
        )
        self._before, self._has_intent, self._was_sent = answer.record, False, False
        self._losses, self._may_be_made, self._created_at = 0, False, None

    async def _end(self, answer: Answer, outcome: Outcome) -> Outcome | Pause:
        if outcome.error and is_content_refusal(outcome.error.code):
            self._engine.refusals[self._job.digest] = outcome.error
        if answer.is_gone:
            self._engine.gone.add(self._job.id)
        record = answer.record
        is_new = answer.has_recorded and outcome.status is Status.COMPLETED and record != self._before
        if not is_new or record is None:
            await self._settle(answer)
            return outcome
        named = replace(record, outputs=at_home(self._job, record.outputs))
        self._results = replace(answer, found=outcome, record=named)
        return Pause(Need.DOWNLOAD)

    async def _bring(self, answer: Answer) -> Outcome | Pause:
        """Bring the results that the worker holds, and record them."""
        engine, record = self._engine, answer.record
        if record is None or not isinstance(answer.found, Outcome):
            raise RuntimeError("only a completed task has results")
        self._results = None
        if answer.held:
            try:
                missed = await engine.receiver.bring(self._job, record.outputs, held=answer.held, worker=answer.worker)
            except LostError as error:
                return await self._send_again(str(error))
            finally:
                self._let_go()
            if isinstance(missed, Missed):
                return self._left(missed.reason)
        if not answer.is_stored:
            record = await engine.parts.inspect(self._job, record)
        await engine.parts.recorder.record(record)
        engine.observer.stepped(self._job, Stage.COMPLETED, record.cost or "")
        return answer.found

    def _let_go(self) -> None:
        if self._holding:
            self._holding.release()
            self._holding = None

    def _left(self, reason: str) -> Outcome:
        self._engine.observer.stepped(self._job, Stage.LEFT, reason)
        is_kept = self._before is not None and self._before.status is Status.COMPLETED
        return Outcome(Status.COMPLETED if is_kept else Status.IN_FLIGHT, TaskError("", reason))


def _raised(kind: str, message: str) -> Exception:
    """The error that a worker met, as the driver raises it."""
    if not kind:
        return RuntimeError(f"a worker met a bug:\n{message}")
    known = {cls.__name__: cls for cls in (GatewayRefusedError, GatewayUnreachableError, UsageError)}
    return known.get(kind, KirinError)(message)
