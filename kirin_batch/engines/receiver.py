"""Brings results from the workers that hold them to where they belong, as complete files: by pieces, hashed anew."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kirin_batch.disk import PART_SUFFIX, flush_folder
from kirin_batch.engines.work import give_piece
from kirin_batch.engines.workers import Workers
from kirin_batch.errors import KirinError
from kirin_batch.fault_points import FaultPoint, reach
from kirin_batch.gateway.answers import Result
from kirin_batch.jobs import Job
from kirin_batch.naming import output_path
from kirin_batch.outputs.replaced import IsRecorded, keep_copy
from kirin_batch.outputs.sink import Sink
from kirin_batch.records import Output
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Receiver", "at_home"]


def at_home(job: Job, outputs: Sequence[Output]) -> tuple[Output, ...]:
    """The results of a job with the paths that they have in the project, whatever they are called elsewhere."""
    return tuple(
        replace(output, path=output_path(job.output_stem, index=index, ext=Path(output.path).suffix))
        if output.path
        else output
        for index, output in enumerate(outputs, 1)
    )


class Receiver:
    """Puts results below `root`, so many at a time. A file that `is_recorded` does not know is copied before."""

    def __init__(self, root: Path, workers: Workers, *, at_once: int, is_recorded: IsRecorded) -> None:
        self._root = root
        self._workers = workers
        self._turns = asyncio.Semaphore(at_once)
        self._is_recorded = is_recorded
        self._mark = secrets.token_hex(4)

    async def bring(self, job: Job, outputs: Sequence[Output], *, held: Sequence[str], worker: str) -> Missed | None:
        """Bring all results of a task, or none; `outputs` as they are to be, `held` where they lie at the worker.

        Raises LostError where the worker is gone with them, and KirinError for a disk that refuses.
        """
        sinks: list[Sink] = []
        try:
            async with self._turns:
                for output, place in zip(outputs, held, strict=True):
                    path = self._root / str(output.path)
                    sinks.append(Sink(path.with_name(f".{path.name}.{self._mark}{PART_SUFFIX}")))
                    await self._fetch(sinks[-1], place, worker)
                    if missed := await asyncio.to_thread(_finish, sinks[-1], job, output):
                        return missed
                await asyncio.to_thread(self._publish, outputs, sinks)
        except IsADirectoryError as error:  # in the place of one result: that keeps no other job back
            return Missed(f"its results cannot be written: {error}")
        except OSError as error:
            raise KirinError(f"the results of {job.id} cannot be written: {error}") from error
        finally:
            for sink in sinks:
                sink.discard()
        return None

    async def _fetch(self, sink: Sink, place: str, worker: str) -> None:
        offset, is_last = 0, False
        while not is_last:
            data, is_last = await self._workers.ask(worker, give_piece, place, offset)
            offset += len(data)
            if (written := sink.write(data)) is not None:
                await written

    def _publish(self, outputs: Sequence[Output], sinks: Sequence[Sink]) -> None:
        """Give all their names; in a thread, which does so in one go. Raises OSError."""
        names = [str(output.path) for output in outputs]
        for name, output in zip(names, outputs, strict=True):
            keep_copy(self._root, name, successor=str(output.sha256), is_recorded=self._is_recorded)
        for name, sink in zip(names, sinks, strict=True):
            sink.place(self._root / name)
            reach(FaultPoint.RESULT_RENAMED)
        for folder in {(self._root / name).parent for name in names}:
            flush_folder(folder)
        reach(FaultPoint.RESULTS_KEPT)


def _finish(sink: Sink, job: Job, output: Output) -> Missed | None:
    part = sink.finish(job, Result("video" if output.type == "video" else "image", output.url))
    if isinstance(part, Missed):
        return part
    return None if part.sha256 == output.sha256 else Missed("its results changed on their way here")
