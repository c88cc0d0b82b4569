"""Checked drafts to jobs: digests over what a request is made of, in the order in which jobs need each other."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from kirin_batch.identity import digest_of_request, external_task_id
from kirin_batch.jobs import Job, Link, LinkedText
from kirin_batch.models import ImageForm, classify, decode_base64
from kirin_batch.pointers import Pointer, value_at
from kirin_batch.project import Project
from kirin_batch.specs.checks import claim_outputs, names_digest, output_stem
from kirin_batch.specs.drafts import Draft

__all__ = ["fingerprint"]


def fingerprint(drafts: Iterable[Draft], project: Project) -> dict[str, Job]:
    """The jobs of drafts that stand behind what they need, without those with faults and those that need them.

    Two jobs whose results would go to one place named by an equal digest are found here: the second is faulty.
    """
    jobs: dict[str, Job] = {}
    places: dict[str, str] = {}
    for draft in drafts:
        if draft.is_faulty or not all(need in jobs for need in draft.needed):
            continue
        job = _to_job(draft, project, jobs)
        if job.result_type != "text" and job.output_stem != draft.output_stem:  # named by the digest
            claim_outputs(draft, job.output_stem, places)
        if not draft.is_faulty:
            jobs[job.id] = job
    return jobs


def _to_job(draft: Draft, project: Project, jobs: Mapping[str, Job]) -> Job:
    model = draft.model
    if draft.settled and draft.is_settled:
        digest = draft.settled.digest
    else:
        digest = digest_of_request(
            model.name,
            take=draft.take,
            params=draft.params,
            defaults=model.defaults(),
            inputs=_inputs(draft, jobs),
        )
    draft.digest = digest
    own_id = draft.params.get("external_task_id")
    return Job(
        id=draft.id,
        spec=draft.sheet.spec,
        spec_file=draft.sheet.document.file,
        model=model.name,
        kind=model.kind,
        slots=draft.slots,
        params=draft.params,
        digest=digest,
        external_task_id=own_id or external_task_id(project.settings.namespace, draft.id, digest, 1),
        result_type=model.result_type,
        result_count=draft.result_count,
        take=draft.take,
        tags=draft.tags,
        needs=draft.needed,
        links=draft.links,
        files=draft.files,
        output_stem=output_stem(draft, project, digest) if names_digest(draft, project) else draft.output_stem,
        fixed_task_id=own_id is not None,
    )


def _inputs(draft: Draft, jobs: Mapping[str, Job]) -> dict[Pointer, Any]:
    """What the digest sees where params hold a reference or a picture: the other job's digest, the content's hash."""
    inputs: dict[Pointer, Any] = {pointer: _input_of(linked, jobs) for pointer, linked in draft.links.items()}
    for pointer, _ in draft.images:
        if pointer in draft.files:
            inputs[pointer] = {"sha256": draft.files[pointer].sha256}
        elif pointer not in inputs and (content := _inline_content(draft.params, pointer)) is not None:
            inputs[pointer] = {"sha256": hashlib.sha256(content).hexdigest()}
    return inputs


def _input_of(linked: LinkedText, jobs: Mapping[str, Job]) -> list[Any]:
    return [_link_input(part, jobs) if isinstance(part, Link) else part for part in linked.parts]


def _link_input(link: Link, jobs: Mapping[str, Job]) -> dict[str, Any]:
    field = "urls" if link.field == "url" else link.field  # `url` is `urls[0]`: the same request
    return {"digest": jobs[link.job].digest, "field": field, "index": link.index}


def _inline_content(params: Mapping[str, Any], pointer: Pointer) -> bytes | None:
    text = value_at(params, pointer)
    return decode_base64(text) if isinstance(text, str) and classify(text) is ImageForm.BASE64 else None
