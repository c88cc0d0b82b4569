"""`${{ … }}`: one path and no code. Parses text into templates and fills them; knows neither files nor jobs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from kirin_batch.source import PlainScalar, scalar_text

__all__ = [
    "Expression",
    "ExpressionError",
    "Field",
    "JobReference",
    "Lookup",
    "Template",
    "fill",
    "fill_lookups",
    "parse_need",
    "parse_template",
]

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_LOOKUP = re.compile(r"(vars|matrix|env)\.([A-Za-z_][A-Za-z0-9_-]*)")
_JOB = r"(?:(?P<spec>[^\s:\[\]](?:[^:\[\]]*[^\s:\[\]])?):)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?:\[(?P<axes>[^\]]*)\])?"
_NEED = re.compile(_JOB)
_REFERENCE = re.compile(rf"jobs\.{_JOB}\.(?P<field>[a-z_]+)(?:\[(?P<index>[0-9]{{1,4}})\])?")
_FIELDS = ("url", "urls", "file", "element_id", "task_id")


class ExpressionError(ValueError):
    """An expression that cannot be read or filled; the message is for people."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """`vars.X`, `matrix.X` or `env.X`: known before anything runs."""

    source: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """What of another job is meant: `url`, `urls[N]` (N from 0), `file`, `element_id` or `task_id`."""

    name: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class JobReference:
    """`jobs.REF.FIELD`: known when the other job is done. `spec` is None for a job of the same file."""

    spec: str | None
    name: str
    axes: Mapping[str, str] = field(hash=False)
    field: Field
    text: str


Expression = Lookup | JobReference
"""What can stand between the braces."""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with expressions in it. Where it is one whole expression, its value keeps its type."""

    parts: tuple[str | Expression, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the text is one expression and nothing else."""
        return len(self.parts) == 1

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    @property
    def references(self) -> tuple[JobReference, ...]:
        """The references to other jobs, in order."""
        return tuple(part for part in self.parts if isinstance(part, JobReference))


def parse_template(text: str, *, faults: list[str] | None = None) -> Template:
    """The template that `text` is: what stands around its expressions as it is.

    Raises ExpressionError for the first that cannot be read; with `faults` all go there, and stay text.
    """
    parts: list[str | Expression] = []
    end = 0
    closed = text.rfind("}}") + 2  # behind it nothing is closed, and looking for that from each `${{` would take hours
    for match in _EXPRESSION.finditer(text, 0, closed):
        if match.start() > end:
            parts.append(text[end : match.start()])
        try:
            parts.append(_parse(match[1].strip(), match[0]))
        except ExpressionError as error:
            if faults is None:
                raise
            faults.append(str(error))
            parts.append(match[0])
        end = match.end()
    if end < len(text):
        parts.append(text[end:])
    if "${{" in text[end:]:
        told = "`${{` is never closed: end the expression with `}}`"
        if faults is None:
            raise ExpressionError(told)
        faults.append(told)
    return Template(tuple(parts))


@lru_cache(maxsize=1024)  # the same expressions stand in thousands of texts
def _parse(path: str, text: str) -> Expression:
    if match := _LOOKUP.fullmatch(path):
        return Lookup(match[1], match[2], text)
    match = _REFERENCE.fullmatch(path)
    if not match:
        raise ExpressionError(
            f"{text} is no path: write vars.NAME, matrix.NAME, env.NAME, or jobs.NAME.FIELD "
            f"(FIELD: {', '.join(_FIELDS)})"
        )
    return JobReference(match["spec"], match["name"], _parse_axes(match["axes"], text), _parse_field(match, text), text)


def parse_need(text: str) -> tuple[str | None, str, dict[str, str]]:
    """An entry of `needs`, `NAME`, `SPEC:NAME` or either with axes in brackets, as spec, name and axes.

    What is none of these is taken as a name, which no job has.
    """
    match = _NEED.fullmatch(text)
    if not match:
        return None, text, {}
    return match["spec"], match["name"], _parse_axes(match["axes"], text)


def _parse_field(match: re.Match[str], text: str) -> Field:
    name, index = match["field"], match["index"]
    if name not in _FIELDS:
        raise ExpressionError(f"{text}: a job has no field {name}; take one of {', '.join(_FIELDS)}")
    if (name == "urls") != (index is not None):
        raise ExpressionError(f"{text}: write url for the first result, or urls[0], urls[1], … for one of several")
    return Field(name, int(index or 0))


def _parse_axes(axes: str | None, text: str) -> dict[str, str]:
    if axes is None:
        return {}
    pairs = [part.strip().partition("=") for part in axes.split(",")]
    if not all(name and equals for name, equals, _ in pairs) or len({name for name, _, _ in pairs}) < len(pairs):
        raise ExpressionError(f"{text}: in brackets stand axes, as in [place=city,ratio=16:9]")
    return {name: unquote(value) for name, _, value in pairs}


def fill(template: Template, value_of: Callable[[Lookup], Any]) -> Any:  # noqa: ANN401 - any YAML value
    """The value of a template without references: of its lookup where it is whole, else text with values written out.

    Raises ExpressionError for a value that cannot stand inside text (a list, a mapping, nothing).
    """
    first = template.parts[0]
    if template.is_whole and isinstance(first, Lookup):
        return value_of(first)
    return "".join(_as_text(part, value_of(part)) if isinstance(part, Lookup) else str(part) for part in template.parts)


def fill_lookups(template: Template, value_of: Callable[[Lookup], Any]) -> Template:
    """The template with its lookups written out as text, references to other jobs left in. Raises as `fill`."""
    return Template(
        tuple(_as_text(part, value_of(part)) if isinstance(part, Lookup) else part for part in template.parts)
    )


def _as_text(lookup: Lookup, value: Any) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | PlainScalar):
        return scalar_text(value)
    kind = "nothing" if value is None else "a list" if isinstance(value, list) else "a mapping"
    raise ExpressionError(f"{lookup.text} is {kind}, which cannot stand inside text")
