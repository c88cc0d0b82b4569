"""One spec file to drafts: vars, defaults and matrix resolved, params as the request will carry them.

A draft knows its file's places, so whoever finds a fault in it later can tell where. References to other jobs stay
templates; `links` resolves them when all files are known.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from kirin_batch.jobs import LinkedText, LocalFile
from kirin_batch.models import Catalog, ImageRule, Model
from kirin_batch.models.messages import shortened
from kirin_batch.problems import Pointer, Severity
from kirin_batch.source import PlainScalar, Value, scalar_text, unwrap
from kirin_batch.specs.expressions import Template
from kirin_batch.specs.matrix import Instance, MatrixError, expand_matrix, instance_id
from kirin_batch.specs.origins import written_at
from kirin_batch.specs.scope import Scope, did_you_mean
from kirin_batch.specs.sheets import Sheet

__all__ = ["Draft", "draft_jobs"]

_T = TypeVar("_T")
_D = TypeVar("_D")


@dataclass(slots=True, kw_only=True)
class Draft:
    """A job before it is linked to others.

    `params` hold text at the places in `templates` (references to other jobs), in `unknown` (texts with faulty
    expressions) and of local images; `images` are the places of all images. `links`, `files`, `needed`, `slots` and
    `result_count` (of sound jobs) and `output_stem` (with a stand-in for the digest) are filled in by later steps.
    """

    id: str
    sheet: Sheet
    name: str
    instance: Instance
    model: Model
    params: dict[str, Any]
    images: Sequence[tuple[Pointer, ImageRule]]
    templates: Mapping[Pointer, Template]
    unknown: AbstractSet[Pointer]
    needs: Sequence[str]
    take: int
    tags: tuple[str, ...]
    outputs: str | None
    links: dict[Pointer, LinkedText] = field(default_factory=dict)
    files: dict[Pointer, LocalFile] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    slots: int = 1
    result_count: int = 1
    output_stem: str = ""
    is_faulty: bool = False

    @property
    def label(self) -> str:
        """The id without the spec: the job's name and its axes."""
        return instance_id(self.name, self.instance.axes)

    def complain(
        self,
        rule: str,
        message: str,
        *,
        parameter: Pointer | None = None,
        path: Pointer = (),
        severity: Severity = Severity.ERROR,
        at_key: bool = False,
    ) -> None:
        """Note a problem at a parameter, or at another key of the job; where there is neither, at the job's name."""
        if parameter:
            stands = (*self._origin(str(parameter[0])), "params", *parameter)
            is_readable = parameter not in self.unknown  # else the fault is in the expression itself
            where = written_at(self.sheet, self.name, self.instance, stands) if is_readable else stands
        else:
            where = self.sheet.path_of(self.name, *(path if parameter is None else ("params",)))
            at_key = at_key or parameter is not None or where == ("jobs", self.name)
        problem = self.sheet.document.problem(
            where, rule, message, severity=severity, at_key=at_key, job=self.id, parameter=parameter
        )
        self.sheet.problems.append(problem)
        self.is_faulty = self.is_faulty or severity is Severity.ERROR

    def _origin(self, param: str) -> Pointer:
        """Who gave a param: the file's defaults, or the job, which is also where one that is missing would stand."""
        own, defaults = self.sheet.jobs[self.name].get("params") or {}, self.sheet.defaults.get("params") or {}
        is_default = param not in own and defaults.get(param) is not None and self.model.takes(param)
        return ("defaults",) if is_default else ("jobs", self.name)


def draft_jobs(sheet: Sheet, catalog: Catalog, environ: Mapping[str, str]) -> list[Draft]:
    """The drafts of all jobs of a sheet; faults go to the sheet's problems, jobs that yield no draft to `unknown`."""
    scope = Scope(sheet.vars, environ)
    drafts: list[Draft] = []
    for name in sheet.jobs:
        job = _Layers(sheet, name, {**sheet.defaults, **sheet.jobs[name]})
        instances = job.instances(scope)
        made = [draft for instance in instances if (draft := job.draft(instance, scope, catalog))]
        if not made or len(made) < len(instances):
            sheet.unknown.add(name)
        drafts += made
    # Where a job could not be read, nobody knows what it would have used.
    if not sheet.problems:
        _complain_of_unused_vars(sheet, scope)
    if not sheet.unknown:
        _complain_of_strange_defaults(sheet, drafts)
    return drafts


def _complain_of_unused_vars(sheet: Sheet, scope: Scope) -> None:
    for name in scope.unused_vars():
        told = f"vars.{name} is never used: remove it, or write ${{{{ vars.{name} }}}} where it belongs"
        found = sheet.document.problem(("vars", name), "unused-var", told, severity=Severity.WARNING, at_key=True)
        sheet.problems.append(found)


def _complain_of_strange_defaults(sheet: Sheet, drafts: Sequence[Draft]) -> None:
    """A default that none of the file's models has reaches no job: it is misspelt."""
    models = {draft.model for draft in drafts}
    for name in sheet.defaults.get("params") or {}:
        if models and not any(model.takes(name) for model in models):
            known = {name for model in models for name in model.schema["properties"]}
            told = f"{name} is a parameter of no model here{did_you_mean(name, known)}"
            path: Pointer = ("defaults", "params", name)
            sheet.problems.append(sheet.document.problem(path, "additionalProperties", told, at_key=True))


