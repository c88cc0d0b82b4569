"""What is wrong with drafts: params against the model's schema, local images, places of results, slots."""

import copy
import hashlib
import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from kirin_batch.jobs import Link, LocalFile
from kirin_batch.models import Finding, ImageForm, ImageRule, check_image, classify, stand_in
from kirin_batch.models.messages import shortened
from kirin_batch.models.paths import named
from kirin_batch.models.unknown_values import UnknownValues, kind_of
from kirin_batch.naming import TemplateError, fill_output_template, output_path, place_of
from kirin_batch.pointers import Pointer, put_at, value_at
from kirin_batch.project import Project
from kirin_batch.specs.drafts import Draft
from kirin_batch.specs.expressions import JobReference, Template
from kirin_batch.specs.files import Boundary
from kirin_batch.specs.kept import KeptSpecs

__all__ = ["check_drafts", "claim_outputs", "names_digest", "output_stem"]

_READ_MOST = 64 * 1024 * 1024  # bytes; no model takes an image of this size, and a film by mistake is not read
_LONGEST_PATH = 4096  # characters; no system takes longer ones, and following one of megabytes takes hours
_OF_PICTURES = frozenset({"url", "urls", "file"})
_MOST_BITS = 63  # beside the sign: as in JSON that others read, and in the ids of subjects


def check_drafts(drafts: Iterable[Draft], project: Project, kept: KeptSpecs | None = None) -> None:
    """Note all faults of linked drafts as their problems; `kept` tells which pictures were found to be sound."""
    drafts = list(drafts)
    by_id = {draft.id: draft for draft in drafts}
    images = _Images(project, kept)
    unknown = UnknownValues()
    places: dict[str, str] = {}
    own_ids: dict[str, str] = {}
    boundary = Boundary(project, at_once=True)
    for draft in drafts:
        for pointer, rule in draft.images:
            if pointer not in draft.templates and pointer not in draft.unknown:
                images.check(draft, pointer, rule)
        if not draft.is_settled:
            _check_params(draft, unknown)
            _count(draft, project.settings.slots)
        _check_outputs(draft, project, boundary, places)
        _check_own_id(draft, own_ids)
    for draft in drafts:
        _check_links(draft, by_id)


def _check_links(draft: Draft, by_id: Mapping[str, Draft]) -> None:
    """What of another job may stand where: no film for a picture, and a file's Base64 nowhere but for a picture."""
    if not draft.links:
        return
    images = {pointer for pointer, _ in draft.images}
    for pointer, linked in draft.links.items():
        links = [part for part in linked.parts if isinstance(part, Link)]
        is_image = pointer in images and len(linked.parts) == 1
        if is_image and not all(_yields_image(link, by_id) for link in links):
            told = f"{draft.templates[pointer]} is no image, which {named(pointer)} takes"
            draft.complain("reference", told, parameter=pointer)
        elif not is_image and any(link.field == "file" for link in links):
            told = f"{draft.templates[pointer]}: a file can only be the whole value of an image parameter; take url"
            draft.complain("reference", told, parameter=pointer)
        elif beyond := next((link for link in links if _is_beyond(link, by_id[link.job])), None):
            count = by_id[beyond.job].result_count
            makes = "1 result, urls[0]" if count == 1 else f"{count} results, urls[0] to urls[{count - 1}]"
            draft.complain("reference", f"{draft.templates[pointer]}: {beyond.job} makes {makes}", parameter=pointer)


def _is_beyond(link: Link, target: Draft) -> bool:
    """Whether a job makes fewer results than the link counts on; of a faulty one nobody knows."""
    return link.index > 0 and not target.is_faulty and link.index >= target.result_count


def _yields_image(link: Link, by_id: Mapping[str, Draft]) -> bool:
    return link.field in _OF_PICTURES and by_id[link.job].model.result_type == "image"


