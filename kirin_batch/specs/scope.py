"""What `vars`, `matrix` and `env` mean at one place of a spec. References to other jobs stay as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from kirin_batch.models.messages import closest_name
from kirin_batch.pointers import Pointer
from kirin_batch.source import Value, resolve_plain
from kirin_batch.specs.expressions import (
    ExpressionError,
    JobReference,
    Lookup,
    Template,
    fill,
    fill_lookups,
    parse_template,
)

__all__ = ["FaultyText", "Scope", "did_you_mean"]

_NODE_COST = 500  # a text however short, a number, a list
_LARGEST = 64_000_000  # characters in all, and a picture in Base64 has at most 14 million
_DEEPEST = 100  # levels, as in YAML files
_LONGEST_CHAIN = 50
_MOST_FAULTS = 50  # that are told of one text


@dataclass(frozen=True, slots=True)
class FaultyText:
    """What is wrong with the expressions of a text, and those references of it that can be read."""

    messages: tuple[str, ...]
    references: tuple[JobReference, ...] = ()


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
        self._open: list[str] = []  # the vars that are being filled, outermost first
        self._grown = 0

    def inside(self, matrix: Mapping[str, Any]) -> "Scope":
        """The scope of one instance of a matrix; of a job without one, this scope."""
        return Scope(self._vars, self._environ, matrix, self._used) if matrix else self

    def unused_vars(self) -> list[str]:
        """The vars that nothing asked for, in order."""
        return [name for name in self._vars if name not in self._used]

    def fill(
        self,
        value: Any,  # noqa: ANN401 - any YAML value
        *,
        at: Pointer = (),
        templates: dict[Pointer, Template] | None = None,
        faults: dict[Pointer, FaultyText] | None = None,
    ) -> Any:  # noqa: ANN401 - any YAML value
        """`value` with its expressions replaced, at every depth; `at` is its own place.

        Where a text refers to other jobs, it stays text, and its template goes into `templates` under its pointer;
        without `templates` such a reference is a fault, as are unknown names. A text with a fault stays as it is, and
        what is wrong goes into `faults` under its pointer; without `faults` it is raised as an ExpressionError.
        """
        if self._open:
            self._grow(value, at)
        elif isinstance(value, str) and "${{" not in value:  # most values of most specs
            return value
        if isinstance(value, dict):
            counts = bool(self._open)
            return {
                key: item
                if isinstance(item, str) and "${{" not in item and not counts
                else self.fill(item, at=(*at, key), templates=templates, faults=faults)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [
                self.fill(item, at=(*at, index), templates=templates, faults=faults) for index, item in enumerate(value)
            ]
        if not isinstance(value, str) or "${{" not in value:
            return value
        try:
            return self._fill_template(parse_template(value), at, templates)
        except ExpressionError:
            if faults is None:
                raise
            faults[at] = self._find_faults(value, at, may_refer=templates is not None)
            return value

    def _find_faults(self, text: str, at: Pointer, *, may_refer: bool) -> FaultyText:
        """All that is wrong with a text, each of its expressions by itself, until that has taken long."""
        unread: list[str] = []
        template = parse_template(text, faults=unread)
        messages = dict.fromkeys(islice(dict.fromkeys(unread), _MOST_FAULTS))
        grown = 0
        for part in dict.fromkeys(template.parts):
            if len(messages) >= _MOST_FAULTS or grown > _LARGEST:
                break
            self._grown = 0
            alone = Template((part,) if template.is_whole else (part, ""))  # which has to be text within text
            try:
                self._fill_template(alone, at, {} if may_refer else None)
            except ExpressionError as error:
                messages[str(error)] = None
            grown += self._grown
        return FaultyText(tuple(messages), template.references)

    def _grow(self, value: Any, at: Pointer) -> None:  # noqa: ANN401 - any YAML value
        """Count what vars made of vars yield: a few lines of them can stand for gigabytes, as aliases can."""
        self._grown += _NODE_COST + (len(value) if isinstance(value, str) else 0)
        if self._grown > _LARGEST or len(at) > _DEEPEST or len(self._open) > _LONGEST_CHAIN:
            raise ExpressionError(f"vars.{self._open[0]} grows beyond all measure: vars in vars in vars")

    def _fill_template(self, template: Template, at: Pointer, templates: dict[Pointer, Template] | None) -> Any:  # noqa: ANN401 - any YAML value
        value_of = partial(self._value, at=at)
        if not template.references:
            return fill(template, value_of)
        if templates is None:
            raise ExpressionError(f"{template.references[0].text}: other jobs can be referred to in params only")
        templates[at] = fill_lookups(template, value_of)
        return str(templates[at])

    def _value(self, lookup: Lookup, at: Pointer) -> Any:  # noqa: ANN401 - any YAML value
        match lookup.source:
            case "vars":
                return self._var(lookup, at)
            case "matrix":
                return self._matrix_value(lookup)
            case _:
                return self._env_value(lookup)

    def _var(self, lookup: Lookup, at: Pointer) -> Any:  # noqa: ANN401 - any YAML value
        if lookup.name not in self._vars:
            raise ExpressionError(f"{lookup.text}: vars has no {lookup.name}{did_you_mean(lookup.name, self._vars)}")
        if lookup.name in self._open:
            raise ExpressionError(f"{lookup.text}: vars.{lookup.name} is made of itself")
        self._used.add(lookup.name)
        if not self._open:
            self._grown = 0
        self._open.append(lookup.name)
        try:
            return self.fill(self._vars[lookup.name], at=at)
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

    def _env_value(self, lookup: Lookup) -> Value:
        """The variable as an unquoted scalar would be: `3` is a number, and still text where a schema wants text."""
        if lookup.name not in self._environ:
            raise ExpressionError(f"{lookup.text}: the variable is not set, or not listed under `env:` in kirin.yaml")
        text = self._environ[lookup.name]
        if not text.isprintable() and any("\ud800" <= char <= "\udfff" for char in text):
            raise ExpressionError(f"{lookup.text}: the variable holds bytes that are no UTF-8")
        try:
            value = resolve_plain(text)
        except ValueError:
            return text  # too many digits for a number
        return text if value is None else value


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean mood?`, or nothing where no known name is near."""
    near = closest_name(name, known)
    return f"; did you mean {near}?" if near else ""