class _WrongKeyError(ValueError):
    """A key of a job whose value cannot be used; its problem is noted."""


def _or_default(read: Callable[[Scope, str], _T], scope: Scope, job: str, default: _D) -> _T | _D:
    try:
        return read(scope, job)
    except _WrongKeyError:
        return default


@dataclass(frozen=True, slots=True)
class _Layers:
    """A job; `said` are its own keys over the file's defaults."""

    sheet: Sheet
    name: str
    said: Mapping[str, Any]

    def instances(self, scope: Scope) -> list[Instance]:
        try:
            return expand_matrix(self._filled("matrix", scope))
        except _WrongKeyError:
            pass
        except MatrixError as error:
            self._complain("matrix", str(error), path=("matrix", *error.path))
        return []

    def draft(self, instance: Instance, scope: Scope, catalog: Catalog) -> Draft | None:
        job = instance_id(f"{self.sheet.spec}:{self.name}", instance.axes)
        inner = scope.inside(instance.values)
        before = len(self.sheet.problems)
        try:
            model = self._model(inner, catalog, job)
        except _WrongKeyError:
            return None
        templates: dict[Pointer, Template] = {}
        faults: dict[Pointer, str] = {}
        params = model.coerce(inner.fill(self._params(model), templates=templates, faults=faults))
        draft = Draft(
            id=job,
            sheet=self.sheet,
            name=self.name,
            instance=instance,
            model=model,
            params=params,
            images=model.image_pointers(params),
            templates=templates,
            unknown=faults.keys(),
            needs=self.said.get("needs") or (),
            take=_or_default(self._take, inner, job, 1),
            tags=_or_default(self._tags, inner, job, ()),
            outputs=_or_default(self._outputs, inner, job, None),
        )
        draft.is_faulty = len(self.sheet.problems) > before
        for pointer, message in faults.items():
            draft.complain("expression", message, parameter=pointer)
        return draft

    def _filled(self, key: str, scope: Scope, job: str | None = None) -> Any:  # noqa: ANN401 - any YAML value
        said = self.said.get(key)
        if said is None:  # as most keys of most jobs
            return None
        faults: dict[Pointer, str] = {}
        value = scope.fill(said, at=(key,), faults=faults)
        for path, message in faults.items():
            self._complain("expression", message, path=path, job=job)
        if faults:
            raise _WrongKeyError
        return value

    def _take(self, scope: Scope, job: str) -> int:
        take = unwrap(self._filled("take", scope, job))
        if take is None:
            return 1
        if isinstance(take, bool) or not isinstance(take, int | float) or take != int(take) or take < 1:
            self._refuse("take", f"take is {shortened(take)}: a whole number from 1 is needed", job)
        return int(take)

    def _tags(self, scope: Scope, job: str) -> tuple[str, ...]:
        tags = self._filled("tags", scope, job)
        if tags is None:
            return ()
        if not isinstance(tags, list) or not all(isinstance(tag, str | int | float | PlainScalar) for tag in tags):
            self._refuse("tags", f"tags is {shortened(unwrap(tags))}: a list of words is needed", job)
        return tuple(map(scalar_text, tags))

    def _outputs(self, scope: Scope, job: str) -> str | None:
        outputs = self._filled("outputs", scope, job)
        if outputs is not None and (not isinstance(outputs, str) or not outputs):
            self._refuse("outputs", f"outputs is {shortened(unwrap(outputs))}: a path is needed, as text", job)
        return outputs

    def _model(self, scope: Scope, catalog: Catalog, job: str) -> Model:
        name = self._filled("model", scope, job)
        if name is None:
            self._complain("required", "has no model: name one here or in defaults", path=("model",), job=job)
            raise _WrongKeyError
        model = catalog.model(name) if isinstance(name, str) else None
        if model is None:
            meant = catalog.suggest(str(name))
            told = f"did you mean {meant}?" if meant else f"there are {', '.join(catalog.names())}"
            self._complain("model", f"no model is called {shortened(unwrap(name))}: {told}", path=("model",), job=job)
            raise _WrongKeyError
        return model

    def _params(self, model: Model) -> dict[str, Value]:
        """The params, `null` removing what the defaults gave.

        Defaults stand over jobs of several models: each job takes those that its model has.
        """
        defaults, own = self.sheet.defaults.get("params") or {}, self.sheet.jobs[self.name].get("params") or {}
        given = {key: value for key, value in defaults.items() if model.takes(key)}
        return {key: value for key, value in {**given, **own}.items() if value is not None}

    def _refuse(self, key: str, message: str, job: str) -> NoReturn:
        self._complain("type", message, path=(key,), job=job)
        raise _WrongKeyError

    def _complain(self, rule: str, message: str, *, path: Pointer = (), job: str | None = None) -> None:
        job = job or f"{self.sheet.spec}:{self.name}"
        where = self.sheet.path_of(self.name, *path)
        at_key = where == ("jobs", self.name) or path == ("matrix",)  # of the whole matrix, not of its first axis
        self.sheet.problems.append(self.sheet.document.problem(where, rule, message, at_key=at_key, job=job))
