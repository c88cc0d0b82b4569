"""Why a plan sends what it has sent before: what each request has now that the job's task had not. Sends nothing."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kirin_batch.changes import Change, changes_text, find_changes
from kirin_batch.commands.credentials import known_secrets
from kirin_batch.commands.workspace import Workspace
from kirin_batch.jobs import Job, Link
from kirin_batch.models import Catalog
from kirin_batch.outputs.sidecar import public_params
from kirin_batch.plan import Action, Plan, PlannedJob
from kirin_batch.pointers import Pointer
from kirin_batch.records import Record

__all__ = ["with_changes"]

_REFERENCE = re.compile(r"\$\{\{\s*jobs\.(?P<job>[^{}]+?)\.(?P<field>[a-z_]+)(?P<index>\[\d+\])?\s*\}\}")
_UNTOLD = "its request changed where it is not shown: in a secret, or in a URL after its `?`"


def with_changes(plan: Plan, workspace: Workspace, records: Mapping[str, Record]) -> Plan:
    """The plan, each job whose request changed with the changes and a reason that tells them."""
    if not any(planned.is_changed for planned in plan.jobs):
        return plan
    secrets = known_secrets(workspace.project.settings.env)
    reasons = _Reasons(workspace.specs.jobs, records, workspace.catalog, secrets)
    return replace(plan, jobs=tuple(reasons.tell(job) if job.is_changed else job for job in plan.jobs))


@dataclass(frozen=True, slots=True)
class _Reasons:
    jobs: Mapping[str, Job]
    records: Mapping[str, Record]
    catalog: Catalog
    secrets: Collection[str]

    def tell(self, planned: PlannedJob) -> PlannedJob:
        job, record = self.jobs[planned.job], planned.record
        if record is None:
            return planned
        changes = (*self._of_request(job, record), *self._of_references(job, record))
        if planned.action is not Action.CREATE:  # what keeps it from being sent is the reason
            return replace(planned, changes=changes)
        if changes:
            return replace(planned, changes=changes, reason=changes_text(changes))
        if record.params is None:
            return planned
        told = "a job that it refers to changed" if job.links else _UNTOLD
        return replace(planned, reason=told)

    def _of_request(self, job: Job, record: Record) -> Iterator[Change]:
        if record.model != job.model:
            yield Change("model", record.model, job.model)
        if record.take != job.take:
            yield Change("take", record.take, job.take)
        if record.params is not None:
            model = self.catalog.model(job.model)
            now = public_params(job, secrets=self.secrets)
            before = {name: _as_now(value, now.get(name), (name,), job) for name, value in record.params.items()}
            yield from find_changes(before, now, defaults=model.defaults() if model else {})

    def _of_references(self, job: Job, record: Record) -> Iterator[Change]:
        """What the job refers to and what is to be made anew, or was made since the job's own task."""
        links = ((pointer, part) for pointer, linked in job.links.items() for part in linked.parts)
        told: set[str] = set()
        for pointer, link in links:
            if isinstance(link, Link) and link.job not in told and self._has_changed(link.job, since=record):
                told.add(link.job)
                yield Change(_top(pointer), str(link), str(link), pointer=pointer, job=link.job)

    def _has_changed(self, job: str, *, since: Record) -> bool:
        record = self.records.get(job)
        if record is None or record.digest != self.jobs[job].digest:
            return True
        was_asked_for_before = any(task.digest != record.digest for task in record.earlier)
        return was_asked_for_before and record.created_at > since.created_at


def _top(pointer: Pointer) -> str:
    return str(pointer[0])


def _as_now(old: Any, new: Any, at: Pointer, job: Job) -> Any:  # noqa: ANN401 - any JSON value
    """The old value, a reference in it as the spec writes it now, if that is the same reference."""
    match old, new:
        case (dict(), dict()):
            return {key: _as_now(item, new.get(key), (*at, key), job) for key, item in old.items()}
        case (list(), list()):
            pairs = zip(old, [*new, *[None] * len(old)], strict=False)
            return [_as_now(item, other, (*at, index), job) for index, (item, other) in enumerate(pairs)]
        case (str(), str()) if at in job.links:
            return new if _plain(old, job.spec) == _plain(new, job.spec) else old
    return old


def _plain(text: str, spec: str) -> str:
    """References in their one form: with the spec of the job, without needless spaces, `url` for `urls[0]`."""

    def write(found: re.Match[str]) -> str:
        name = found["job"] if ":" in found["job"].partition("[")[0] else f"{spec}:{found['job']}"
        field = found["field"] + (found["index"] or "")
        return f"${{{{ jobs.{name}.{'url' if field == 'urls[0]' else field} }}}}"

    return _REFERENCE.sub(write, text)
