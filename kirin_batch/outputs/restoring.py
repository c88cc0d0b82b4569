"""Brings single results back that a task had once: where they were, or into `earlier` where another has that place."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kirin_batch.disk import PART_SUFFIX, flush_folder, make_folders
from kirin_batch.errors import KirinError
from kirin_batch.gateway.answers import Result
from kirin_batch.naming import output_path
from kirin_batch.outputs.courier import Courier
from kirin_batch.outputs.embedding import note_of
from kirin_batch.outputs.replaced import IsRecorded, earlier_place, keep_copy
from kirin_batch.outputs.sink import Part, Sink
from kirin_batch.records import Output, Record
from kirin_batch.scheduler.outcome import Missed

__all__ = ["Restorer"]


class Restorer:
    """Brings results below `root`.

    `place_of` tells from where a result was recorded, and its SHA-256, where it comes to lie; `may_write` whether a
    path is inside the project. `is_recorded` as for the Downloader.
    """

    def __init__(
        self,
        root: Path,
        courier: Courier,
        *,
        place_of: Callable[[str, str], str],
        may_write: Callable[[str], bool],
        is_recorded: IsRecorded,
    ) -> None:
        self._root = root
        self._courier = courier
        self._place_of = place_of
        self._may_write = may_write
        self._is_recorded = is_recorded

    async def bring(self, task: Record, number: int, result: Result, *, stem: str) -> Output | Missed:
        """Result `number`, from 1, of a task, as a complete file; or why not. `stem` is where it goes if no place of
        it is recorded. Raises KirinError for a disk that refuses.
        """
        before = task.outputs[number - 1]
        name = before.path or output_path(stem, index=number, ext="")
        if not self._may_write(name):
            return Missed(f"a link leads {name} out of the project")
        path = self._root / name
        # One of its own: results of other tasks have the same name, and come at the same time.
        sink = Sink(path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}"))
        try:
            return await self._courier.bring(result.url, sink, lambda: self._keep(sink, task, number, result, stem))
        except OSError as error:
            raise KirinError(f"result {number} of {task.job} cannot be written: {error}") from error
        finally:
            sink.discard()

    def _keep(self, sink: Sink, task: Record, number: int, result: Result, stem: str) -> Output | Missed:
        before = task.outputs[number - 1]
        part = sink.finish(None, result)
        if isinstance(part, Missed):
            return part
        if (before.served_sha256 or before.sha256) not in {None, part.sha256}:
            return Missed(f"result {number} is served with another content than was recorded", is_gone=True)
        if before.served_sha256:
            part = sink.embed(part, note_of(task, _params(task)), number=number)
        name = self._name(before, part, number, stem)
        keep_copy(self._root, name, successor=part.sha256, is_recorded=self._is_recorded)
        make_folders((self._root / name).parent)
        sink.place(self._root / name)
        flush_folder((self._root / name).parent)
        return Output(result.url, result.type, name, part.sha256, part.size_bytes, part.served_sha256)

    def _name(self, before: Output, part: Part, number: int, stem: str) -> str:
        if before.path:
            return self._place_of(before.path, before.sha256 or part.sha256)
        return earlier_place(output_path(stem, index=number, ext=part.ext), part.sha256)


def _params(task: Record) -> Mapping[str, Any]:
    return {} if task.params is None else task.params
