"""`run --dry-run`: the requests that a run would send now. Takes no lock, needs no key, sends and writes nothing.

Params come from the builder that a run uses; a test holds the rest against what a gateway receives.
"""

import asyncio
import base64
import binascii
import copy
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from kirin_batch.bodies import RequestBuilder
from kirin_batch.commands.canary import pick_canaries
from kirin_batch.commands.planning import require_own_places
from kirin_batch.commands.preconditions import check_plan
from kirin_batch.commands.run_terms import RunOptions, plan_run
from kirin_batch.commands.workspace import Workspace
from kirin_batch.encoded_file import EncodedFile
from kirin_batch.gateway.body import StreamedBody, json_body
from kirin_batch.gateway.client import HEADERS, PATH
from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.jobs import Job, Link, LinkedText
from kirin_batch.journal import load_records
from kirin_batch.models import Catalog
from kirin_batch.models.image_headers import sniff_format
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob
from kirin_batch.pointers import Pointer, json_pointer, put_at
from kirin_batch.records import Record

__all__ = ["DryRun", "PlannedRequest", "dry_run"]

_SANDBOX_URL = "http://127.0.0.1:PORT"  # which port, only the sandbox that a run starts can say
_HEADERS = {**HEADERS, "Authorization": "Bearer [key]"}
_ASKED_FOR = {Action.RESUME, Action.FETCH, Action.UNKNOWN}
_SHA256_DIGITS = 12
_SNIFFED_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A request. `body` is its JSON, images shortened; None for a query.

    `missing` are places in params (JSON pointers) whose values are results that are not there yet, with the expressions
    that stand there instead. `fault` is why it cannot be built; then there is no body.
    """

    planned: PlannedJob
    method: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    missing: Mapping[str, str]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would send first for each job, in the order of the plan."""

    plan: Plan
    requests: tuple[PlannedRequest, ...]


async def dry_run(workspace: Workspace, options: RunOptions) -> DryRun:
    """Plan as `run_project` does and build every request. Raises what that raises before it sends anything."""
    workspace.require_valid()
    project = workspace.project
    records = load_records(project.lockfile, project.journal)
    require_own_places(project, records.values())
    plan = plan_run(workspace, options, records)
    check_plan(plan, locked=options.locked, resend=options.resend, sandbox=options.sandbox)
    if options.canaries is not None:
        plan = pick_canaries(plan, workspace.specs.jobs, of_each_model=options.canaries)
    # The settings refuse what is no address.
    base_url = _SANDBOX_URL if options.sandbox else _checked(project.settings.base_url)
    draft = _Draft(workspace, plan, records, f"{base_url.rstrip('/')}{PATH}")
    return DryRun(plan, tuple([request async for request in draft.requests()]))


def _checked(base_url: str) -> str:
    return GatewaySettings(base_url, Secret("none")).base_url


class _Draft:
    def __init__(self, workspace: Workspace, plan: Plan, records: Mapping[str, Record], url: str) -> None:
        self._plan = plan
        self._jobs = workspace.specs.jobs
        self._catalog = workspace.catalog
        self._url = url
        self._open = {planned.job for planned in plan.jobs if planned.action not in {Action.NONE, Action.MOVE}}
        taken = {planned.job: planned.record for planned in plan.jobs if planned.record and planned.job in self._jobs}
        root, known = workspace.project.root, {**records, **taken}
        self._builder = RequestBuilder(root, known, self._catalog)
        self._unchecked = RequestBuilder(root, known, Catalog({}))  # rules are for values, not for expressions

    async def requests(self) -> AsyncIterator[PlannedRequest]:
        for planned in self._plan.jobs:
            if planned.action in SENDING:
                yield await self._create(planned, self._jobs[planned.job])
            elif planned.action in _ASKED_FOR:
                yield self._query(planned)

    def _query(self, planned: PlannedJob) -> PlannedRequest:
        task = (planned.record and planned.record.task_id) or planned.external_task_id
        url = f"{self._url}/task/{quote(task, safe='')}"
        return PlannedRequest(planned=planned, method="GET", url=url, headers=_HEADERS, body=None, missing={})

    async def _create(self, planned: PlannedJob, job: Job) -> PlannedRequest:
        waiting = {pointer: linked for pointer, linked in job.links.items() if self._is_waiting(linked)}
        params = await self._build(job, planned.external_task_id, waiting)
        headers = _HEADERS | {"Content-Type": "application/json"}
        fault = params if isinstance(params, str) else None
        body = None
        if isinstance(params, dict):
            whole = {"model": job.model, "input": [{"params": params}]}
            if not waiting:
                headers["Content-Length"] = str(_length(json_body(whole)))
            body = await asyncio.to_thread(self._shorten, whole, job)
        missing = {json_pointer(pointer): str(linked) for pointer, linked in waiting.items()}
        return PlannedRequest(
            planned=planned, method="POST", url=self._url, headers=headers, body=body, missing=missing, fault=fault
        )

    def _is_waiting(self, linked: LinkedText) -> bool:
        return any(isinstance(part, Link) and part.job in self._open for part in linked.parts)

    async def _build(self, job: Job, external_id: str, waiting: Mapping[Pointer, LinkedText]) -> dict[str, Any] | str:
        if not waiting:
            return await self._builder.build(job, external_id)
        known = {pointer: linked for pointer, linked in job.links.items() if pointer not in waiting}
        params = await self._unchecked.build(replace(job, links=known), external_id)
        if isinstance(params, dict):
            for pointer, linked in waiting.items():
                put_at(params, pointer, str(linked))
        return params

    def _shorten(self, body: dict[str, Any], job: Job) -> dict[str, Any]:
        short: dict[str, Any] = copy.deepcopy(body)
        params = short["input"][0]["params"]
        model = self._catalog.model(job.model)
        for pointer, _ in model.image_pointers(params) if model else ():
            if told := _told_of_base64(_value_at(params, pointer)):
                put_at(params, pointer, told)
        shown: dict[str, Any] = _without_files(short)
        return shown


def _length(body: bytes | StreamedBody) -> int:
    return body.size_bytes if isinstance(body, StreamedBody) else len(body)


def _value_at(value: Any, pointer: Pointer) -> Any:  # noqa: ANN401 - any JSON value
    for step in pointer:
        value = value[step]
    return value


def _without_files(value: Any) -> Any:  # noqa: ANN401 - any JSON value, or a file in place of one
    if isinstance(value, dict):
        return {key: _without_files(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_files(item) for item in value]
    if not isinstance(value, EncodedFile):
        return value
    with value.path.open("rb") as file:
        return _told(file.read(_SNIFFED_BYTES), value.size_bytes, value.sha256)


def _told_of_base64(text: str) -> str | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None  # a URL, or an expression
    return _told(data, len(data), hashlib.sha256(data).hexdigest())


def _told(begin: bytes, size_bytes: int, sha256: str) -> str:
    return f"<{sniff_format(begin) or 'file'}, {size_bytes} bytes, sha256 {sha256[:_SHA256_DIGITS]}…, as Base64>"
