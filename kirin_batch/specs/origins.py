"""Where a value is really written: behind `${{ matrix.X }}` and `${{ vars.X }}` stands what they mean.

Looked up only where a problem is told, so that specs without problems pay nothing for it.
"""

from collections.abc import Mapping
from typing import Any

from kirin_batch.pointers import Pointer
from kirin_batch.specs.expressions import Lookup, parse_template
from kirin_batch.specs.matrix import Instance, comparable
from kirin_batch.specs.sheets import Sheet

__all__ = ["written_at"]

_LONGEST_CHAIN = 50  # of vars that stand for vars; more of them are refused where they are filled in


def written_at(sheet: Sheet, job: str, instance: Instance, path: Pointer) -> Pointer:
    """The place in the sheet's file where the value at `path` is written, for this instance of the job.

    A text that is more than one whole expression is written where it stands. Expressions on the way are sound: what is
    wrong with one itself is told where it stands.
    """
    for _ in range(_LONGEST_CHAIN):
        lookup, rest = _find_lookup(sheet.document.value, path)
        if lookup is None:
            return path
        meant = _meaning(sheet, job, instance, lookup)
        if meant is None:
            return path
        path = (*meant, *rest)
    return path


def _find_lookup(value: Any, path: Pointer) -> tuple[Lookup | None, Pointer]:  # noqa: ANN401 - any YAML value
    """The expression that stands at `path` or above it, and what of the path lies inside its value."""
    for depth, step in enumerate((*path, None)):
        if isinstance(value, str):
            return _as_lookup(value), path[depth:]
        if step is None or not _has(value, step):
            break
        value = value[step]
    return None, ()


def _as_lookup(text: str) -> Lookup | None:
    template = parse_template(text)
    whole = template.parts[0] if template.is_whole else None
    return whole if isinstance(whole, Lookup) else None


def _has(value: Any, step: str | int) -> bool:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _meaning(sheet: Sheet, job: str, instance: Instance, lookup: Lookup) -> Pointer | None:
    """Where the value of a lookup stands; None for the environment, which has no line."""
    if lookup.source == "vars":
        return ("vars", lookup.name)
    if lookup.source == "matrix":
        return (*sheet.path_of(job, "matrix"), *_place_in_matrix(sheet, job, instance, lookup.name))
    return None


def _place_in_matrix(sheet: Sheet, job: str, instance: Instance, name: str) -> Pointer:
    """Where the instance's value of `name` stands in the matrix, as far as it is written there."""
    matrix: Any = sheet.jobs[job].get("matrix", sheet.defaults.get("matrix"))
    if not isinstance(matrix, dict):
        return ()
    if (job, name) not in sheet.matrix_places:
        sheet.matrix_places[job, name] = _places_of_values(matrix, name)
    return sheet.matrix_places[job, name].get(comparable(instance.values[name]), (name,) if name in matrix else ())


def _places_of_values(matrix: Mapping[str, Any], name: str) -> Mapping[object, Pointer]:
    """Where the values of `name` stand in a matrix, each at its first place."""
    found: dict[object, Pointer] = {}
    if name in matrix:
        for index, value in enumerate(matrix[name] if isinstance(matrix[name], list) else ()):
            found.setdefault(comparable(value), (name, index))
        return found
    for index, entry in enumerate(matrix["include"] if isinstance(matrix.get("include"), list) else ()):
        if isinstance(entry, dict) and name in entry:
            found.setdefault(comparable(entry[name]), ("include", index, name))
    return found
