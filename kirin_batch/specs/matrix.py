"""A job's matrix as instances, with `include` and `exclude` as in GitHub Actions. Knows nothing of params.

`exclude` goes first. An `include` joins every combination whose axes it does not contradict, and is an instance of its
own where there is none. The id of an instance names its axes, sorted; where only `include` made it, all its keys.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kirin_batch.models.messages import closest_name, shortened
from kirin_batch.pointers import Pointer
from kirin_batch.source import PlainScalar, scalar_text, unwrap

__all__ = ["Expansion", "Instance", "MatrixError", "comparable", "expand_matrix", "instance_id"]

MAX_INSTANCES = 10_000
"""Beyond this a matrix is taken for a mistake (three axes of 100 values are a million tasks)."""
MAX_VALUES = 1_000_000
"""What all instances together may hold: a hundred values each where there are most."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_BEYOND_COUNTING = 10**9
_SHOWN_VALUES = 5


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


@dataclass(frozen=True, slots=True)
class Expansion:
    """The instances of a matrix in the order of its axes.

    `idle` are the places within the matrix, and what is to be said, of entries of `exclude` that exclude nothing.
    """

    instances: Sequence[Instance] = ()
    idle: Sequence[tuple[Pointer, str]] = ()


_WHOLE = Expansion((Instance({}, {}),))  # of every job without a matrix


def expand_matrix(matrix: Any) -> Expansion:  # noqa: ANN401 - any YAML value, as an expression may have yielded it
    """What a matrix stands for; a job without a matrix is one instance without values. Raises MatrixError."""
    if matrix is None:
        return _WHOLE
    if not isinstance(matrix, dict):
        raise MatrixError("matrix is no mapping: write axes with lists of values, place: [forest, city] say")
    axes = {name: values for name, values in matrix.items() if name not in {"include", "exclude"}}
    every = _Combinations(_combine(axes))
    excluded, idle = 0, []
    for index, pattern in _entries(matrix, "exclude"):
        _require_axes(pattern, axes, index)
        excluded |= every.matching(pattern, list(pattern))
        idle += [
            (("exclude", index, name), _why_idle(name, pattern[name], axes[name])) for name in every.strange(pattern)
        ]
    left = [values for index, values in enumerate(every.listed) if not excluded >> index & 1]
    return Expansion(_include(_Combinations(left), axes, list(_entries(matrix, "include"))), idle)


class _Combinations:
    """Combinations, and which of them have a value: a bit each in one number, so that entries are soon compared."""

    def __init__(self, listed: list[dict[str, Any]]) -> None:
        self.listed = listed
        self._all = (1 << len(listed)) - 1
        self._by_axis: dict[str, dict[object, int]] = {}

    def matching(self, pattern: Mapping[str, Any], names: Sequence[str]) -> int:
        """The combinations that have what a pattern has under these names."""
        found = self._all
        for name in names:
            found &= self._having(name).get(comparable(pattern[name]), 0)
        return found

    def strange(self, pattern: Mapping[str, Any]) -> list[str]:
        """The first name whose value in the pattern no combination has, if there is one."""
        return [name for name, value in pattern.items() if comparable(value) not in self._having(name)][:1]

    def _having(self, name: str) -> Mapping[object, int]:
        if name not in self._by_axis:
            places: dict[object, list[int]] = {}
            for index, values in enumerate(self.listed):
                places.setdefault(comparable(values[name]), []).append(index)
            self._by_axis[name] = {value: _as_bits(found) for value, found in places.items()}
        return self._by_axis[name]


