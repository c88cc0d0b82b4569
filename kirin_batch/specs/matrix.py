"""A job's matrix as instances, with `include` and `exclude` as in GitHub Actions. Knows nothing of params.

`exclude` goes first. An `include` joins every combination whose axes it does not contradict, and is an instance of its
own where there is none. The id of an instance names its axes, sorted; where only `include` made it, all its keys.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kirin_batch.source import PlainScalar, scalar_text, unwrap

__all__ = ["Instance", "MatrixError", "expand_matrix", "instance_id"]

MAX_INSTANCES = 10_000
"""Beyond this a matrix is taken for a mistake (three axes of 100 values are a million tasks)."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


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


_WHOLE = Instance({}, {})  # of every job without a matrix


def expand_matrix(matrix: Any) -> list[Instance]:  # noqa: ANN401 - any YAML value, as an expression may have yielded it
    """The instances of a matrix in the order of its axes; a job without a matrix is one instance without values.

    Raises MatrixError.
    """
    if matrix is None:
        return [_WHOLE]
    if not isinstance(matrix, dict):
        raise MatrixError("matrix is no mapping: write axes with lists of values, place: [forest, city] say")
    axes = {name: values for name, values in matrix.items() if name not in {"include", "exclude"}}
    combinations = _combine(axes)
    for index, pattern in _entries(matrix, "exclude"):
        _require_axes(pattern, axes, index)
        combinations = [values for values in combinations if not _agrees(values, pattern, pattern)]
    return _include(combinations, axes, _entries(matrix, "include"))


def _include(
    combinations: list[dict[str, Any]], axes: Mapping[str, Any], extras: Iterable[tuple[int, Mapping[str, Any]]]
) -> list[Instance]:
    made: list[Instance] = []
    for index, extra in extras:
        shared = [name for name in extra if name in axes]
        joined = [values for values in combinations if _agrees(values, extra, shared)]
        for values in joined:
            values.update({name: value for name, value in extra.items() if name not in axes})
        if not joined:
            made.append(Instance(extra, _axis_texts(extra, "include", index)))
    found = [Instance(values, _axis_texts({name: values[name] for name in axes})) for values in combinations] + made
    if not found:
        raise MatrixError("the matrix has no combination left: give each axis a value, or exclude less")
    return found


def _combine(axes: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not axes:
        return []
    count = 1
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise MatrixError(f"the axis {name} has no list of values: write {name}: [one, another]", name)
        _require_name(name, name)
        count *= len(values)
    if count > MAX_INSTANCES:
        raise MatrixError(f"the matrix has {count} combinations: at most {MAX_INSTANCES} are taken")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _entries(matrix: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = matrix.get(key, [])
    if not isinstance(entries, list):
        raise MatrixError(f"{key} is no list: write one combination an item, - {{place: city}} say", key)
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not entry:
            raise MatrixError(f"an item of {key} is no combination: write {{place: city}}, say", key, index)
        for name in entry:
            _require_name(name, key, index, name)
        yield index, entry


def _require_name(name: str, *path: str | int) -> None:
    if not _NAME.fullmatch(name):
        raise MatrixError(f'"{name}" is no name: take letters, digits, _ and -, first a letter or _', *path)


def _require_axes(pattern: Mapping[str, Any], axes: Mapping[str, Any], index: int) -> None:
    for name in pattern:
        if name not in axes:
            raise MatrixError(f"exclude names {name}, which is no axis of this matrix", "exclude", index, name)


def _agrees(values: Mapping[str, Any], pattern: Mapping[str, Any], names: Sequence[str] | Mapping[str, Any]) -> bool:
    return all(_is_same(unwrap(values[name]), unwrap(pattern[name])) for name in names)


def _is_same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)  # 1 == True to Python, not to people


def _axis_texts(named: Mapping[str, Any], *path: str | int) -> dict[str, str]:
    return {name: _axis_text(named[name], name, path) for name in sorted(named)}


def _axis_text(value: Any, name: str, path: tuple[str | int, ...]) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | PlainScalar):
        return scalar_text(value)
    told = f"the axis {name} has a value that is no text, number or boolean: an id cannot name it"
    raise MatrixError(told, *path, name)


def instance_id(job: str, axes: Mapping[str, str]) -> str:
    """`launch:poster[place=city,ratio=16:9]`; what would be read as part of the brackets is percent-encoded."""
    if not axes:
        return job
    return f"{job}[{','.join(f'{name}={_quote(value)}' for name, value in axes.items())}]"


def _quote(value: str) -> str:
    return "".join(quote(char, safe="") if char in ",=[]%" or not char.isprintable() else char for char in value)
