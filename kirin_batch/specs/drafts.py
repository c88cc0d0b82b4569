"""One spec file to drafts: vars, defaults and matrix resolved, params as the request will carry them.

A draft knows its file's places, so whoever finds a fault in it later can tell where. References to other jobs stay
templates; `links` resolves them when all files are known.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NoReturn, TypeVar

from kirin_batch.jobs import LinkedText, LocalFile
from kirin_batch.models import Catalog, ImageRule, Model
from kirin_batch.models.messages import shortened, unknown_message
from kirin_batch.problems import Pointer, Severity
from kirin_batch.source import PlainScalar, Value, scalar_text, unwrap
from kirin_batch.specs.expressions import JobReference, Template
from kirin_batch.specs.matrix import Instance, MatrixError, expand_matrix, instance_id
from kirin_batch.specs.origins import written_at
from kirin_batch.specs.scope import FaultyText, Scope, did_you_mean
from kirin_batch.specs.sheets import Sheet

__all__ = ["Draft", "KeptDraftError", "Settled", "draft_jobs"]

_T = TypeVar("_T")
_D = TypeVar("_D")

_NO_KEYS: frozenset[str] = frozenset()
_NONE = Instance({}, {})
_OWN_PLACE = "outputs/{spec}/{job}/{index}{ext}"  # where nobody knows the real one, and where no other job's results go


class KeptDraftError(Exception):
    """A draft that was kept has a problem now, whose place only its file can tell: all has to be read anew."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What an earlier command found of the same draft: no fault in its params, with `files` of these hashes, and its
    `digest`.
    """

    files: Mapping[Pointer, str]
    digest: str


@dataclass(slots=True, kw_only=True)
class Draft:
    """A job before it is linked to others.

    `params` hold text at the places in `templates` (references to other jobs), in `unknown` (texts with faulty
    expressions, whose sound references are in `beside_faults`) and of local images; `images` are the places of all
    images. `links`, `files`, `needed`, `slots` and
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
    beside_faults: Mapping[Pointer, Sequence[JobReference]] = field(default_factory=dict)
    links: dict[Pointer, LinkedText] = field(default_factory=dict)
    files: dict[Pointer, LocalFile] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    slots: int = 1
    result_count: int = 1
    output_stem: str = ""
    is_faulty: bool = False
    settled: Settled | None = None
    digest: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether its params were found to be without fault, and the files that they name are the same."""
        if self.settled is None:
            return False
        if not self.files:
            return not self.settled.files
        return {pointer: file.sha256 for pointer, file in self.files.items()} == self.settled.files

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
        """Note a problem at a parameter, or at another key of the job; where there is neither, at the job's name.

        Raises KeptDraftError where the draft is of a sheet that was not read.
        """
        if self.sheet.is_kept:
            raise KeptDraftError(self.id)
        if parameter:
            stands = (*self._origin(str(parameter[0])), "params", *parameter)
            is_readable = parameter not in self.unknown  # else the fault is in the expression itself
            where = written_at(self.sheet, self.name, self.instance, stands) if is_readable else stands
        else:
            stands = self.sheet.path_of(self.name, *(path if parameter is None else ("params",)))
            is_filled = path == ("outputs",)  # `needs` holds no expressions
            where = written_at(self.sheet, self.name, self.instance, stands) if is_filled else stands
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
        said = {**sheet.defaults, **sheet.jobs[name]}
        unclear = sheet.unclear.get(name, _NO_KEYS)
        instances = _Layers(sheet, name, f"{sheet.spec}:{name}", said, unclear, scope).instances()
        made = [draft for instance in instances if (draft := instance.draft(catalog))]
        if not made or len(made) < len(instances):
            sheet.unknown.add(name)
        drafts += made
    # Where a job could not be read, nobody knows what it would have used.
    if not sheet.problems or all(problem.severity is Severity.WARNING for problem in sheet.problems):
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


def _or_default(read: Callable[[], _T], default: _D) -> _T | _D:
    try:
        return read()
    except _WrongKeyError:
        return default


@dataclass(slots=True)
class _Layers:
    """A job, and then an instance of it: its id, its own keys over the file's defaults, and those that are unclear."""

    sheet: Sheet
    name: str
    job: str
    said: Mapping[str, Any]
    unclear: AbstractSet[str]
    scope: Scope
    instance: Instance = _NONE

    def instances(self) -> Sequence["_Layers"]:
        """The instances of the job; none where its matrix is faulty."""
        try:
            found = expand_matrix(self._filled("matrix"))
        except _WrongKeyError:
            return ()
        except MatrixError as error:
            self._complain("matrix", str(error), path=("matrix", *error.path))
            return ()
        for path, told in found.idle:
            self._complain("idle-exclude", told, path=("matrix", *path), severity=Severity.WARNING)
        return [self._inside(instance) if instance.values else self for instance in found.instances]

    def _inside(self, instance: Instance) -> "_Layers":
        job, scope = instance_id(self.job, instance.axes), self.scope.inside(instance.values)
        return replace(self, scope=scope, job=job, instance=instance)

    def draft(self, catalog: Catalog) -> Draft | None:
        """The draft, as far as it is known which model is to take which params. All faults are noted in any case."""
        before = len(self.sheet.problems)
        take = _or_default(self._take, 1)
        tags: tuple[str, ...] = _or_default(self._tags, ())
        outputs = _or_default(self._outputs, _OWN_PLACE)
        model = _or_default(partial(self._model, catalog), None)
        if "params" in self.unclear:
            return None
        if model is None:
            self._complain_of_expressions()
            return None
        templates: dict[Pointer, Template] = {}
        faults: dict[Pointer, FaultyText] = {}
        params = model.coerce(self.scope.fill(self._params(model), templates=templates, faults=faults))
        unknown: AbstractSet[Pointer] = faults.keys()
        if self.unclear:  # what stands beside params is not missing in them
            misplaced = {key: "" for key in self.unclear if key not in params and model.takes(key)}
            params, unknown = params | misplaced, unknown | {(key,) for key in misplaced}
        draft = Draft(
            id=self.job,
            sheet=self.sheet,
            name=self.name,
            instance=self.instance,
            model=model,
            params=params,
            images=model.image_pointers(params),
            templates=templates,
            unknown=unknown,
            beside_faults={pointer: fault.references for pointer, fault in faults.items()} if faults else {},
            needs=() if "needs" in self.unclear else self.said.get("needs") or (),
            take=take,
            tags=tags,
            outputs=outputs,
        )
        draft.is_faulty = len(self.sheet.problems) > before or self.name in self.sheet.unclear
        for pointer, fault in faults.items():
            for message in fault.messages:
                draft.complain("expression", message, parameter=pointer)
        self._complain_of_strange_nulls(draft)
        return draft

    def _complain_of_expressions(self) -> None:
        """Tell what is wrong with the expressions of params that no model is known for."""
        faults: dict[Pointer, FaultyText] = {}
        self.scope.fill(self.sheet.jobs[self.name].get("params"), templates={}, faults=faults)
        for pointer, fault in faults.items():
            path = ("jobs", self.name, "params", *pointer)
            for message in fault.messages:
                found = self.sheet.document.problem(path, "expression", message, job=self.job, parameter=pointer)
                self.sheet.problems.append(found)

    def _complain_of_strange_nulls(self, draft: Draft) -> None:
        """A `null` removes a default: what neither the model nor the defaults have is misspelt."""
        own = self.sheet.jobs[self.name].get("params")
        if not own or None not in own.values():
            return
        known = draft.model.schema["properties"]
        defaults = self.sheet.defaults.get("params") or {}
        others = {*known, *defaults, *draft.model.schema.get("x-unsupported", ())}
        for name, value in own.items():
            if value is None and name not in others:
                told = unknown_message(name, at=(), known=known)
                draft.complain("additionalProperties", told, parameter=(name,), at_key=True)

    def _filled(self, key: str) -> Any:  # noqa: ANN401 - any YAML value
        if key in self.unclear:
            raise _WrongKeyError
        said = self.said.get(key)
        if said is None:  # as most keys of most jobs
            return None
        faults: dict[Pointer, FaultyText] = {}
        value = self.scope.fill(said, at=(key,), faults=faults)
        for path, fault in faults.items():
            for message in fault.messages:
                self._complain("expression", message, path=path)
        if faults:
            raise _WrongKeyError
        return value

    def _take(self) -> int:
        take = unwrap(self._filled("take"))
        if take is None:
            return 1
        if isinstance(take, bool) or not isinstance(take, int | float) or take != int(take) or take < 1:
            self._refuse("take", f"take is {shortened(take)}: a whole number from 1 is needed")
        return int(take)

    def _tags(self) -> tuple[str, ...]:
        tags = self._filled("tags")
        if tags is None:
            return ()
        if not isinstance(tags, list) or not all(isinstance(tag, str | int | float | PlainScalar) for tag in tags):
            self._refuse("tags", f"tags is {shortened(unwrap(tags))}: a list of words is needed")
        return tuple(map(scalar_text, tags))

    def _outputs(self) -> str | None:
        outputs = self._filled("outputs")
        if outputs is not None and (not isinstance(outputs, str) or not outputs):
            self._refuse("outputs", f"outputs is {shortened(unwrap(outputs))}: a path is needed, as text")
        return outputs

    def _model(self, catalog: Catalog) -> Model:
        name = self._filled("model")
        if name is None:
            self._complain("required", "has no model: name one here or in defaults", path=("model",))
            raise _WrongKeyError
        model = catalog.model(name) if isinstance(name, str) else None
        if model is None:
            meant = catalog.suggest(str(name))
            told = f"did you mean {meant}?" if meant else f"there are {', '.join(catalog.names())}"
            self._refuse("model", f"no model is called {shortened(unwrap(name))}: {told}", rule="model")
        return model

    def _params(self, model: Model) -> dict[str, Value]:
        """The params, `null` removing what the defaults gave.

        Defaults stand over jobs of several models: each job takes those that its model has.
        """
        defaults, own = self.sheet.defaults.get("params") or {}, self.sheet.jobs[self.name].get("params") or {}
        given = {key: value for key, value in defaults.items() if model.takes(key)}
        return {key: value for key, value in {**given, **own}.items() if value is not None}

    def _refuse(self, key: str, message: str, *, rule: str = "type") -> NoReturn:
        """Tell of the value of a key, where it is written."""
        where = written_at(self.sheet, self.name, self.instance, self.sheet.path_of(self.name, key))
        self.sheet.problems.append(self.sheet.document.problem(where, rule, message, job=self.job))
        raise _WrongKeyError

    def _complain(self, rule: str, message: str, *, path: Pointer, severity: Severity = Severity.ERROR) -> None:
        where = self.sheet.path_of(self.name, *path)
        at_key = where == ("jobs", self.name) or path == ("matrix",)  # of the whole matrix, not of its first axis
        found = self.sheet.document.problem(where, rule, message, severity=severity, at_key=at_key, job=self.job)
        self.sheet.problems.append(found)
