"""`fetch --all`, beyond present results: those of earlier takes and requests, and of jobs that no spec has any more.

They were paid for as well. A result comes back to where it was recorded; where another one has that place by now, or
where it was never on disk, it goes into the folder `earlier` beside. What a sandbox made is left out, for no gateway
has it.
"""

import asyncio
from collections.abc import Callable, Container, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kirin_batch.clock import SystemClock
from kirin_batch.commands.gateways import open_gateway
from kirin_batch.commands.keeping import open_keeper
from kirin_batch.commands.planning import presence, recorded_contents, require_own_places
from kirin_batch.commands.run_terms import Interrupts
from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.disk import sha256_of_file
from kirin_batch.errors import GatewayRefusedError, GatewayUnreachableError, KirinError
from kirin_batch.gateway.answers import Done, Result, Unknown
from kirin_batch.jobs import Job
from kirin_batch.journal import Ledger
from kirin_batch.naming import fill_output_template
from kirin_batch.outputs.courier import Courier
from kirin_batch.outputs.replaced import earlier_place
from kirin_batch.outputs.restoring import Restorer
from kirin_batch.records import Output, Record, Status
from kirin_batch.run_lock import hold_run_lock
from kirin_batch.scheduler.life import recorded_results
from kirin_batch.scheduler.observer import Silent
from kirin_batch.scheduler.outcome import Missed
from kirin_batch.scheduler.patience import Patience
from kirin_batch.scheduler.slots import Slots
from kirin_batch.specs.files import Boundary

if TYPE_CHECKING:
    from kirin_batch.outputs.keeper import Keeper

__all__ = ["EarlierReport", "EarlierTask", "fetch_earlier"]

_AT_ONCE = 16  # tasks that are asked for at the same time