def _as_bits(places: Sequence[int]) -> int:
    octets = bytearray(places[-1] // 8 + 1)
    for place in places:
        octets[place // 8] |= 1 << place % 8
    return int.from_bytes(octets, "little")


def _places(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def comparable(value: Any) -> object:  # noqa: ANN401 - any YAML value
    """A key that is equal for equal values of a matrix; 1 == True to Python, not to people."""
    match value:
        case PlainScalar():
            return comparable(value.value)
        case dict():
            return "mapping", frozenset((key, comparable(item)) for key, item in value.items())
        case list():
            return "list", tuple(map(comparable, value))
        case bool():
            return "boolean", value
        case _:
            return value


def _include(
    combinations: _Combinations, axes: Mapping[str, Any], extras: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[Instance]:
    made: list[Instance] = []
    for index, extra in extras:
        if not combinations.matching(extra, [name for name in extra if name in axes]):
            made.append(Instance(extra, _axis_texts(extra, "include", index)))
            _require_few(len(combinations.listed) + len(made))
    _add_values(combinations, axes, [extra for _, extra in extras])
    listed = combinations.listed
    found = [Instance(values, _axis_texts({name: values[name] for name in axes})) for values in listed] + made
    if not found:
        raise MatrixError("the matrix has no combination left: give each axis a value, or exclude less")
    return found


def _add_values(combinations: _Combinations, axes: Mapping[str, Any], extras: Sequence[Mapping[str, Any]]) -> None:
    """Give combinations what entries of `include` add. The last word counts, so the last is heard first, and alone."""
    count = len(combinations.listed) * len(axes)
    heard: dict[str, int] = {}  # by name, the combinations that have it
    for extra in reversed(extras):
        joined = combinations.matching(extra, [name for name in extra if name in axes])
        for name, value in extra.items() if joined else ():
            if name not in axes:
                fresh = joined & ~heard.get(name, 0)
                heard[name] = heard.get(name, 0) | joined
                count += fresh.bit_count()
                _require_few_values(count)
                for place in _places(fresh):
                    combinations.listed[place][name] = value


def _require_few(count: int) -> None:
    if count > MAX_INSTANCES:
        told = str(count) if count < _BEYOND_COUNTING else "over a billion"
        raise MatrixError(f"the matrix has {told} combinations: at most {MAX_INSTANCES} are taken")


def _require_few_values(count: int) -> None:
    if count > MAX_VALUES:
        raise MatrixError(f"the matrix gives its jobs over {MAX_VALUES} values in all: include less, or on fewer axes")


def _combine(axes: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not axes:
        return []
    count = 1
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise MatrixError(f"the axis {name} has no list of values: write {name}: [one, another]", name)
        _require_name(name, name)
        count = min(count * len(values), _BEYOND_COUNTING)
    _require_few(count)
    _require_few_values(count * len(axes))
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


def _why_idle(name: str, wanted: Any, values: Sequence[Any]) -> str:  # noqa: ANN401 - any YAML value
    """What is said of an entry of `exclude` that asks an axis for a value that is not there."""
    some = ", ".join(map(_shown, values[:_SHOWN_VALUES]))
    return f"excludes nothing: {name} is never {_shown(wanted)}, but {some}{', …' * (len(values) > _SHOWN_VALUES)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - any YAML value
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shortened(unwrap(value))


def _axis_texts(named: Mapping[str, Any], *path: str | int) -> dict[str, str]:
    return {name: _axis_text(named[name], name, path) for name in sorted(named)}


def _axis_text(value: Any, name: str, path: tuple[str | int, ...]) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | PlainScalar):
        return scalar_text(value)
    told = f"the axis {name} has a value that is no text, number or boolean: an id cannot name it"
    meant = None if path else closest_name(name, ("include", "exclude"))  # whose items are no texts either
    raise MatrixError(f"{told}; did you mean {meant}?" if meant else told, *path, name)


def instance_id(job: str, axes: Mapping[str, str]) -> str:
    """`launch:poster[place=city,ratio=16:9]`; what would be read as part of the brackets is percent-encoded."""
    if not axes:
        return job
    return f"{job}[{','.join(f'{name}={_quote(value)}' for name, value in axes.items())}]"


def _quote(value: str) -> str:
    return "".join(quote(char, safe="") if char in ",=[]%" or not char.isprintable() else char for char in value)
