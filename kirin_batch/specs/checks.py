"""What is wrong with drafts: params against the model's schema, local images, places of results, slots."""

import copy
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from kirin_batch.jobs import Link, LinkedText, LocalFile
from kirin_batch.models import ImageForm, ImageRule, check_file, classify, stand_in
from kirin_batch.naming import TemplateError, fill_output_template, output_path
from kirin_batch.pointers import Pointer, put_at, value_at
from kirin_batch.project import Project
from kirin_batch.specs.drafts import Draft

__all__ = ["check_drafts", "output_stem"]

_READ_MOST = 64 * 1024 * 1024  # bytes; no model takes an image of this size, and a film by mistake is not read


def check_drafts(drafts: Iterable[Draft], project: Project) -> None:
    """Note all faults of linked drafts as their problems."""
    images = _Images(project)
    places: dict[str, str] = {}
    own_ids: dict[str, str] = {}
    for draft in drafts:
        for pointer, rule in draft.model.image_pointers(draft.params):
            if pointer not in draft.templates:
                images.check(draft, pointer, rule)
        _check_params(draft)
        _check_slots(draft, project.settings.slots)
        _check_outputs(draft, project, places)
        _check_own_id(draft, own_ids)


def _check_params(draft: Draft) -> None:
    params = draft.params
    if draft.templates:
        params = copy.deepcopy(params)
        for pointer in draft.templates:
            put_at(params, pointer, _stand_in(draft.links.get(pointer)))
    files = {pointer: file.sha256 for pointer, file in draft.files.items()}
    for violation in draft.model.check(params, skip=draft.templates.keys(), files=files):
        message = violation.message
        if violation.pointer in draft.templates:
            message = f"{draft.templates[violation.pointer]} does not fit here: {message}"
        draft.complain(
            violation.rule, message, parameter=violation.pointer, severity=violation.severity, at_key=violation.key
        )


def _stand_in(linked: LinkedText | None) -> str | int:
    if linked and len(linked.parts) == 1 and isinstance(linked.parts[0], Link):
        return stand_in(linked.parts[0].field)
    return "text"


class _Images:
    """Local images, each read once however many jobs use it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._hashes: dict[Path, str] = {}

    def check(self, draft: Draft, pointer: Pointer, rule: ImageRule) -> None:
        """Find the file that a param names, check it, and note it in the draft."""
        text = value_at(draft.params, pointer)
        if classify(text) is not ImageForm.PATH:
            return
        path = (draft.sheet.document.path.parent / text).resolve()
        if not self._project.is_inside(path):
            told = f"{text} is outside the project: move it inside, or set `allow_outside: true` in kirin.yaml"
            draft.complain("outside", told, parameter=pointer)
            return
        try:
            if path.stat().st_size > _READ_MOST:
                draft.complain("x-image", f"{text} is no image: it has more than 64 MB", parameter=pointer)
                return
            data = path.read_bytes()
        except OSError as error:
            draft.complain("file", f"{text} cannot be read ({error.strerror}): {path}", parameter=pointer)
            return
        for violation in check_file(data, pointer=pointer, rule=rule):
            draft.complain(violation.rule, f"{violation.message} ({text})", parameter=pointer)
        sha256 = self._hashes.setdefault(path, hashlib.sha256(data).hexdigest())
        draft.files[pointer] = LocalFile(path, sha256)


def _check_slots(draft: Draft, limits: Mapping[str, int]) -> None:
    kind, slots = draft.model.kind, draft.model.slots(draft.params)
    if slots > limits.get(kind, 0):
        told = f"takes {slots} {kind} slots at once, of {limits.get(kind, 0)}"
        draft.complain("slots", f"{told}: make fewer, or raise limits.{kind} in kirin.yaml")


def output_stem(draft: Draft, project: Project, digest: str) -> str:
    """Where the draft's results go, `{index}` and `{ext}` left open. Raises TemplateError."""
    values = {
        "spec": draft.sheet.spec,
        "job": draft.id.partition(":")[2],
        "model": draft.model.name,
        "digest": digest,
        "take": str(draft.take),
    }
    return fill_output_template(draft.outputs or project.settings.outputs, values)


def _check_outputs(draft: Draft, project: Project, places: dict[str, str]) -> None:
    if draft.model.result_type == "text":
        return
    path: Pointer = ("outputs",)
    try:
        stem = output_stem(draft, project, f"{{{draft.id}}}")  # a digest is not known yet, and differs as ids do
    except TemplateError as error:
        draft.complain("outputs", str(error), path=path)
        return
    if not project.is_inside(project.root / stem):
        told = f"{stem} is outside the project: choose a place inside, or set `allow_outside: true` in kirin.yaml"
        draft.complain("outside", told, path=path)
    for index in range(1, draft.model.result_count(draft.params) + 1):
        place = output_path(stem, index=index, ext="").casefold()
        other = places.setdefault(place, draft.id)
        if other != draft.id or (index > 1 and "{index}" not in stem):
            told = f"two results would go to {stem}, of {other} and of this job: add {{index}}, {{job}} or {{spec}}"
            draft.complain("outputs", told, path=path)
            return


def _check_own_id(draft: Draft, own_ids: dict[str, str]) -> None:
    own = draft.params.get("external_task_id")
    if isinstance(own, str) and own_ids.setdefault(own, draft.id) != draft.id:
        told = f"{own} is the external_task_id of {own_ids[own]} too: an id can be used once"
        draft.complain("external-task-id", told, parameter=("external_task_id",))
