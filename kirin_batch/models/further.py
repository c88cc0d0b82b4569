"""Schemas of further models, from folders that a project names: read, and refused with the place of the first fault."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from kirin_batch.errors import KirinError
from kirin_batch.models.paths import Pattern, pattern_of
from kirin_batch.models.shape import Shape
from kirin_batch.models.tree import Schema, node_of, places
from kirin_batch.problems import json_pointer

__all__ = ["SchemaError", "read_schema"]

_Fault: TypeAlias = tuple[str, str]  # the JSON pointer of its place, and a message


class SchemaError(KirinError):
    """A schema cannot be had or used; the message names the file and the place in it."""


def read_schema(path: Path, *, shape: Shape) -> Schema:
    """The schema of a model. `shape` is that of such schemas. Raises SchemaError."""
    schema = _parsed(path)
    if fault := _first_fault(schema, shape):
        place, message = fault
        raise SchemaError(f"{path}, at {place or 'the top'}: {message}")
    return schema  # type: ignore[no-any-return] # the shape asks for an object


def _parsed(path: Path) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SchemaError(f"{path}: cannot be read as JSON: {error}") from error


def _first_fault(schema: Any, shape: Shape) -> _Fault | None:  # noqa: ANN401 - any JSON
    # Measured: 25 ms, and only projects with further models come here.
    import jsonschema_rs  # noqa: PLC0415 - see above

    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        return json_pointer(error.instance_path), error.message
    for violation in shape.check(schema):
        return json_pointer(violation.pointer), violation.message
    return _broken_reference(schema)


def _broken_reference(schema: Schema) -> _Fault | None:
    for place, name in _references(schema):
        if name not in schema.get("$defs", {}):
            return place, f"$defs has no {name}"
    try:
        known = {pattern for pattern, _ in places(node_of(schema, root=schema))}
    except RecursionError:
        return "/$defs", "a schema contains itself: write out as many levels as there are"
    for place, pattern in _patterns(schema):
        if pattern not in known:
            return place, f"leads to /{'/'.join(pattern)}, which properties do not have"
    return None


def _references(schema: Any, place: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a schema or a part of one
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield f"{place}/$ref", reference.removeprefix("#/$defs/")
        for key, part in schema.items():
            yield from _references(part, place + json_pointer((key,)))
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _references(part, f"{place}/{index}")


def _patterns(schema: Schema) -> Iterator[tuple[str, Pattern]]:
    """Where keywords of ours point to, with the place of the keyword."""
    for keyword in ("x-total", "x-sum", "x-distinct-images", "x-warnings"):
        for index, entry in enumerate(schema.get(keyword, ())):
            targets = [entry[key] for key in ("equals", "image", "from", "parameter") if key in entry]
            of = entry.get("of", ())
            targets += [of] if isinstance(of, str) else of
            yield from ((f"/{keyword}/{index}", pattern_of(target)) for target in targets)
    for index, group in enumerate(schema.get("x-same-form", ())):
        yield from ((f"/x-same-form/{index}", pattern_of(target)) for target in group)
    for place, cases in (("/x-slots", schema["x-slots"]), ("/x-result/count", schema["x-result"]["count"])):
        for index, case in enumerate(cases):
            if "param" in case:
                yield f"{place}/{index}", (case["param"],)
    for pattern, node in places(node_of(schema, root=schema)):
        if node.placeholders:
            yield f"/properties/{'/'.join(pattern)}", node.placeholders
