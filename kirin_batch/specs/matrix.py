"""A job's matrix as instances, with `include` and `exclude` as in GitHub Actions. Knows nothing of params.

`exclude` goes first. An `include` joins every combination whose axes it does not contradict, and is an instance of its
own where there is none. The id of an instance names its axes, sorted; where only `include` made it, all its keys.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kirin_batch.source import PlainScalar, scalar_text, unwrap

__all__ = ["Instance", "MatrixError", "expand_matrix", "instance_id"]

MAX_INSTANCES = 10_000
"""Beyond this a matrix is taken for a mistake (three axes of 100 values are a million tasks)."""


class MatrixError(ValueError):
    """A matrix that has no instances or too many, or axes that no id can name; `path` leads to it within the matrix."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Instance:
    """One combination: `values` are what `matrix.X` yields, `axes` the texts that the id names."""

    values: Mapping[str, Any]
    axes: Mapping[str, str]


def expand_matrix(matrix: Mapping[str, Any] | None) -> list[Instance]:
    """The instances of a matrix in the order of its axes; a job without a matrix is one instance without values.

    Raises MatrixError.
    """
    if matrix is None:
        return [Instance({}, {})]
    axes = {name: values for name, values in matrix.items() if name not in {"include", "exclude"}}
    combinations = _combine(axes)
    for index, pattern in enumerate(matrix.get("exclude", ())):
        _require_axes(pattern, axes, "exclude", index)
        combinations = [values for values in combinations if not _agrees(values, pattern, pattern)]
    made: list[Instance] = []
    for extra in matrix.get("include", ()):
        shared = [name for name in extra if name in axes]
        joined = [values for values in combinations if _agrees(values, extra, shared)]
        for values in joined:
            values.update(extra)
        if not joined:
            made.append(Instance(extra, _axis_texts(extra)))
    found = [Instance(values, _axis_texts({name: values[name] for name in axes})) for values in combinations] + made
    if not found:
        raise MatrixError("the matrix has no combination left: give each axis a value, or exclude less")
    return found


def _combine(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    if not axes:
        return []
    count = 1
    for name, values in axes.items():
        count *= len(values)
        if not values:
            raise MatrixError(f"the axis {name} has no values", name)
    if count > MAX_INSTANCES:
        raise MatrixError(f"the matrix has {count} combinations: at most {MAX_INSTANCES} are taken")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _require_axes(pattern: Mapping[str, Any], axes: Mapping[str, Any], key: str, index: int) -> None:
    for name in pattern:
        if name not in axes:
            raise MatrixError(f"{key} names {name}, which is no axis of this matrix", key, index, name)


def _agrees(values: Mapping[str, Any], pattern: Mapping[str, Any], names: Sequence[str] | Mapping[str, Any]) -> bool:
    return all(unwrap(values[name]) == unwrap(pattern[name]) for name in names)


def _axis_texts(named: Mapping[str, Any]) -> dict[str, str]:
    return {name: _axis_text(name, named[name]) for name in sorted(named)}


def _axis_text(name: str, value: Any) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | PlainScalar):
        return scalar_text(value)
    raise MatrixError(f"the axis {name} has a value that is no text, number or boolean: an id cannot name it", name)


def instance_id(job: str, axes: Mapping[str, str]) -> str:
    """`launch:poster[place=city,ratio=16:9]`; what would be read as part of the brackets is percent-encoded."""
    if not axes:
        return job
    return f"{job}[{','.join(f'{name}={_quote(value)}' for name, value in axes.items())}]"


def _quote(value: str) -> str:
    return "".join(quote(char, safe="") if char in ",=[]%" or not char.isprintable() else char for char in value)
