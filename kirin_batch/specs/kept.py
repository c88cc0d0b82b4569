"""What reading, expanding and checking sound specs gave, kept for the next command: only changed specs are read again.

A spec is known by its content. Where its file is as it was, down to its time of change, it need not even be read, but
for a file that was younger than two seconds when it was. All else that drafts depend on is one key, and a change of it
drops the whole: the program, the models' schemas, kirin.yaml, variables. What depends on other specs or files is done
each time: links, places of results. A spec with a problem is never kept, so that its places are known when told.
"""

import hashlib
import marshal
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK
from typing import Any

import orjson

from kirin_batch.caches import FOLDER, load_cache, program_state, save_cache, settled_before
from kirin_batch.documents import UnreadDocument
from kirin_batch.errors import KirinError
from kirin_batch.models import Catalog, ImageRule
from kirin_batch.project import Project
from kirin_batch.specs.drafts import Draft, Settled
from kirin_batch.specs.expressions import Template, parse_template
from kirin_batch.specs.matrix import Instance
from kirin_batch.specs.sheets import Sheet, spec_name
from kirin_batch.witness import Identity, identify

__all__ = ["KeptSpecs"]


@dataclass(slots=True)
class _Known:
    """A spec: how its file looked (None: too young to go by that), the hash of its content, its drafts as bytes."""

    identity: Identity | None
    sha256: str
    drafts: bytes


class KeptSpecs:
    """The cache of one project: `sheet` gives what is kept, `save` writes what is new.

    `environ`: the variables that its specs may use; `begun_ns`: when the program began, in nanoseconds of the epoch.
    """

    def __init__(self, project: Project, catalog: Catalog, environ: Mapping[str, str], *, begun_ns: int) -> None:
        self._project = project
        self._catalog = catalog
        self._root = str(project.root)
        self._begun_ns = begun_ns
        self._key = _key_of(project, catalog, environ)
        self._old: dict[str, _Known] = {}
        self._new: dict[str, _Known] = {}
        self._old_pictures: dict[_Picture, tuple[Identity, str]] = {}
        self._pictures: dict[_Picture, tuple[Identity, str]] = {}
        with suppress(OSError, ValueError, EOFError, TypeError):
            self._load(load_cache(self._path))

    @property
    def _path(self) -> str:
        return f"{self._root}/{FOLDER}/jobs.specs"

    def _load(self, value: Any) -> None:  # noqa: ANN401 - what is of another shape is a ValueError or a TypeError
        key, files, pictures = value
        if key == self._key:
            self._old = {name: _Known(*known) for name, known in files.items()}
            self._old_pictures = dict(pictures)

    def drafts(self, file: str) -> list[Draft] | None:
        """The drafts of a spec, where it is as it was and was sound."""
        known = self._old.get(file)
        if known is None:
            return None
        path = f"{self._root}/{file}"
        with suppress(OSError):
            if known.identity is None or identify(os.lstat(path)) != known.identity:
                if hashlib.sha256(Path(path).read_bytes()).hexdigest() != known.sha256:
                    return None
                known = _Known(None, known.sha256, known.drafts)
            self._new[file] = known
            sheet = Sheet(UnreadDocument(path, file), spec_name(file), {}, {}, {}, is_kept=True)
            return [self._draft(sheet, parts) for parts in marshal.loads(known.drafts)]  # noqa: S302 - see `caches`
        return None

    def _draft(self, sheet: Sheet, parts: Any) -> Draft:  # noqa: ANN401 - a tuple that `_parts` made
        label, name, axes, model_name, params, templates, needs, take, tags, outputs, stem, numbers, settled = parts
        model = self._catalog.model(model_name)
        if model is None:
            raise ValueError(model_name)  # the key holds all models
        return Draft(
            id=f"{sheet.spec}:{label}",
            sheet=sheet,
            name=name,
            instance=Instance({}, axes),
            model=model,
            params=params,
            images=model.image_pointers(params),
            templates={pointer: _template(texts) for pointer, texts in templates},
            unknown=frozenset(),
            needs=needs,
            take=take,
            tags=tags,
            outputs=outputs,
            slots=numbers[0],
            result_count=numbers[1],
            output_stem=stem,
            settled=Settled(*settled) if settled else None,
        )

    def picture(self, path: str, rule: ImageRule) -> str | None:
        """The hash of a local picture that was found to be sound, where its file is as it was."""
        known = self._old_pictures.get((path, repr(rule)))
        with suppress(OSError):
            if known and identify(os.lstat(path)) == known[0]:
                self._pictures[path, repr(rule)] = known
                return known[1]
        return None

    def keep_picture(self, path: str, rule: ImageRule, status: os.stat_result, sha256: str) -> None:
        """Note a sound picture, whose file looked like `status` before it was read."""
        self._pictures[path, repr(rule)] = (identify(status), sha256)

    def save(self, drafts: Iterable[Draft]) -> None:
        """Write what is new of these drafts, of all specs that were read. A cache is never needed: a fault is none."""
        by_sheet: dict[int, list[Draft]] = {}
        for draft in drafts:
            if not draft.sheet.is_kept:
                by_sheet.setdefault(id(draft.sheet), []).append(draft)
        with suppress(OSError, ValueError, KirinError):
            self._project.make_state_folder()
            (self._project.root / FOLDER).mkdir(exist_ok=True)
            settled_ns = settled_before(f"{self._root}/{FOLDER}", self._begun_ns)
            for sheet_drafts in by_sheet.values():
                self._keep_sheet(sheet_drafts[0].sheet, sheet_drafts)
            for file, known in self._new.items():
                if known.identity is None:
                    known.identity = _identity_of(f"{self._root}/{file}", settled_ns)
            pictures = {at: known for at, known in self._pictures.items() if max(known[0][2:]) < settled_ns}
            if self._new != self._old or pictures != self._old_pictures:
                files = {file: (known.identity, known.sha256, known.drafts) for file, known in self._new.items()}
                save_cache(self._path, (self._key, files, pictures))

    def _keep_sheet(self, sheet: Sheet, drafts: list[Draft]) -> None:
        is_sound = not (sheet.problems or sheet.unknown) and all(draft.digest for draft in drafts)
        if is_sound and len({draft.name for draft in drafts}) == len(sheet.jobs):
            with suppress(ValueError):  # what is no plain data, which a spec may hold in `needs`
                content = marshal.dumps([_parts(draft) for draft in drafts])
                self._new[sheet.document.file] = _Known(None, sheet.document.sha256, content)