def _check_params(draft: Draft, unknown: UnknownValues) -> None:
    params = draft.params
    if draft.templates:
        params = copy.deepcopy(params)
        for pointer, template in draft.templates.items():
            put_at(params, pointer, _stand_in(template))
    files = {pointer: file.sha256 for pointer, file in draft.files.items()}
    if draft.links:
        files |= _linked_pictures(draft)
    skip = draft.templates.keys() | draft.unknown
    found = draft.model.check(params, skip=skip, files=files)
    for violation in found:
        pointer, message = violation.pointer, violation.message
        if pointer in skip and pointer not in draft.links:
            continue  # the fault of the expression itself is told, and nobody knows its value
        if pointer in skip and violation.rule == "type":
            message = f"{draft.templates[pointer]} does not fit here: {message.rpartition(': ')[2]}"
        draft.complain(violation.rule, message, parameter=pointer, severity=violation.severity, at_key=violation.key)
    told = {violation.pointer for violation in found}
    for pointer in _beyond_64_bits(params):
        if pointer not in told:
            message = f"{named(pointer)} is beyond 64 bits: no request can carry such a number"
            draft.complain("type", message, parameter=pointer)
    if draft.links:
        _check_linked(draft, unknown, told=told)


def _linked_pictures(draft: Draft) -> dict[Pointer, str]:
    """What tells pictures of other jobs apart: `url`, `urls[0]` and `file` of a job are the same one."""
    return {
        pointer: f"{link.job}#{link.index}"
        for pointer, linked in draft.links.items()
        if len(linked.parts) == 1 and isinstance(link := linked.parts[0], Link) and link.field in _OF_PICTURES
    }


def _check_linked(draft: Draft, unknown: UnknownValues, *, told: AbstractSet[Pointer]) -> None:
    """A place that takes no URL, or no id, is a fault before the job that would give one is paid for."""
    for pointer, linked in draft.links.items():
        forms = tuple((part.field, True) if isinstance(part, Link) else (part, False) for part in linked.parts)
        if pointer not in told and (violation := unknown.fault(draft.model, pointer, forms)):
            hint = violation.message.rpartition(": ")[2] + (" characters" if violation.rule == "maxLength" else "")
            template = draft.templates[pointer]
            says = (
                f"{template} is {kind_of(forms[0][0])}, which {named(pointer)} does not take"
                if len(forms) == 1
                else f"{named(pointer)} is {shortened(str(template))}, which never fits"
            )
            draft.complain(violation.rule, f"{says}: {hint}", parameter=pointer)


def _stand_in(template: Template) -> str | int:
    parts = [stand_in(part.field.name) if isinstance(part, JobReference) else str(part) for part in template.parts]
    return parts[0] if len(parts) == 1 else "".join(map(str, parts))


def _beyond_64_bits(value: Any, at: Pointer = ()) -> list[Pointer]:  # noqa: ANN401 - any JSON
    found: list[Pointer] = []
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, int):
            if item.bit_length() > _MOST_BITS:
                found.append((*at, key))
        elif isinstance(item, dict | list):
            found += _beyond_64_bits(item, (*at, key))
    return found


class _Seen(NamedTuple):
    """What is known of a local file: why it cannot be read, or where it lies, its hash, and what is wrong with it."""

    fault: tuple[str, str] | None
    path: Path = Path()
    sha256: str = ""
    findings: tuple[Finding, ...] = ()


class _Images:
    """Local images, each read once however many jobs use it."""

    def __init__(self, project: Project, kept: KeptSpecs | None) -> None:
        self._project = project
        self._kept = kept
        self._seen: dict[tuple[Path, ImageRule], _Seen] = {}

    def check(self, draft: Draft, pointer: Pointer, rule: ImageRule) -> None:
        """Find the file that a param names, check it, and note it in the draft."""
        text = value_at(draft.params, pointer)
        if classify(text) is not ImageForm.PATH:
            return
        if len(text) > _LONGEST_PATH:
            draft.complain("file", f"{named(pointer)} is no path: it has {len(text)} characters", parameter=pointer)
            return
        path = draft.sheet.document.folder / text
        if (path, rule) not in self._seen:
            self._seen[path, rule] = self._look(path, rule)
        seen = self._seen[path, rule]
        if seen.fault:
            draft.complain(seen.fault[0], f"{text} {seen.fault[1]}", parameter=pointer)
            return
        for finding in seen.findings:
            draft.complain(finding.rule, f"{named(pointer)} {finding.message} ({text})", parameter=pointer)
        draft.files[pointer] = LocalFile(seen.path, seen.sha256)

    def _look(self, path: Path, rule: ImageRule) -> _Seen:
        try:
            path = path.resolve()
            if not self._project.is_inside(path):
                told = "is outside the project: move it inside, or set `allow_outside: true` in kirin.yaml"
                return _Seen(("outside", told))
            status = path.stat()
            if not S_ISREG(status.st_mode):
                return _Seen(("file", f"is no file: {path}"))
            if status.st_size > _READ_MOST:
                return _Seen(("x-image", "is no image: it has more than 64 MB"))
            return self._read(path, rule, status)
        except OSError as error:
            return _Seen(("file", f"cannot be read ({error.strerror}): {path}"))
        except (RuntimeError, ValueError):  # a loop of links; a NUL in the name
            return _Seen(("file", "is no path that can be followed"))

    def _read(self, path: Path, rule: ImageRule, status: os.stat_result) -> _Seen:
        if self._kept and (known := self._kept.picture(str(path), rule)):
            return _Seen(None, path, known)
        data = path.read_bytes()
        sha256, findings = hashlib.sha256(data).hexdigest(), tuple(check_image(data, rule=rule))
        if self._kept and not findings:
            self._kept.keep_picture(str(path), rule, status, sha256)
        return _Seen(None, path, sha256, findings)


