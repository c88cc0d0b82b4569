"""One job at a worker: the life that it would have at the driver, with all around it that tells the driver instead.

What ends the work here is an outcome, or a pause that is the driver's to decide about: whether there are slots.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kirin_batch.bodies import RequestBuilder
from kirin_batch.engines.messages import Answer, Ended, Errand, Heard, Kept, News, Taken, Told, Trouble, Wanted
from kirin_batch.errors import GatewayRefusedError, KirinError
from kirin_batch.gateway.answers import Result
from kirin_batch.jobs import Job, LocalFile
from kirin_batch.outputs.embedding import Note, note_of
from kirin_batch.outputs.store import StoreError, key_of
from kirin_batch.records import Output, Record, Status
from kirin_batch.scheduler.life import Need, Pause, TaskLife
from kirin_batch.scheduler.lookups import Lookups
from kirin_batch.scheduler.observer import Measures, Stage
from kirin_batch.scheduler.outcome import Missed, Outcome
from kirin_batch.scheduler.patience import Patience
from kirin_batch.scheduler.surroundings import Surroundings, accept

if TYPE_CHECKING:
    from kirin_batch.engines.office import Office

__all__ = ["Desk"]

logger = logging.getLogger("kirin_batch.engines")


class Desk:
    """Carries one errand as far as it goes. It is its life's recorder, observer, collector, and who hears of slots."""

    def __init__(self, office: "Office", key: str, errand: Errand) -> None:
        self.errand = errand
        self._office = office
        self._key = key
        self._record = errand.planned.record
        self._has_recorded = False
        self._has_files = False
        self._retry_after: float | None = None
        self._last_told: Told | None = None
        self._names: dict[str, str] = {}  # of files that lie elsewhere than the user knows, by where they lie
        self._life = TaskLife(errand.job, errand.planned, self._around(), may_exist=True)
        """A worker that died may have sent it: Dask does not say which parcels it sends again."""

    def _around(self) -> Surroundings:
        office = self._office
        return Surroundings(
            patience=Patience(office.gateway, office.clock, self, self),
            recorder=self,
            collector=self,
            clock=office.clock,
            observer=self,
            rules=office.terms.rules,
            build_params=self._build,
            latencies=office.latencies,
            worth_of=lambda _job: self.errand.worth,
            inspect=office.inspect if office.store else accept,
            tell_params=lambda _job: self.errand.told_params,
            refusals={self.errand.job.digest: self.errand.refusal} if self.errand.refusal else {},
            lookups=_TellingLookups(office.lookups, self._tell),
        )

    @property
    def is_creating(self) -> bool:
        """Whether an answer to a create is awaited."""
        return self._life.is_creating

    async def work(self) -> Answer:
        """Go on until the driver is to decide, or the end."""
        try:
            while True:
                found = await self._life.step()
                if isinstance(found, Outcome):
                    return await self._deliver(found)
                if found.need not in {Need.QUERY, Need.DOWNLOAD}:
                    return self.answer(found)
                if found.need is Need.DOWNLOAD:
                    self._tell(Ended())
                if self._office.is_recalled:
                    return self.answer(None)
                await self._office.clock.sleep(found.seconds)
        except KirinError as error:
            where = "" if isinstance(error, GatewayRefusedError) else f"worker {self._office.address}: "
            return replace(self.answer(None), trouble=Trouble(type(error).__name__, f"{where}{error}"))
        except Exception:  # noqa: BLE001 - a bug, which the driver shows: Dask would log what the job asks for
            return replace(self.answer(None), trouble=Trouble("", traceback.format_exc()))

    def answer(self, found: Outcome | Pause | None) -> Answer:
        """What the driver is told in the end; None: it was recalled."""
        return Answer(
            worker=self._office.address,
            found=found,
            record=self._record,
            has_recorded=self._has_recorded,
            attempt=self._life.task.attempt,
            external_id=self._life.task.external_id,
            is_unsent=self._life.is_unsent,
            retry_after=self._retry_after,
            is_gone=self.errand.job.id in self._office.gone,
        )

    async def _deliver(self, outcome: Outcome) -> Answer:
        """Put new results into the store; where there is none, or it fails, they are held for the driver."""
        answer = self.answer(outcome)
        record, office = self._record, self._office
        if not self._has_files or record is None or outcome.status is not Status.COMPLETED or office.terms.shared:
            return answer
        files = tuple(office.root / str(output.path) for output in record.outputs)
        if office.store:
            try:
                for file, output in zip(files, record.outputs, strict=True):
                    await asyncio.to_thread(office.store.put, file, str(key_of(output)))
            except StoreError as error:
                logger.warning("%s: the results of %s go to the driver", error, self.errand.job.id)
            else:
                office.drop_results(self._key)
                return replace(answer, is_stored=True)
        office.hold_results(self._key)
        return replace(answer, held=tuple(map(str, files)))

    def _tell(self, news: News) -> None:
        self._office.tell(self._key, news)

    # What a life has around it.

    async def record(self, record: Record) -> None:
        """See Recorder. What ends a life goes with the answer; the driver has an intent on disk before all this."""
        self._record, self._has_recorded = record, True
        if record.status is Status.IN_FLIGHT:
            self._tell(Kept(record))

    async def forget(self, job: str) -> None:
        """See Recorder."""
        del job
        self._record, self._has_recorded = None, True

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer: schedulers call it."""

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        """See Observer."""
        del job
        told = Told(stage, detail)
        if told != self._last_told and stage is not Stage.COMPLETED:  # it is when the driver has recorded it
            self._last_told = told
            self._tell(told)

    def round(self, kind: str) -> int:
        """See Turns: the driver marks it when it sends an errand."""
        del kind
        return 0

    def accept(self, kind: str) -> None:
        """See Turns."""
        del kind
        self._tell(Taken())

    def refuse(self, kind: str, *, since: int, jitter: float, retry_after: float | None = None) -> None:
        """See Turns."""
        del kind, since, jitter
        self._retry_after = retry_after

    async def collect(self, job: Job, results: Sequence[Result]) -> tuple[Output, ...] | Missed:
        """See Collector."""
        found = await self._office.collector.collect(job, results)
        self._has_files = not isinstance(found, Missed) and any(output.path for output in found)
        return found

    def note(self) -> Note | None:
        """What is embedded into the job's pictures."""
        if not self._office.terms.is_embedding or self._record is None:
            return None
        params = self.errand.told_params if self._record.params is None else self._record.params
        return note_of(self._record, params or {})

    # Requests.

    async def _build(self, job: Job, external_id: str) -> dict[str, Any] | str:
        files = {pointer: await self._local(file) for pointer, file in job.files.items()}
        needs = {id_: await self._with_files(id_, record) for id_, record in self.errand.needs.items()}
        closed = self.errand.closed
        builder = RequestBuilder(
            self._office.root, needs, self._office.catalog, may_read=lambda path: path not in closed
        )
        async with self._office.reading:
            params = await builder.build(replace(job, files=files), external_id)
        if isinstance(params, str):
            for here, name in self._names.items():
                params = params.replace(here, name)
        return params

    async def _local(self, file: LocalFile) -> LocalFile:
        """A file of the project where it is here; relative paths are below the folder that is shared."""
        if not file.path.is_absolute():
            return replace(file, path=self._office.root / file.path)
        here = await self._bring(file.sha256)
        self._names[str(here)] = str(file.path)
        return replace(file, path=here)

    async def _with_files(self, id_: str, record: Record) -> Record:
        """The record of a job whose results are sent on, with those where they are here."""
        sent = {link.index for link in _links(self.errand.job) if link.job == id_ and link.field == "file"}
        if not sent or self._office.terms.shared:
            return record
        outputs = [
            replace(output, path=str(await self._bring(output.sha256, output)))
            if index in sent and output.path and output.sha256 and output.path not in self.errand.closed
            else output
            for index, output in enumerate(record.outputs)
        ]
        return replace(record, outputs=tuple(outputs))

    async def _bring(self, sha256: str, output: Output | None = None) -> Path:
        """A file by its content: from the store, where it is a result, else from the driver."""
        if output and self._office.store and (kept := await self._office.from_store(output)):
            return kept
        return await self._office.depot.bring(sha256, lambda: self._tell(Wanted(sha256, self._office.address)))


def _links(job: Job) -> list[Any]:
    return [part for linked in job.links.values() for part in linked.parts if not isinstance(part, str)]


class _TellingLookups(Lookups):
    """What all lives here have seen of lookups; whether they work is told once."""

    def __init__(self, shared: Lookups, tell: Callable[[Heard], None]) -> None:
        super().__init__()
        self._shared = shared
        self._tell = tell

    def is_due(self, age_seconds: float) -> bool:
        return self._shared.is_due(age_seconds)

    def note(self, external_id: str, *, is_found: bool) -> None:
        if self._shared.is_due(float("inf")):
            self._tell(Heard(external_id, is_found))
        self._shared.note(external_id, is_found=is_found)
