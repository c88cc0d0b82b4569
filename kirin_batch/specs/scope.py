"""What `vars`, `matrix` and `env` mean at one place of a spec. References to other jobs stay as they are."""

from collections.abc import Iterable, Mapping
from typing import Any

from kirin_batch.models.messages import closest_name
from kirin_batch.pointers import Pointer
from kirin_batch.specs.expressions import (
    Expression,
    ExpressionError,
    JobReference,
    Lookup,
    Template,
    fill,
    fill_lookups,
    parse_template,
)

__all__ = ["Scope", "did_you_mean"]


class Scope:
    """Names and their values; remembers which vars were asked for, in every scope inside it too."""

    def __init__(
        self,
        vars_: Mapping[str, Any],
        environ: Mapping[str, str],
        matrix: Mapping[str, Any] | None = None,
        used: set[str] | None = None,
    ) -> None:
        """`environ` holds only the variables that kirin.yaml's `env` lists."""
        self._vars = vars_
        self._environ = environ
        self._matrix = matrix
        self._used: set[str] = set() if used is None else used
        self._open: list[str] = []

    def inside(self, matrix: Mapping[str, Any]) -> "Scope":
        """The scope of one instance of a matrix."""
        return Scope(self._vars, self._environ, matrix, self._used)

    def unused_vars(self) -> list[str]:
        """The vars that nothing asked for, in order."""
        return [name for name in self._vars if name not in self._used]

    def fill(self, value: Any, *, at: Pointer = (), templates: dict[Pointer, Template] | None = None) -> Any:  # noqa: ANN401 - any YAML value
        """`value` with its expressions replaced, at every depth.

        Where a text refers to other jobs, it stays text, and its template goes into `templates` under its pointer;
        without `templates` such a reference is an ExpressionError, as are unknown names.
        """
        if isinstance(value, str):
            template = parse_template(value)
            return value if template is None else self._fill_template(template, at, templates)
        if isinstance(value, dict):
            return {key: self.fill(item, at=(*at, key), templates=templates) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, at=(*at, index), templates=templates) for index, item in enumerate(value)]
        return value

    def _fill_template(self, template: Template, at: Pointer, templates: dict[Pointer, Template] | None) -> Any:  # noqa: ANN401 - any YAML value
        if not template.references:
            return fill(template, self._value)
        if templates is None:
            text = template.references[0].text
            raise ExpressionError(f"{text}: other jobs can be referred to in params only")
        templates[at] = fill_lookups(template, self._value)
        return str(templates[at])

    def _value(self, expression: Expression) -> Any:  # noqa: ANN401 - any YAML value
        if isinstance(expression, JobReference):
            raise ExpressionError(f"{expression.text}: other jobs can be referred to in params only")
        match expression.source:
            case "vars":
                return self._var(expression)
            case "matrix":
                return self._matrix_value(expression)
            case _:
                return self._env_value(expression)

    def _var(self, lookup: Lookup) -> Any:  # noqa: ANN401 - any YAML value
        if lookup.name not in self._vars:
            raise ExpressionError(f"{lookup.text}: vars has no {lookup.name}{did_you_mean(lookup.name, self._vars)}")
        if lookup.name in self._open:
            raise ExpressionError(f"{lookup.text}: vars.{lookup.name} is made of itself")
        self._used.add(lookup.name)
        self._open.append(lookup.name)
        try:
            return self.fill(self._vars[lookup.name])
        finally:
            self._open.pop()

    def _matrix_value(self, lookup: Lookup) -> Any:  # noqa: ANN401 - any YAML value
        if not self._matrix:
            raise ExpressionError(f"{lookup.text}: there is no matrix here")
        if lookup.name not in self._matrix:
            raise ExpressionError(
                f"{lookup.text}: the matrix has no {lookup.name} here{did_you_mean(lookup.name, self._matrix)}"
            )
        return self._matrix[lookup.name]

    def _env_value(self, lookup: Lookup) -> str:
        if lookup.name not in self._environ:
            raise ExpressionError(f"{lookup.text}: the variable is not set, or not listed under `env:` in kirin.yaml")
        return self._environ[lookup.name]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean mood?`, or nothing where no known name is near."""
    near = closest_name(name, known)
    return f"; did you mean {near}?" if near else ""
