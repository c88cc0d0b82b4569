"""The params of a job's request at the moment it is sent: references filled in, files in place, its id among them.

What cannot be built is told, not sent: a file that changed since it was checked, a result that is gone. A file stands
in params as an EncodedFile: its Base64 is made when it is sent, and never held whole.
"""

import asyncio
import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kirin_batch.encoded_file import EncodedFile, FileChangedError
from kirin_batch.jobs import Job, Link, LinkedText
from kirin_batch.models import Catalog, check_file, stand_in
from kirin_batch.pointers import Pointer, put_at
from kirin_batch.records import Record

__all__ = ["RequestBuilder"]

_Files = Mapping[Pointer, EncodedFile]


class RequestBuilder:
    """Builds from the records as they stand; what a job needs is done when its request is built.

    `may_read` tells whether the project may read a result, by its path below the root: a link may lead out of it.
    """

    def __init__(
        self,
        root: Path,
        records: Mapping[str, Record],
        catalog: Catalog,
        *,
        may_read: Callable[[str], bool] = lambda _path: True,
    ) -> None:
        self._root = root
        self._may_read = may_read
        self._records = records
        self._catalog = catalog
        # One at a time: more threads at work than there are processors would hold the event loop up.
        self._reading = asyncio.Lock()

    async def build(self, job: Job, external_id: str) -> dict[str, Any] | str:
        """The params under `external_id`, with an EncodedFile where one is sent; or in one line why there are none."""
        if not job.files and not job.links:
            return self._build(job, external_id)
        async with self._reading:
            return await asyncio.to_thread(self._build, job, external_id)

    def _build(self, job: Job, external_id: str) -> dict[str, Any] | str:
        params = copy.deepcopy(dict(job.params))
        try:
            values = {pointer: self._fill(linked) for pointer, linked in job.links.items()}
            files = {pointer: EncodedFile.of(file.path, file.sha256) for pointer, file in job.files.items()}
            for pointer, value in values.items():
                put_at(params, pointer, stand_in("file") if isinstance(value, EncodedFile) else value)
            linked = {pointer: value for pointer, value in values.items() if isinstance(value, EncodedFile)}
            if complaint := self._complaint(job, params, linked=linked, local=files):
                return complaint
        except (_CannotBuildError, FileChangedError) as error:
            return str(error)
        for pointer, file in {**files, **linked}.items():
            put_at(params, pointer, file)
        # The id goes with every request: a model's schema need not declare it.
        return {**params, "external_task_id": external_id}

    def _fill(self, linked: LinkedText) -> object:
        values = [self._value(part) if isinstance(part, Link) else part for part in linked.parts]
        return values[0] if len(values) == 1 else "".join(str(value) for value in values)

    def _value(self, link: Link) -> object:
        record = self._records[link.job]
        if link.field in {"element_id", "task_id"}:
            value = record.element_id if link.field == "element_id" else record.task_id
            if value is None:
                raise _CannotBuildError(f"{link}: the task did not tell it")
            return value
        if link.index >= len(record.outputs):
            count = len(record.outputs)
            raise _CannotBuildError(f"{link}: the task made only {count} {'result' if count == 1 else 'results'}")
        output = record.outputs[link.index]
        if link.field != "file":
            return output.url
        if output.path is None or output.sha256 is None:
            raise _CannotBuildError(f"{link}: the result was not downloaded")
        if not self._may_read(output.path):
            raise _CannotBuildError(f"{link}: a link leads {output.path} out of the project")
        return EncodedFile.of(self._root / output.path, output.sha256)

    def _complaint(self, job: Job, params: dict[str, Any], *, linked: _Files, local: _Files) -> str:
        """What only shows when all values are there: a reference's text too long, say. The gateway would refuse it.

        In `params` a path or a stand-in is where a file will be. Raises FileChangedError.
        """
        model = self._catalog.model(job.model)
        if model is None or not job.links:
            return ""
        contents = {pointer: file.sha256 for pointer, file in {**local, **linked}.items()}
        found = model.check(params, skip=linked.keys(), files=contents)
        faults = [fault for fault in found if fault.severity == "error"]
        for pointer, rule in model.image_pointers(params) if linked else ():
            if pointer in linked:
                faults += check_file(linked[pointer].read(), pointer=pointer, rule=rule)
        return "; ".join(fault.message for fault in faults)


class _CannotBuildError(Exception):
    pass