@dataclass(slots=True)
class EarlierTask:
    """An earlier task some of whose results were missing: how many, the numbers of those that still are, and why."""

    task: Record
    results: int
    left: list[int]
    missed: Missed | None = None

    @property
    def is_gone(self) -> bool:
        """Whether what is left never comes."""
        return self.missed is not None and self.missed.is_gone

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`."""
        return {
            "job": self.task.job,
            "model": self.task.model,
            "take": self.task.take,
            "attempt": self.task.attempt,
            "task_id": self.task.task_id,
            "external_task_id": self.task.external_task_id,
            "results": self.results,
            "fetched": self.results - len(self.left),
            "gone": self.is_gone,
            "reason": self.missed.reason if self.missed else "",
        }


@dataclass(frozen=True, slots=True)
class EarlierReport:
    """What came of each task that lacked results. `brought`: results that came from the store.

    `stopped_by` is what ended it for all tasks: the gateway refuses the account, or is not reached.
    """

    tasks: tuple[EarlierTask, ...] = ()
    brought: int = 0
    was_interrupted: bool = False
    stopped_by: KirinError | None = None


async def fetch_earlier(
    workspace: Workspace, selection: Selection, *, on_interrupt: Interrupts | None = None
) -> EarlierReport:
    """Bring what is missing of tasks that are not the present ones of their jobs; of the selected jobs, if any are.

    Raises ProjectBusyError, and KirinError for a lockfile that cannot be trusted, or a disk that refuses.
    """
    project = workspace.project
    with (
        hold_run_lock(project.state),
        Ledger(project.lockfile, project.journal) as ledger,
        open_keeper(project, trusts_memory=False) as keeper,
    ):
        require_own_places(project, ledger.records.values())
        fetching = _Fetching(workspace, selection, ledger)
        with on_interrupt(fetching.stop) if on_interrupt else nullcontext():
            return await fetching.carry_out(keeper)


class _Fetching:
    def __init__(self, workspace: Workspace, selection: Selection, ledger: Ledger) -> None:
        self._project = workspace.project
        self._jobs = workspace.specs.jobs
        self._ledger = ledger
        is_on_disk = presence(self._project, ledger.records.values())
        self._owners = self._find_owners(is_on_disk)
        recorded = recorded_contents(ledger.records.values())
        self._is_recorded = lambda path, sha256: any(sha256 == known for _, known in recorded.get(path, ()))
        self._workers: list[asyncio.Task[None]] = []
        self._was_interrupted = False
        wanted = None if selection.is_everything else set(workspace.select(selection, ledger.records))
        self._tasks = list(self._lacking(wanted, is_on_disk))

    def _find_owners(self, is_on_disk: Callable[[Output], bool]) -> dict[str, str | None]:
        """For each place the SHA-256 of the result that it belongs to: tasks that a job had one after the other share
        theirs where nothing lay there, as on a fresh clone. The present one has it, else what lies there, else the
        newest.
        """
        records = self._ledger.records.values()
        present = [output for record in records if self._is_present(record) for output in record.outputs]
        earlier = [output for task in self._earlier_tasks() for output in task.outputs]
        claims = (*sorted(earlier, key=is_on_disk), *present)  # who comes later has it
        return {output.path: output.sha256 for output in claims if output.path}

    def _lacking(self, wanted: Container[str] | None, is_on_disk: Callable[[Output], bool]) -> Iterator[EarlierTask]:
        for task in self._earlier_tasks():
            left = [number for number, output in enumerate(task.outputs, 1) if not is_on_disk(output)]
            if left and (wanted is None or task.job in wanted):
                yield EarlierTask(task, len(left), left)

    def _earlier_tasks(self) -> Iterator[Record]:
        for record in self._ledger.records.values():
            for task in record.earlier if self._is_present(record) else record.tasks:
                if task.status is Status.COMPLETED and not task.sandbox:
                    yield task

    def _is_present(self, record: Record) -> bool:
        job = self._jobs.get(record.job)
        return job is not None and job.digest == record.digest

    def _place_of(self, name: str, sha256: str) -> str:
        """Where a result comes to lie that lay at `name`, which may be another's."""
        return name if self._owners.get(name, sha256) == sha256 else earlier_place(name, sha256)

    def stop(self) -> None:
        """Leave the rest to another fetch."""
        self._was_interrupted = True
        for worker in self._workers:
            worker.cancel()

    async def carry_out(self, keeper: "Keeper | None") -> EarlierReport:
        """Bring what the store has, then what the gateway has."""
        brought = await self._bring_kept(keeper) if keeper and self._tasks else 0
        stopped_by = None
        if any(lacking.left for lacking in self._tasks) and not self._was_interrupted:
            try:
                await self._ask_gateway()
            except (GatewayRefusedError, GatewayUnreachableError) as error:
                stopped_by = error
        return EarlierReport(tuple(self._tasks), brought, self._was_interrupted, stopped_by)

    async def _bring_kept(self, keeper: "Keeper") -> int:
        wanted = [(lacking, number, there) for lacking in self._tasks for number, there in self._places(lacking)]
        by_place = {there.path: there for _, _, there in wanted}  # after a merge two tasks may be one
        found = await keeper.bring(by_place.values(), is_recorded=self._is_recorded)
        for lacking, number, there in wanted if found else ():
            if await asyncio.to_thread(self._is_here, there):  # not what a person put there
                await self._record(lacking, number, there)
        return found

    def _is_here(self, output: Output) -> bool:
        try:
            return sha256_of_file(self._project.root / str(output.path)) == output.sha256
        except OSError:
            return False

    def _places(self, lacking: EarlierTask) -> list[tuple[int, Output]]:
        """The results that were on disk once, by number, with the places where they are to lie."""
        outputs = ((number, lacking.task.outputs[number - 1]) for number in lacking.left)
        return [
            (number, replace(output, path=self._place_of(output.path, output.sha256)))
            for number, output in outputs
            if output.path and output.sha256
        ]

    async def _ask_gateway(self) -> None:
        """Raises GatewayRefusedError, GatewayUnreachableError, and KirinError for a disk that refuses."""
        settings, clock = self._project.settings, SystemClock()
        async with open_gateway(settings) as gateway:
            patience = Patience(gateway, clock, Silent(), Slots(settings.slots, clock))
            restorer = Restorer(
                self._project.root,
                Courier(gateway, clock, downloads=settings.downloads),
                place_of=self._place_of,
                may_write=Boundary(self._project).has,
                is_recorded=self._is_recorded,
            )
            left = iter([lacking for lacking in self._tasks if lacking.left])
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(_AT_ONCE):
                        self._workers.append(group.create_task(self._work(left, patience, restorer)))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None  # the first ends the others

    async def _work(self, left: Iterator[EarlierTask], patience: Patience, restorer: Restorer) -> None:
        for lacking in left:
            task = lacking.task
            found = await patience.find(self._job_of(task), str(task.task_id))
            if isinstance(found, Unknown):
                lacking.missed = Missed(found.reason)
                continue
            results = found.results if isinstance(found, Done) and found.results else recorded_results(task)
            for number in tuple(lacking.left):
                if number <= len(results):
                    await self._bring(lacking, number, results[number - 1], restorer)

    async def _bring(self, lacking: EarlierTask, number: int, result: Result, restorer: Restorer) -> None:
        stem = self._job_of(lacking.task).output_stem
        brought = await restorer.bring(lacking.task, number, result, stem=stem)
        if isinstance(brought, Missed):
            lacking.missed = brought
        else:
            await self._record(lacking, number, brought)

    def _job_of(self, task: Record) -> Job:
        """The job that has the name by now; where no spec has it, as far as the record tells of it."""
        if job := self._jobs.get(task.job):
            return job
        spec, _, name = task.job.partition(":")
        values = {"spec": spec, "job": name, "model": task.model, "digest": task.digest, "take": str(task.take)}
        return Job(
            id=task.job,
            spec=spec,
            spec_file="",
            model=task.model,
            kind="image",
            slots=1,
            params={},
            digest=task.digest,
            external_task_id=task.external_task_id,
            output_stem=fill_output_template(self._project.settings.outputs, values),
        )

    async def _record(self, lacking: EarlierTask, number: int, output: Output) -> None:
        before, record = lacking.task, self._ledger.records[lacking.task.job]
        outputs = tuple(output if index == number else old for index, old in enumerate(before.outputs, 1))
        lacking.task = replace(before, outputs=outputs)
        lacking.left.remove(number)
        if _is_same(record, before):
            await self._ledger.record(replace(record, outputs=outputs))
        else:
            earlier = (replace(task, outputs=outputs) if _is_same(task, before) else task for task in record.earlier)
            await self._ledger.record(replace(record, earlier=tuple(earlier)))


def _is_same(task: Record, other: Record) -> bool:
    return (task.task_id, task.external_task_id) == (other.task_id, other.external_task_id)
