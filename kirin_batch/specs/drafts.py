"""One spec file to drafts: vars, defaults and matrix resolved, params as the request will carry them.

A draft knows its file's places, so whoever finds a fault in it later can tell where. References to other jobs stay
templates; `links` resolves them when all files are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kirin_batch.documents import Document
from kirin_batch.jobs import LinkedText, LocalFile
from kirin_batch.models import Catalog, Model
from kirin_batch.problems import Pointer, Problem, Severity
from kirin_batch.source import Value, scalar_text
from kirin_batch.specs.expressions import ExpressionError, Template
from kirin_batch.specs.matrix import Instance, MatrixError, expand_matrix, instance_id
from kirin_batch.specs.scope import Scope

__all__ = ["Draft", "Sheet", "draft_jobs"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A spec file on its way: its document, its name in ids (`examples/launch`), and the problems found so far."""

    document: Document
    spec: str
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Draft:
    """A job before it is linked to others.

    `params` hold text at the places in `templates` (references to other jobs) and of local images; `origins` tells for
    each param whether the job or the file's defaults gave it. `links` and `files` are filled in by later steps.
    """

    id: str
    sheet: Sheet
    name: str
    instance: Instance
    model: Model
    params: dict[str, Any]
    templates: Mapping[Pointer, Template]
    origins: Mapping[str, Pointer]
    needs: Sequence[str]
    take: int
    tags: tuple[str, ...]
    outputs: str | None
    links: dict[Pointer, LinkedText] = field(default_factory=dict)
    files: dict[Pointer, LocalFile] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    is_faulty: bool = False

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
        """Note a problem at a parameter, or at another key of the job."""
        if parameter:
            where = (*self.origins.get(str(parameter[0]), ("jobs", self.name, "params")), *parameter)
        else:
            where = ("jobs", self.name, *(path if parameter is None else ("params",)))
        problem = self.sheet.document.problem(
            where, rule, message, severity=severity, at_key=at_key, job=self.id, parameter=parameter
        )
        self.sheet.problems.append(problem)
        self.is_faulty = self.is_faulty or severity is Severity.ERROR


def draft_jobs(sheet: Sheet, catalog: Catalog, environ: Mapping[str, str]) -> list[Draft]:
    """The drafts of all jobs of a file that has the shape of a spec; faults go to the sheet's problems."""
    spec: Any = sheet.document.value
    scope = Scope(spec.get("vars") or {}, environ)
    drafts = []
    for name, own in (spec["jobs"] or {}).items():
        job = _Layers(sheet, name, spec.get("defaults") or {}, own or {})
        drafts += [draft for instance in job.instances(scope) if (draft := job.draft(instance, scope, catalog))]
    # Where a job could not be read, nobody knows what it would have used.
    for name in () if sheet.problems else scope.unused_vars():
        message = f"vars.{name} is never used: remove it, or write ${{{{ vars.{name} }}}} where it belongs"
        sheet.problems.append(
            sheet.document.problem(("vars", name), "unused-var", message, severity=Severity.WARNING, at_key=True)
        )
    return drafts


@dataclass(frozen=True, slots=True)
class _Layers:
    """A job's own keys over the file's defaults."""

    sheet: Sheet
    name: str
    defaults: Mapping[str, Any]
    own: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any YAML value
        value = self.own.get(key, self.defaults.get(key))
        return default if value is None else value

    def path(self, key: str) -> Pointer:
        return ("jobs", self.name, key) if key in self.own or key not in self.defaults else ("defaults", key)

    def instances(self, scope: Scope) -> list[Instance]:
        try:
            matrix = scope.fill(self.get("matrix"))
            return expand_matrix(matrix)
        except ExpressionError as error:
            self._complain(self.path("matrix"), "expression", str(error))
        except MatrixError as error:
            self._complain((*self.path("matrix"), *error.path), "matrix", str(error))
        return []

    def draft(self, instance: Instance, scope: Scope, catalog: Catalog) -> Draft | None:
        job = instance_id(f"{self.sheet.spec}:{self.name}", instance.axes)
        inner = scope.inside(instance.values)
        model = self._model(inner, catalog, job)
        if model is None:
            return None
        params, origins = self._params()
        filled: dict[str, Any] = {}
        templates: dict[Pointer, Template] = {}
        is_faulty = False
        for key, value in params.items():
            try:
                filled[key] = inner.fill(value, at=(key,), templates=templates)
            except ExpressionError as error:
                is_faulty = True
                self._complain((*origins[key], key), "expression", str(error), job=job, parameter=(key,))
        try:
            tags, outputs, take = (inner.fill(self.get(key)) for key in ("tags", "outputs", "take"))
        except ExpressionError as error:
            self._complain(("jobs", self.name), "expression", str(error), job=job)
            return None
        return Draft(
            id=job,
            sheet=self.sheet,
            name=self.name,
            instance=instance,
            model=model,
            params=model.coerce(filled),
            templates=templates,
            origins=origins,
            needs=self.get("needs", ()),
            take=1 if take is None else int(scalar_text(take)),
            tags=tuple(tag if isinstance(tag, str) else scalar_text(tag) for tag in tags or ()),
            outputs=outputs,
            is_faulty=is_faulty,
        )

    def _model(self, scope: Scope, catalog: Catalog, job: str) -> Model | None:
        try:
            name = scope.fill(self.get("model"))
        except ExpressionError as error:
            self._complain(self.path("model"), "expression", str(error), job=job)
            return None
        if name is None:
            self._complain(("jobs", self.name), "required", "has no model: name one here or in defaults", job=job)
            return None
        model = catalog.model(str(name))
        if model is None:
            meant = catalog.suggest(str(name))
            told = f"did you mean {meant}?" if meant else f"there are {', '.join(catalog.names())}"
            self._complain(self.path("model"), "model", f'no model is called "{name}": {told}', job=job)
        return model

    def _params(self) -> tuple[dict[str, Value], dict[str, Pointer]]:
        """The params, `null` removing what the defaults gave, and where each stands."""
        given, own = self.defaults.get("params") or {}, self.own.get("params") or {}
        merged = {key: value for key, value in {**given, **own}.items() if value is not None}
        origins: dict[str, Pointer] = {
            key: ("jobs", self.name, "params") if key in own else ("defaults", "params") for key in merged
        }
        return merged, origins

    def _complain(
        self, path: Pointer, rule: str, message: str, *, job: str | None = None, parameter: Pointer | None = None
    ) -> None:
        job = job or f"{self.sheet.spec}:{self.name}"
        self.sheet.problems.append(self.sheet.document.problem(path, rule, message, job=job, parameter=parameter))
