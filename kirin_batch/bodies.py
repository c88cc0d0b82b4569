"""The params of a job's request at the moment it is sent: references filled in, images as Base64, its id among them.

What cannot be built is told, not sent: a file that changed since it was checked, a result that is gone.
"""

import asyncio
import base64
import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kirin_batch.jobs import Job, Link, LinkedText
from kirin_batch.models import Catalog
from kirin_batch.pointers import put_at
from kirin_batch.records import Record

__all__ = ["RequestBuilder"]


class RequestBuilder:
    """Builds from the records as they stand; what a job needs is done when its request is built."""

    def __init__(self, root: Path, records: Mapping[str, Record], catalog: Catalog) -> None:
        self._root = root
        self._records = records
        self._catalog = catalog

    async def build(self, job: Job, external_id: str) -> dict[str, Any] | str:
        """The params under `external_id`, or in one line why there are none."""
        return await asyncio.to_thread(self._build, job, external_id)

    def _build(self, job: Job, external_id: str) -> dict[str, Any] | str:
        params = copy.deepcopy(dict(job.params))
        try:
            for pointer, linked in job.links.items():
                put_at(params, pointer, self._fill(linked))
            for pointer, file in job.files.items():
                put_at(params, pointer, _encode(file.path, file.sha256))
        except _CannotBuildError as error:
            return str(error)
        # The id goes with every request: a model's schema need not declare it.
        return self._complaint(job, params) or {**params, "external_task_id": external_id}

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
        return _encode(self._root / output.path, output.sha256)

    def _complaint(self, job: Job, params: dict[str, Any]) -> str:
        """What only shows when all values are there: a reference's text too long, say. The gateway would refuse it."""
        model = self._catalog.model(job.model)
        faults = [fault for fault in model.check(params) if fault.severity == "error"] if model and job.links else []
        return "; ".join(fault.message for fault in faults)


class _CannotBuildError(Exception):
    pass


def _encode(path: Path, sha256: str) -> str:
    """The file as raw Base64, if it is still the one that was checked."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _CannotBuildError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _CannotBuildError(f"{path} has changed since it was checked: run again")
    return base64.b64encode(data).decode()