def _count(draft: Draft, limits: Mapping[str, int]) -> None:
    """Note what a sound draft takes and makes; a number of images that is wrong in itself is told already."""
    if draft.is_faulty:
        return
    kind = draft.model.kind
    draft.slots, draft.result_count = draft.model.slots(draft.params), draft.model.result_count(draft.params)
    if draft.slots > limits.get(kind, 0):
        told = f"takes {draft.slots} {kind} slots at once, of {limits.get(kind, 0)}"
        draft.complain("slots", f"{told}: make fewer, or raise limits.{kind} in kirin.yaml")


def output_stem(draft: Draft, project: Project, digest: str) -> str:
    """Where the draft's results go, `{index}` and `{ext}` left open. Raises TemplateError."""
    values = {
        "spec": draft.sheet.spec,
        "job": draft.label,
        "model": draft.model.name,
        "digest": digest,
        "take": str(draft.take),
    }
    return fill_output_template(draft.outputs or project.settings.outputs, values)


def names_digest(draft: Draft, project: Project) -> bool:
    """Whether the digest is part of the place of results, which is not known whole before it."""
    return "{digest}" in (draft.outputs or project.settings.outputs)


def _check_outputs(draft: Draft, project: Project, boundary: Boundary, places: dict[str, str]) -> None:
    try:
        # The digest is not known yet: `fingerprint` looks at equal ones.
        stem = draft.output_stem or output_stem(draft, project, f"{{{draft.id}}}")
    except TemplateError as error:
        draft.complain("outputs", str(error), path=("outputs",))
        return
    draft.output_stem = stem
    if draft.model.result_type == "text":
        return
    if not boundary.has_folder_of(stem):
        told = f"{stem} is outside the project: choose a place inside, or set `allow_outside: true` in kirin.yaml"
        draft.complain("outside", told, path=("outputs",))
    claim_outputs(draft, stem, places)


def claim_outputs(draft: Draft, stem: str, places: dict[str, str]) -> None:
    """Note in `places` (ids by path) where the draft's results go; a place that is taken is a fault."""
    count = 1 if draft.is_faulty else draft.result_count
    if count > 1 and "{index}" not in stem:
        told = f"{count} results would go to one place, {stem}: add {{index}} to outputs"
        draft.complain("outputs", told, path=("outputs",))
        return
    for index in range(1, count + 1):
        other = places.setdefault(place_of(output_path(stem, index=index, ext="")), draft.id)
        if other != draft.id:
            told = f"the results of {other} go to {stem} too: tell them apart in outputs by {{spec}} and {{job}}"
            draft.complain("outputs", told, path=("outputs",))
            return


def _check_own_id(draft: Draft, own_ids: dict[str, str]) -> None:
    own = draft.params.get("external_task_id")
    pointer: Pointer = ("external_task_id",)
    if pointer in draft.templates:
        told = f"{own}: an external_task_id must be known before anything runs, and no other job can give it"
        draft.complain("external-task-id", told, parameter=pointer)
    elif isinstance(own, str) and pointer not in draft.unknown and own_ids.setdefault(own, draft.id) != draft.id:
        told = f"{own} is the external_task_id of {own_ids[own]} too: an id can be used once"
        draft.complain("external-task-id", told, parameter=pointer)