_Picture = tuple[str, str]
"""The path of a picture, and what it must be."""


def _parts(draft: Draft) -> tuple[Any, ...]:
    """A draft as plain data; `KeptSpecs.drafts` makes it one again."""
    files = {pointer: file.sha256 for pointer, file in draft.files.items()}
    return (
        draft.label,
        draft.name,
        dict(draft.instance.axes),
        draft.model.name,
        draft.params,
        [(pointer, _texts(template)) for pointer, template in draft.templates.items()],
        tuple(draft.needs),
        draft.take,
        draft.tags,
        draft.outputs,
        draft.output_stem,
        (draft.slots, draft.result_count),
        None if draft.templates else (files, draft.digest),
    )


def _texts(template: Template) -> list[tuple[bool, str]]:
    """The parts of a template as texts, and whether each is an expression."""
    return [(not isinstance(part, str), part if isinstance(part, str) else part.text) for part in template.parts]


def _template(texts: Iterable[tuple[bool, str]]) -> Template:
    return Template(tuple(parse_template(text).parts[0] if is_expression else text for is_expression, text in texts))


def _identity_of(path: str, settled_ns: int) -> Identity | None:
    """How a file looks, where it is old enough to go by that; never of a link, behind which much can change."""
    status = os.lstat(path)
    is_settled = max(status.st_mtime_ns, status.st_ctime_ns) < settled_ns
    return identify(status) if is_settled and not S_ISLNK(status.st_mode) else None


def _key_of(project: Project, catalog: Catalog, environ: Mapping[str, str]) -> str:
    """A hash of all that drafts depend on beside their specs."""
    models = {name: model.schema for name in catalog.names() if (model := catalog.model(name))}
    parts = (repr(project), sorted(environ.items()), sorted(program_state().items()))
    text = repr(parts).encode(errors="surrogatepass") + orjson.dumps(models)
    return hashlib.sha256(text).hexdigest()
